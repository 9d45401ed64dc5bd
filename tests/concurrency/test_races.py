"""Many clients, one place. Each guarantee has a twin that shows the race once its guard is removed."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection

from apps.availability import claims
from apps.availability.models import Allocation, Stock
from apps.bookings.actions import Contact, hold
from apps.bookings.actions.hold import hold_of
from apps.bookings.models import Booking
from apps.core.errors import DomainError
from apps.core.models import IdempotencyKey
from apps.core.periods import local_date
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from tests.recipes import make_event, make_parking_spot, make_property, make_service
from tests.serving import Client, Site, at_once

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 64
NEXT_MONTH = timedelta(days=30)

BOOK = """
mutation Book($p: BookPropertyInput!) { a: bookProperty(input: $p) { booking { id reference status } errors { code } } }
"""


def contact(number: int) -> dict[str, str]:
    return {"email": f"client{number}@example.com", "firstName": "Client", "lastName": str(number)}


def now() -> datetime:
    return datetime.now(UTC)


def a_day(listing: Listing) -> date:
    return local_date(now() + NEXT_MONTH, listing.time_zone)


def slot_of(listing: Listing) -> datetime:
    """Ten in the morning in UTC next month; the recipes' services are open around the clock's nine to five."""
    return datetime.combine((now() + NEXT_MONTH).date(), time(10), tzinfo=UTC)


KINDS: dict[str, tuple[str, str, str, str, Callable[[], Listing], Callable[[Listing], dict[str, Any]]]] = {
    "property": (
        "PROPERTY", "bookProperty", "BookPropertyInput", "propertyId", lambda: make_property(),
        lambda listing: {
            "checkIn": a_day(listing).isoformat(), "checkOut": (a_day(listing) + timedelta(days=2)).isoformat(), "guests": 1,
        },
    ),
    "service": (
        "SERVICE", "bookService", "BookServiceInput", "serviceId", lambda: make_service(time_zone="UTC"),
        lambda listing: {"startsAt": slot_of(listing).isoformat()},
    ),
    "parking": (
        "PARKING_SPOT", "bookParkingSpot", "BookParkingSpotInput", "parkingSpotId", lambda: make_parking_spot(),
        lambda listing: {"startsAt": slot_of(listing).isoformat(), "minutes": 60},
    ),
}  # fmt: skip

TYPE_NAMES = {"PROPERTY": "Property", "SERVICE": "Service", "EVENT": "Event", "PARKING_SPOT": "ParkingSpot"}


def global_id(listing: Listing) -> str:
    from schema.core.ids import to_global_id

    return to_global_id(TYPE_NAMES[listing.kind], listing.pk)


def booking_call(client: Client, field: str, input_type: str, values: dict[str, Any]) -> Callable[[], str]:
    """A call that answers "BOOKED" or the code of the one error; anything else fails the test."""
    query = (
        f"mutation Book($i: {input_type}!) {{ r: {field}(input: $i) {{ booking {{ id }} errors {{ code field }} }} }}"
    )

    def call() -> str:
        result = client.data(query, {"i": values})["r"]
        if result["booking"]:
            assert result["errors"] == []
            return "BOOKED"
        assert len(result["errors"]) == 1
        return str(result["errors"][0]["code"])

    return call


@pytest.mark.parametrize("kind", KINDS)
def test_one_slot_has_one_winner_over_http(site: Site, kind: str) -> None:
    _, field, input_type, id_field, make, values = KINDS[kind]
    listing = make()
    calls = [
        booking_call(
            site.client(),
            field,
            input_type,
            {id_field: global_id(listing), **values(listing), "contact": contact(number)},
        )
        for number in range(CLIENTS)
    ]
    assert Counter(at_once(calls)) == {"BOOKED": 1, "UNAVAILABLE": CLIENTS - 1}
    assert Booking.objects.count() == 1
    assert Allocation.objects.filter(is_active=True).count() == 1


def test_an_event_of_eight_tickets_sells_eight_over_http(site: Site) -> None:
    listing = make_event(tickets=8)
    values = {"eventId": global_id(listing), "tickets": 1}
    calls = [
        booking_call(site.client(), "bookEvent", "BookEventInput", {**values, "contact": contact(number)})
        for number in range(CLIENTS)
    ]
    assert Counter(at_once(calls)) == {"BOOKED": 8, "UNAVAILABLE": CLIENTS - 8}
    assert Stock.objects.get(pk=listing.pk).taken == 8


def test_five_units_sell_five_over_http(site: Site) -> None:
    listing = make_property(units=5)
    _, field, input_type, id_field, _, values = KINDS["property"]
    calls = [
        booking_call(
            site.client(),
            field,
            input_type,
            {id_field: global_id(listing), **values(listing), "contact": contact(number)},
        )
        for number in range(CLIENTS)
    ]
    assert Counter(at_once(calls)) == {"BOOKED": 5, "UNAVAILABLE": CLIENTS - 5}
    assert sorted(Allocation.objects.values_list("unit__number", flat=True)) == [1, 2, 3, 4, 5]


def test_the_same_key_at_once_is_one_booking(site: Site) -> None:
    listing = make_event(tickets=100)
    values = {"eventId": global_id(listing), "tickets": 2, "contact": contact(1), "idempotencyKey": "the-same-key"}
    query = "mutation B($i: BookEventInput!) { r: bookEvent(input: $i) { booking { id } accessToken errors { code } } }"

    def call() -> tuple[str, str]:
        result = site.client().data(query, {"i": values})["r"]
        return result["booking"]["id"], result["accessToken"]

    assert len(set(at_once([call] * 32))) == 1
    assert Booking.objects.count() == 1
    assert Stock.objects.get(pk=listing.pk).taken == 2


# ------------------------------------------------------------------------------------ straight on the ledger


def holding(listing: Listing, request: BookingRequest, *, key: str | None = None) -> Callable[[], str]:
    def call() -> str:
        try:
            hold(
                kind_code=listing.kind, listing_id=listing.pk, listing_field="listing_id", request=request, guest=None,
                contact=Contact(email=f"{uuid.uuid4().hex}@example.com"), idempotency_key=key, now=now(),
            )  # fmt: skip
        except DomainError as error:
            return error.code.value
        return "BOOKED"

    return call


def two_nights(listing: Listing) -> BookingRequest:
    return BookingRequest(check_in=a_day(listing), check_out=a_day(listing) + timedelta(days=2), guests=1)


@contextmanager
def without(drop: str, restore: str) -> Iterator[None]:
    """The schema without one guard; back in place afterwards, once the rows that broke it are gone."""
    with connection.cursor() as cursor:
        cursor.execute(drop)
    try:
        yield
    finally:
        Booking.objects.all().delete()
        Allocation.objects.all().delete()
        Stock.objects.update(taken=0)
        with connection.cursor() as cursor:
            cursor.execute(restore)


def definition(table: str, constraint: str) -> tuple[str, str]:
    """The statements that drop a constraint and make it again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [constraint])
        (text,) = cursor.fetchone()
    return (
        f"ALTER TABLE {table} DROP CONSTRAINT {constraint}",
        f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {text}",
    )


def test_one_slot_has_one_winner_in_the_ledger() -> None:
    listing = make_property()
    outcomes = at_once([holding(listing, two_nights(listing))] * 32)
    assert Counter(outcomes) == {"BOOKED": 1, "UNAVAILABLE": 31}


@pytest.fixture
def claim_texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Texts of `apps.availability.claims` that are put in here are what holds are carried out with."""
    hold_of.cache_clear()
    yield monkeypatch
    hold_of.cache_clear()


def test_twin_without_the_exclusion_constraint_a_slot_is_sold_twice(claim_texts: pytest.MonkeyPatch) -> None:
    listing = make_property()
    # Between the look for a free unit and taking it there is time for the others to look, on a busy machine too.
    slowly = claims.UNIT.replace("true, %(held_until)s", "pg_sleep(1) IS NOT NULL, %(held_until)s")
    assert slowly != claims.UNIT
    claim_texts.setattr(claims, "UNIT", slowly)
    outcomes = at_once([holding(listing, two_nights(listing))] * 8)
    assert Counter(outcomes) == {"BOOKED": 1, "UNAVAILABLE": 7}
    Booking.objects.all().delete()
    Allocation.objects.all().delete()
    with without(*definition("availability_allocation", "allocation_never_overlaps")):
        outcomes = at_once([holding(listing, two_nights(listing))] * 32)
        assert Counter(outcomes)["BOOKED"] > 1


def test_tickets_are_never_oversold_in_the_ledger() -> None:
    listing = make_event(tickets=8)
    outcomes = at_once([holding(listing, BookingRequest(tickets=1))] * 32)
    assert Counter(outcomes) == {"BOOKED": 8, "UNAVAILABLE": 24}


# How many are left is read first, and written from what was read.
READ_THEN_WRITE = """
    seen AS MATERIALIZED (
        SELECT taken, pg_sleep(0.05) FROM availability_stock
        WHERE listing_id = %(listing)s AND taken <= capacity - %(quantity)s
    ),
    stock AS (
        UPDATE availability_stock SET taken = seen.taken + %(quantity)s FROM seen WHERE listing_id = %(listing)s
        RETURNING listing_id
    ),
"""


def test_twin_counting_in_the_application_oversells(claim_texts: pytest.MonkeyPatch) -> None:
    """The usual way: read how many are left, then write. With the check constraint gone nothing stops it."""
    insert = claims.STOCK[claims.STOCK.index("claimed AS (") :]
    claim_texts.setattr(claims, "STOCK", READ_THEN_WRITE + insert)
    listing = make_event(tickets=8)
    with without(*definition("availability_stock", "stock_never_oversold")):
        outcomes = at_once([holding(listing, BookingRequest(tickets=1))] * 32)
        assert Counter(outcomes)["BOOKED"] > 8


def test_the_check_constraint_refuses_what_application_code_would_oversell() -> None:
    listing = make_event(tickets=1)
    stock = Stock.objects.get(pk=listing.pk)
    from django.db import IntegrityError

    with pytest.raises(IntegrityError):
        Stock.objects.filter(pk=stock.pk).update(taken=2)


def test_twin_without_the_unique_key_a_retry_books_twice() -> None:
    listing = make_event(tickets=100)
    email = "same@example.com"

    def call() -> str:
        return str(
            hold(
                kind_code="EVENT", listing_id=listing.pk, listing_field="event_id", request=BookingRequest(tickets=1),
                guest=None, contact=Contact(email=email), idempotency_key="the-same-key", now=now(),
            ).pk
        )  # fmt: skip

    assert len(set(at_once([call] * 16))) == 1
    IdempotencyKey.objects.all().delete()
    # Without the constraint that makes parallel calls wait for the first, each of them is the first.
    drop, restore = definition("core_idempotencykey", "idempotency_key_once_per_caller")
    with connection.cursor() as cursor:
        cursor.execute(drop)
    try:

        def unguarded() -> str:
            try:
                return call()
            except IdempotencyKey.MultipleObjectsReturned:
                return "torn"

        assert len(set(at_once([unguarded] * 16))) > 1
    finally:
        IdempotencyKey.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute(restore)
