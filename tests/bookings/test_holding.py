"""The hold: what it writes, in how few statements, and that a refused one has written nothing."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from apps.availability.actions import allocate
from apps.availability.models import Allocation, Stock
from apps.bookings.actions import Contact, hold
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.core.errors import Unavailable
from apps.core.ids import global_id
from apps.core.periods import Period
from apps.integrations.models import WebhookEndpoint, WebhookEvent
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.live.models import LiveEvent
from apps.notifications.letters import words_of
from apps.notifications.models import Letter
from apps.payments.models import Bill
from tests.bookings.life import held, nights
from tests.concurrency.guards import somebody_waits
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_guest, make_property, make_user
from tests.schema.listings.api import mutate
from tests.serving import eventually, last_message

pytestmark = pytest.mark.django_db(transaction=True)

TABLES: tuple[type[models.Model], ...] = (Allocation, Bill, Booking, BookingLine, BookingEvent, Letter, LiveEvent)


def counts() -> list[int]:
    return [model._default_manager.count() for model in TABLES]


def held_by(email: str, listing: Listing, **wanted: Any) -> Booking:
    return hold(
        kind_code=listing.kind,
        listing_id=listing.pk,
        listing_field="listing",
        request=BookingRequest(**wanted),
        guest=None,
        contact=Contact(email=email, first_name="Zoë 100%", last_name="O'Neil {}"),
        now=NOW,
    )


def plain(row: models.Model) -> dict[str, Any]:
    """The row's columns; the moment of its last change is read from the clock of the machine."""
    left_out = {"updated_at"}
    return {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.attname not in left_out
    }


@pytest.mark.parametrize("is_prepared", [True, False])
@pytest.mark.parametrize("kind", ["property", "event"])
def test_what_the_action_returns_is_what_the_tables_hold(kind: str, is_prepared: bool, settings: Settings) -> None:
    settings.PREPARED_STATEMENTS = is_prepared
    home = make_property(property__cleaning_fee_minor=2_500) if kind == "property" else make_event()
    wanted = nights(home, 3) if kind == "property" else {"tickets": 2}
    booking = held_by("zoe@example.com", home, **wanted)
    assert booking.written is not None

    found = Booking.objects.select_related("bill", "allocation").get()
    assert plain(found) == plain(booking)
    assert plain(found.bill) == plain(booking.bill)
    assert plain(found.allocation) == plain(booking.allocation)
    assert [plain(event) for event in found.history.all()] == [plain(event) for event in booking.written.history]
    lines = [(line.position, line.label, line.quantity, line.amount) for line in found.lines.all()]
    assert lines == [(line.position, line.label, line.quantity, line.amount) for line in booking.written.lines]
    assert len(lines) == (2 if kind == "property" else 1)
    letter = Letter.objects.get()
    assert (letter.to, letter.key) == ("zoe@example.com", f"event:{booking.written.history[0].pk}:held")
    assert words_of(letter)["secret_of"] == ["booking", str(found.pk), found.reference, NOW.isoformat()]
    assert (letter.booking_id, letter.next_try_at, letter.sent_at, letter.failed_at) == (found.pk, NOW, None, None)
    told = LiveEvent.objects.latest("pk")
    period = {"start": found.period.lower.isoformat(), "end": found.period.upper.isoformat()}
    assert (told.topic, told.data) == (f"availability:{home.pk}", period)
    assert not any(row._state.adding for row in (booking, booking.bill, *booking.written.lines))


def test_numbers_are_drawn_from_the_sequences_of_the_tables() -> None:
    home = make_property(units=2)
    booking = held(home, **nights(home, 1))
    for model in (Allocation, Bill, Booking, BookingEvent):
        table = model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
            assert cursor.fetchone() == (f"public.{table}_id_seq",)
    # What others write afterwards does not meet them.
    with transaction.atomic():
        later = Bill.objects.create(currency="EUR", total_minor=0, timing="NOW", created_at=NOW)
    assert later.pk == booking.bill_id + 1


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_a_hold_is_two_messages_and_a_commit(is_signed_in: bool) -> None:
    home, guest = make_property(), make_guest()
    for first in (30, 40):
        days = nights(home, 1, first=timedelta(days=first))
        with CaptureQueriesContext(connection) as captured:
            if is_signed_in:
                held(home, guest=guest, **days)
            else:
                held_by("a@example.com", home, **days)
        heads = [query["sql"].split()[0] for query in captured]
        # BEGIN is what Django has noted: it goes with the first.
        assert heads == ["BEGIN", "EXECUTE", "EXECUTE", "COMMIT"]


def test_the_last_of_the_two_brings_the_commit() -> None:
    home = make_property()
    held(home, **nights(home, 1))
    assert last_message().startswith("EXECUTE hold_unit_at_last_")
    with connection.cursor() as cursor:
        cursor.execute("SHOW holdfast.answer")
        assert json.loads(cursor.fetchone()[0])["id"] == Allocation.objects.get().pk


def test_a_hold_with_something_to_do_besides_commits_afterwards() -> None:
    home, other = make_property(), make_event(price_minor=0)
    days = nights(home, 1)
    held(home, **days)
    # What has run out is cleared away before.
    held(home, **days, now=NOW + timedelta(hours=1))
    assert last_message() == "COMMIT"
    # What costs nothing is confirmed behind it.
    held(other, tickets=1)
    assert last_message() == "COMMIT"
    # A key remembers what was made.
    days = nights(home, 1, first=timedelta(days=50))
    request = BookingRequest(**days)
    booked = hold(
        kind_code=home.kind,
        listing_id=home.pk,
        listing_field="listing",
        request=request,
        guest=make_guest(),
        idempotency_key="the same key",
        now=NOW,
    )
    assert last_message() == "COMMIT"
    assert Booking.objects.filter(pk=booked.pk).exists()


def test_the_answer_to_a_hold_reads_nothing_back() -> None:
    home, guest = make_property(property__cleaning_fee_minor=900), make_guest()
    days = {
        "propertyId": global_id("Property", home.pk),
        "checkIn": "2027-03-01",
        "checkOut": "2027-03-03",
        "guests": 1,
    }
    shows = "booking { total { amountMinor } paymentStatus payments { id } lines { label } history { type } }"
    now = NOW.replace(year=2027, month=2, day=1)
    with CaptureQueriesContext(connection) as captured:
        payload = mutate("bookProperty", days, viewer=guest, shows=shows, now=now)
    assert len(captured) == 4
    booking = payload["booking"]
    assert (booking["payments"], booking["paymentStatus"]) == ([], None)
    assert [line["label"] for line in booking["lines"]] == ["Nights", "Cleaning fee"]
    assert [event["type"] for event in booking["history"]] == ["HELD"]


def test_the_answer_to_a_retry_shows_what_has_become_of_the_booking() -> None:
    event, guest = make_event(), make_guest()
    data = {"eventId": global_id("Event", event.pk), "tickets": 1, "idempotencyKey": "the same key"}
    shows = "booking { id status history { type } }"
    first = mutate("bookEvent", data, viewer=guest, shows=shows)
    booking_id = first["booking"]["id"]
    mutate("cancelBooking", {"bookingId": booking_id}, viewer=guest, shows="booking { id }")
    retried = mutate("bookEvent", data, viewer=guest, shows=shows)["booking"]
    assert (retried["id"], retried["status"]) == (booking_id, "CANCELED")
    assert [event["type"] for event in retried["history"]] == ["HELD", "CANCELED"]


def test_what_costs_nothing_shows_that_it_is_confirmed() -> None:
    event, guest = make_event(price_minor=0), make_guest()
    data = {"eventId": global_id("Event", event.pk), "tickets": 1}
    booking = mutate("bookEvent", data, viewer=guest, shows="booking { status expiresAt history { type } }")["booking"]
    assert (booking["status"], booking["expiresAt"]) == ("CONFIRMED", None)
    assert [event["type"] for event in booking["history"]] == ["HELD", "CONFIRMED"]
    assert Allocation.objects.get().held_until is None
    # Only of the confirmation.
    assert sorted(Letter.objects.values_list("template", flat=True)) == ["confirmed", "host_confirmed"]


@pytest.mark.parametrize("make", [make_property, lambda: make_event(tickets=3)])
def test_where_nothing_is_free_nothing_is_written(make: Callable[[], Listing]) -> None:
    listing = make()
    wanted = nights(listing, 2) if listing.kind == "PROPERTY" else {"tickets": 2}
    held(listing, **wanted)
    before = counts()
    with pytest.raises(Unavailable):
        held(listing, **wanted)
    assert counts() == before
    assert set(Stock.objects.values_list("taken", flat=True)) <= {2}


@pytest.mark.parametrize("units", [1, 2])
def test_a_unit_lost_to_somebody_faster_leaves_the_next_one(units: int) -> None:
    home, guest = make_property(units=units), make_guest()
    days = nights(home, 1)
    first = held(home, guest=guest, **days)
    Booking.objects.all().delete()
    period = Period(first.period.lower, first.period.upper)
    Allocation.objects.all().delete()
    for model in (Bill, Letter, LiveEvent):
        model.objects.all().delete()
    before = counts()

    def slower() -> str:
        try:
            return str(held(home, guest=guest, **days).allocation.unit.number)  # type: ignore[union-attr]
        except Unavailable:
            return "UNAVAILABLE"
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            faster = allocate(listing_id=home.pk, period=period, quantity=None, holder=None, held_until=None, now=NOW)
            waiting = pool.submit(slower)
            eventually(somebody_waits, "the slower one waits for the faster")
        assert faster.unit is not None
        assert faster.unit.number == 1
        assert waiting.result() == ("2" if units == 2 else "UNAVAILABLE")
    if units == 1:
        # The faster one's place, and what listeners were told of it.
        assert counts() == [before[0] + 1, *before[1:-1], before[-1] + 1]


def test_integrators_are_told_of_a_hold_only_where_they_asked() -> None:
    home, other = make_property(), make_property()
    owner = make_user(role="HOST")
    for host, types in ((home.host, ["booking.held"]), (other.host, ["booking.canceled"]), (owner, ["booking.held"])):
        WebhookEndpoint.objects.create(
            owner=host, url="https://x.example/", types=types, created_at=NOW, updated_at=NOW
        )
    booking = held(home, **nights(home, 1))
    held(other, **nights(other, 1))
    event = WebhookEvent.objects.get()
    assert (event.type, event.host_id, event.topic) == ("booking.held", home.host_id, f"booking:{booking.pk}")
    assert event.data["booking"]["reference"] == booking.reference
