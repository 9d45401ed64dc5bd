"""The story of a booking: everything in one order, with links, in as few statements as ever, and only what one may see."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.bookings import actions
from apps.bookings.actions.outside import note_dispute
from apps.bookings.models import Booking
from apps.bookings.rescheduling import move_along
from apps.bookings.states import Actor
from apps.core.db import unit_of_work
from apps.core.models import OutboxMessage
from apps.core.periods import Period
from apps.integrations.models import WebhookDelivery
from apps.integrations.models import WebhookEvent as OutgoingEvent
from apps.notifications.models import Letter, Notification
from apps.payments.models import Charge, Refund, WebhookEvent
from apps.reviews.models import Review
from apps.staff.story import booking_of_story, story_of
from apps.users.models import User
from tests.admin.test_ledgers import client_of, page
from tests.bookings.life import held, paid, work
from tests.integrations.world import happen, listen
from tests.payments.steps import deliver, events_of, handle_all
from tests.recipes import make_event, make_guest, make_onlooker

pytestmark = pytest.mark.django_db(transaction=True)
STATEMENTS = 25


def eventful() -> Booking:
    """A booking to which everything has happened."""
    now = timezone.now()
    event, guest, staff = make_event(), make_guest(), make_onlooker()
    listen(event.host, "https://example.com/hook")
    booking = held(event, guest=guest, now=now, tickets=1)
    paid(booking, card="pm_card_chargeDeclined", now=now)
    paid(booking, card="pm_card_visa", now=now)
    charge = Charge.objects.get(bill=booking.bill_id, status="SUCCEEDED")
    later = booking.span.start + timedelta(hours=3)
    unit_of_work(move_along)(
        listing_id=event.pk, period=Period(later, later + timedelta(hours=1)), actor=Actor.HOST, now=now
    )
    actions.refund(viewer=staff, payment_id=charge.pk, reason="A broken seat", now=now)
    work(now=now)
    deliver(events_of(charge.intent_id, "payment_intent.succeeded")[0])
    handle_all(now=now)
    OutboxMessage.objects.create(task="bookings.carry_out_payment", arguments={"charge_id": charge.pk})
    Review.objects.create(
        listing=event,
        author=guest,
        rating=2,
        comment="Hm.",
        reply="Oh.",
        replied_at=now,
        created_at=now,
        updated_at=now,
    )
    told = OutgoingEvent.objects.filter(topic=f"booking:{booking.pk}")[0]
    WebhookDelivery.objects.create(
        endpoint=event.host.webhook_endpoints.get(), event=told, created_at=now, started_at=now, next_try_at=now
    )
    return booking


def shown(booking: Booking, viewer: User) -> str:
    answer = client_of(viewer).get(page(Booking, "change", booking.pk))
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_everything_is_told_in_order_and_leads_to_its_row() -> None:
    booking = eventful()
    found = booking_of_story(booking.pk)
    assert found is not None
    story = story_of(found, viewer=make_onlooker())
    moments = [moment.at for moment in story.moments]
    assert moments == sorted(moments)
    assert {moment.source for moment in story.moments} == {
        "booking", "charge", "refund", "webhook", "mail", "notice", "integration", "audit", "outbox", "review",
    }  # fmt: skip
    lived = [moment.what for moment in story.moments if moment.source == "booking"]
    assert lived[0] == "Held"
    assert set(lived) == {
        "Held", "Payment started", "Payment failed", "Payment succeeded", "Confirmed", "Changed", "Refunded",
    }  # fmt: skip
    assert [moment.who for moment in story.moments if moment.what == "Refunded"] == ["our staff"]
    (moved,) = [moment.details for moment in story.moments if moment.what == "Changed"]
    assert moved.startswith(f"moved by the host from {booking.span.start:%Y-%m-%d %H:%M} to ")

    text = shown(booking, make_onlooker())
    rows: list[Any] = [*Charge.objects.all(), *Refund.objects.all(), *WebhookEvent.objects.all()]
    rows += [*Letter.objects.filter(booking=booking)]
    rows += [*Review.objects.all(), *WebhookDelivery.objects.all(), *Notification.objects.filter(booking=booking)]
    rows += [booking.listing, booking.guest, booking.bill, booking.allocation]
    assert len(rows) >= 12
    for row in rows:
        assert page(type(row), "change", row.pk) in text, row
    assert "Europe/Berlin" in text
    assert "A broken seat" in text
    charge = Charge.objects.get(paid_at__isnull=False)
    for secret in (charge.idempotency_key, charge.payment_method):
        assert secret not in text


def test_a_long_story_takes_as_many_statements_as_a_short_one() -> None:
    now = timezone.now()
    staff = make_onlooker()
    short, long = eventful(), eventful()
    for number in range(30):
        Letter.objects.create(
            key=f"more:{number}", to="a@example.com", template="more", booking=long, created_at=now, sent_at=now
        )
        record(AuditKind.PAYMENT_REFUNDED, now=now, actor_id=make_onlooker().pk, subject=f"booking:{long.pk}")
    counts = []
    # The first page of all reads what Django remembers from then on.
    for booking in (short, short, long):
        client = client_of(staff)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page(Booking, "change", booking.pk)).status_code == 200
        counts.append(len(queries))
    assert max(counts) <= STATEMENTS, counts
    assert counts[1] == counts[2], counts


def test_a_dispute_is_told_after_the_payment() -> None:
    now = timezone.now()
    booking = paid(held(make_event(), now=now, tickets=1), card="pm_card_createDispute", now=now)
    (told,) = events_of(Charge.objects.get(bill=booking.bill_id).intent_id, "charge.dispute.created")
    note_dispute(dispute_id=told["data"]["object"]["id"])
    found = booking_of_story(booking.pk)
    assert found is not None
    sources = [moment.what for moment in story_of(found, viewer=make_onlooker()).moments]
    assert sources.index("Dispute over 100.00 EUR: needs response") > sources.index("Confirmed")


def test_who_may_not_see_people_or_mails_sees_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    booking, staff = eventful(), make_onlooker()
    Booking.objects.filter(pk=booking.pk).update(last_name="Quibbleworth")
    closed = {
        "users.view_user",
        "notifications.view_letter",
        "notifications.view_notification",
        "audit.view_auditevent",
    }
    assert "Quibbleworth" in shown(booking, staff)
    everything = User.has_perm
    monkeypatch.setattr(
        User, "has_perm", lambda self, name, obj=None: name not in closed and everything(self, name, obj)
    )
    text = shown(booking, staff)
    assert "not shown to your role" in text
    assert booking.guest is not None
    body = text.partition('id="story"')[2]
    for hidden in ("Quibbleworth", booking.guest.email, booking.guest.first_name, booking.listing.host.email):
        assert hidden not in body, hidden
    assert 'id="letters"' not in body
    listed = client_of(staff).get(page(Booking)).content.decode()
    assert booking.reference in listed
    assert booking.guest.email not in listed
    found = client_of(staff).get(page(Booking), {"q": booking.guest.email}).context["cl"].result_list
    assert list(found) == []


def test_from_everywhere_to_the_booking() -> None:
    booking, staff = eventful(), make_onlooker()
    client = client_of(staff)
    here = page(Booking, "change", booking.pk)
    rows: list[Any] = [booking.bill, *Charge.objects.all(), *Refund.objects.all()]
    rows += [*WebhookEvent.objects.all(), Letter.objects.filter(booking=booking)[0]]
    for row in rows:
        assert here in client.get(page(type(row), "change", row.pk)).content.decode(), row
    ways = {booking.listing: "listing", booking.guest: "guest", booking.listing.host: "listing__host"}
    for row, name in ways.items():
        assert row is not None
        path = f"{page(Booking)}?{name}={row.pk}"
        assert path in client.get(page(type(row), "change", row.pk)).content.decode(), row
        other = held(make_event(), now=timezone.now(), tickets=1)
        assert list(client.get(path).context["cl"].result_list) == [booking], (row, other)


def test_a_job_and_an_event_of_others_is_not_told() -> None:
    booking = eventful()
    other = paid(held(make_event(), now=timezone.now(), tickets=1), now=timezone.now())
    happen(other.listing)
    WebhookEvent.objects.create(event_id="evt_other", type="x", object_id="pi_other", received_at=datetime.now(UTC))
    text = shown(booking, make_onlooker())
    assert "evt_other" not in text
    assert other.reference not in text
    assert re.search(r"Job waits for the broker", text)
