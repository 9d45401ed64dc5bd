"""The ledgers in Django admin: every page opens, costs as much for many rows as for few, and writes nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from apps.audit.models import AuditEvent
from apps.availability.models import Allocation, Block
from apps.bookings.models import Booking
from apps.core.admin import MOST_COUNTED, ReadOnlyAdmin, ShallowPaginator
from apps.core.models import IdempotencyKey, OutboxMessage, PromisedJob
from apps.hosting.models import ImportedCalendar, ListingFeed
from apps.importing.demo.actions import seed_demo
from apps.integrations import models as integrations
from apps.integrations.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from apps.listings.models import Image, Listing, Word
from apps.live.models import LiveEvent
from apps.notifications.letters import Words
from apps.notifications.models import (
    Announcement,
    Letter,
    MutedAddress,
    Notification,
    NotificationSettings,
    Reminder,
)
from apps.payments.models import (
    Bill,
    Card,
    Charge,
    ChargeStatus,
    Customer,
    DealtWith,
    Discrepancy,
    Dispute,
    ReceiptCounter,
    Refund,
    WebhookEvent,
)
from apps.reviews.models import Review
from apps.staff.models import BackupCode, SecondFactor
from apps.users.models import MailToken, RefreshToken, Session, TrustedIdentity, UsedAssertion, User
from tests.emptying import empty_all
from tests.recipes import make_clerk, make_guest, make_onlooker, make_staff

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
        fill_the_rest()
        yield
        empty_all()


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


def fill_the_rest() -> None:
    """Three rows at least in every other table of the admin, each of its own so that whatever is read beside it shows."""
    now = timezone.now()
    users = list(User.objects.order_by("pk")[:3])
    bookings = list(Booking.objects.order_by("pk")[:3])
    listings = list(Listing.objects.order_by("pk")[:3])
    for number, (user, booking, listing) in enumerate(zip(users, bookings, listings, strict=True)):
        key = f"key-{number}"
        session = Session.objects.create(user=user, created_at=now, last_used_at=now)
        RefreshToken.objects.create(session=session, token_hash=key, created_at=now, expires_at=now)
        MailToken.objects.create(
            user=user,
            purpose="VERIFY_EMAIL",
            email=user.email,
            nonce=key,
            token_hash=key,
            created_at=now,
            expires_at=now,
        )
        TrustedIdentity.objects.create(user=user, issuer="site", subject=key, created_at=now)
        UsedAssertion.objects.create(issuer="site", token_id=key, expires_at=now)
        Customer.objects.create(user=user, processor_id=key)
        Card.objects.create(
            user=user,
            payment_method=key,
            fingerprint=key,
            brand="visa",
            last4="4242",
            exp_month=1,
            exp_year=2030,
            created_at=now,
        )
        ReceiptCounter.objects.get_or_create(year=2000 + number)
        DealtWith.objects.create(subject=f"refund:{number}", note="x", actor_id=user.pk, at=now)
        Discrepancy.objects.create(key=key, text="x", since=now, found_at=now, seen_at=now)
        NotificationSettings.objects.create(user=user, updated_at=now)
        MutedAddress.objects.create(address=key, type="MESSAGE", created_at=now)
        Announcement.objects.create(sender=user, title=key, body="x", recipients=[user.pk], created_at=now)
        Notification.objects.create(
            recipient=user, type="MESSAGE", title=key, body="x", booking=booking, key=key, created_at=now
        )
        Reminder.objects.create(booking=booking, moment=now, created_at=now)
        Letter.objects.create(
            key=key, to=user.email, template="x", booking=booking, created_at=now, sent_at=now,
            data=Words(subject="x", name="", paragraphs=["x"]).kept(),
        )  # fmt: skip
        endpoint = WebhookEndpoint.objects.create(
            owner=user, url="https://hooks.example/x", types=["booking.held"], created_at=now, updated_at=now
        )
        event = integrations.WebhookEvent.objects.create(
            type="booking.held", version=1, host_id=user.pk, topic="booking:1", data={}, at=now
        )
        delivery = WebhookDelivery.objects.create(
            endpoint=endpoint, event=event, status="DELIVERED", created_at=now, started_at=now
        )
        WebhookAttempt.objects.create(delivery=delivery, at=now, milliseconds=1)
        ImportedCalendar.objects.create(
            listing=listing, name=key, url="https://other.example/secret-feed.ics", created_at=now, next_sync_at=now
        )
        ListingFeed.objects.create(listing=listing, number=number)
        Image.objects.create(listing=listing, position=90 + number, file="x.jpg", created_at=now)
        Word.objects.get_or_create(word=f"word{number}")
        OutboxMessage.objects.create(task="x", created_at=now)
        PromisedJob.objects.create(task="x", look_again_at=now)
        IdempotencyKey.objects.create(caller="x", key=key, fingerprint=key, created_at=now)
        LiveEvent.objects.create(topic="booking:1", at=now)
        factor = SecondFactor.objects.create(user=user, name="x", secret="x", created_at=now)
        BackupCode.objects.create(factor=factor, code_hash=key)
        LogEntry.objects.create(user=user, action_flag=2, object_repr=key)
        AuditEvent.objects.create(at=now, kind="SIGNED_IN", user_id=user.pk)
        Group.objects.get_or_create(name=f"group {number}")
        author = make_guest()
        Review.objects.create(listing=listing, author=author, rating=5, comment="x", created_at=now, updated_at=now)


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
        # Session, account, roles, rights, second factor and what is stuck; a count and rows with their relations.
        assert len(queries) <= 11, (model, [query["sql"][:200] for query in queries])
        row = answer.context["cl"].result_list[0]
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(page(model, "change", row.pk))
        assert answer.status_code == 200
        # The page of a booking tells its whole story.
        assert len(queries) <= 25, (model, [query["sql"][:200] for query in queries])


def test_no_list_costs_more_with_more_rows_or_counts_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table of the admin, with one row on the page and with three."""
    boss = make_staff(is_superuser=True)
    client, request = client_of(boss), RequestFactory().get("/")
    request.user = boss
    for model, registered in admin.site._registry.items():
        costs = {}
        for rows in (1, 3):
            monkeypatch.setattr(registered, "list_per_page", rows)
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(page(model))
            assert (answer.status_code, len(answer.context["cl"].result_list)) == (200, rows), model
            costs[rows] = len(queries)
        assert costs[1] == costs[3], model
        asked = [query["sql"] for query in queries] + search_of(client, model)
        # Users and sessions of this page are few and by their keys; a table is never counted to its end.
        for sql in asked:
            assert "COUNT(" not in sql.upper() or " LIMIT " in sql, (model, sql[:300])
        assert not registered.show_full_result_count
        assert registered.get_search_fields(request), model


def search_of(client: Client, model: Any) -> list[str]:
    """What is asked when somebody searches, and would have each filter say how many it finds."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(page(model), {"q": "nothing like it", "_facets": "True"}).status_code in {200, 302}
    return [query["sql"] for query in queries]


def test_every_row_opens_and_nobody_writes_it() -> None:
    """What can be changed in the admin is changed on the pages of accounts and groups, and by actions."""
    boss = make_staff(is_superuser=True)
    client, shown = client_of(boss), ""
    request = RequestFactory().get("/")
    request.user = boss
    for model, registered in admin.site._registry.items():
        if not isinstance(registered, ReadOnlyAdmin):
            continue
        row = model._default_manager.order_by("pk").last()
        assert row is not None, model
        before = list(model._default_manager.order_by("pk").values())[-1]
        count = model._default_manager.count()
        answer = client.get(page(model, "change", row.pk))
        assert answer.status_code == 200, model
        shown += answer.content.decode()
        form = {field.name: "1" for field in model._meta.fields}
        for path, values in (
            (page(model, "add"), form),
            (page(model, "change", row.pk), form),
            (page(model, "delete", row.pk), {"post": "yes"}),
        ):
            assert client.post(path, values).status_code == 403, path
        assert "delete_selected" not in registered.get_actions(request), model
        assert not registered.list_editable, model
        assert model._default_manager.count() == count, model
        assert model._default_manager.filter(pk=row.pk).values().get() == before, model
    # Whoever knows all of an address reads the calendar behind it.
    assert "secret-feed" not in shown


def test_the_history_of_a_row_is_for_who_sees_the_row() -> None:
    booking, charge = Booking.objects.order_by("pk")[0], Charge.objects.order_by("pk")[0]
    for role, seen in (("support", (200, 200)), ("finance", (200, 200)), ("content", (403, 403))):
        client = client_of(make_clerk(role))
        asked = (page(Booking, "history", booking.pk), page(Charge, "history", charge.pk))
        assert tuple(client.get(path).status_code for path in asked) == seen, role


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
    assert pages.is_cut
    assert not ShallowPaginator(rows.filter(pk=rows[0].pk), 2).is_cut
    assert MOST_COUNTED > 1000
