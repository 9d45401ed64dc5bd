"""The ledgers in Django admin: every page opens, costs as much for many rows as for few, and writes nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from apps.availability.models import Allocation, Block
from apps.bookings.models import Booking
from apps.core.admin import MOST_COUNTED, ReadOnlyAdmin, ShallowPaginator
from apps.importing.demo.actions import seed_demo
from apps.listings.models import Listing
from apps.payments.models import Bill, Charge, ChargeStatus, Dispute, Refund, WebhookEvent
from apps.users.models import User
from tests.emptying import audit_unlocked
from tests.recipes import make_guest, make_onlooker, make_staff

pytestmark = pytest.mark.django_db
LEDGERS = (Listing, Allocation, Block, Booking, Bill, Charge, Refund, Dispute, WebhookEvent)


@pytest.fixture(scope="module", autouse=True)
def _demo(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The demo's data, made once, since no test here writes."""
    del django_db_setup
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=tmp_path_factory.mktemp("media")):
        fill()
        yield
        with audit_unlocked():
            call_command("flush", interactive=False, verbosity=0)


def fill() -> None:
    """The demo, with rows in the tables that it leaves empty."""
    now = timezone.now()
    seed_demo(now=now)
    charges = list(Charge.objects.filter(amount_minor__gt=0).order_by("pk")[:60])
    for number, charge in enumerate(charges):
        Refund.objects.create(charge=charge, amount_minor=1, idempotency_key=f"key-{number}", created_at=now)
        Dispute.objects.create(
            charge=charge, processor_id=f"dp_{number}", status="lost", amount_minor=1, currency="USD", created_at=now
        )
        WebhookEvent.objects.create(event_id=f"evt_{number}", type="charge.refunded", received_at=now)
    period = Allocation.objects.order_by("pk")[0].period
    Block.objects.bulk_create(
        Block(listing=listing, period=period, created_at=now) for listing in Listing.objects.order_by("pk")[:60]
    )


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(model: Any, what: str = "changelist", *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=arguments)


def test_every_page_opens_with_a_steady_number_of_queries() -> None:
    client = client_of(make_onlooker())
    for model in LEDGERS:
        assert model._default_manager.count() >= 60
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = client.get(page(model))
        assert answer.status_code == 200
        assert answer.context["cl"].result_count >= 60
        assert len(answer.context["cl"].result_list) == 50
        # The session, the account, its roles, rights and second factor; a count and the rows, which bring their relations along.
        assert len(queries) <= 10, (model, [query["sql"][:200] for query in queries])
        row = answer.context["cl"].result_list[0]
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(page(model, "change", row.pk))
        assert answer.status_code == 200
        assert len(queries) <= 20, (model, [query["sql"][:200] for query in queries])


def test_what_is_searched_is_found() -> None:
    client = client_of(make_onlooker())
    charge = Charge.objects.exclude(receipt_number=None).select_related("bill__booking").order_by("pk")[0]
    booking = charge.bill.booking
    searches: tuple[tuple[Any, str, Any], ...] = (
        (Booking, booking.reference.lower(), booking),
        (Charge, str(charge.receipt_number), charge),
        (Charge, booking.reference, charge),
        (Bill, booking.reference, charge.bill),
        (Listing, booking.listing.title, booking.listing),
        (WebhookEvent, "evt_7", WebhookEvent.objects.get(event_id="evt_7")),
    )
    for model, text, wanted in searches:
        answer = client.get(page(model), {"q": text})
        assert list(answer.context["cl"].result_list) == [wanted], (model, text)
    for of_kind in (Listing, Allocation, Block, Booking):
        shown = client.get(page(of_kind), {"kind": "PARKING_SPOT"}).context["cl"].queryset
        lookup = "kind" if of_kind is Listing else "listing__kind"
        assert shown.count() == of_kind._default_manager.filter(**{lookup: "PARKING_SPOT"}).count()


def test_a_booking_is_shown_whole() -> None:
    booking = Booking.objects.filter(bill__charges__status=ChargeStatus.SUCCEEDED, listing__kind="PROPERTY")[0]
    charge = booking.bill.charges.get()
    shown = client_of(make_onlooker()).get(page(Booking, "change", booking.pk)).content.decode()
    for text in (
        booking.reference,
        str(booking.listing),
        str(booking.bill.total),
        str(charge.receipt_number),
        page(Charge, "change", charge.pk),
        *booking.lines.values_list("label", flat=True),
        "Held",
        "Confirmed",
    ):
        assert text in shown, text


def test_secrets_are_not_shown() -> None:
    charge = Charge.objects.order_by("pk")[0]
    Charge.objects.filter(pk=charge.pk).update(client_secret="pi_1_secret_xyz", next_action_url="https://pay.example/x")
    shown = client_of(make_staff(is_superuser=True)).get(page(Charge, "change", charge.pk)).content.decode()
    assert "pi_1_secret_xyz" not in shown
    assert "pay.example" not in shown


def test_not_even_a_superuser_writes_in_the_ledgers() -> None:
    client = client_of(make_staff(is_superuser=True))
    for model in LEDGERS:
        assert isinstance(admin.site._registry[model], ReadOnlyAdmin)
        row = model._default_manager.order_by("pk")[0]
        count = model._default_manager.count()
        assert client.get(page(model, "add")).status_code == 403
        assert client.post(page(model, "add"), {}).status_code == 403
        assert client.post(page(model, "change", row.pk), {"status": "CONFIRMED"}).status_code == 403
        assert client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        answer = client.post(page(model), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
        assert answer.status_code in {200, 302}
        assert model._default_manager.count() == count


def test_others_do_not_get_in() -> None:
    for email in ("guest@example.com", "host@example.com"):
        client = client_of(User.objects.get(email=email))
        assert {client.get(page(model)).status_code for model in LEDGERS} == {302}


def test_counting_stops_early(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = User.objects.filter(pk__in=[make_guest().pk for _ in range(4)]).order_by("pk")
    assert ShallowPaginator(rows, 2).count == 4
    monkeypatch.setattr("apps.core.admin.MOST_COUNTED", 3)
    pages = ShallowPaginator(rows, 2)
    assert (pages.count, pages.num_pages, len(pages.page(1))) == (3, 2, 2)
    assert MOST_COUNTED > 1000
