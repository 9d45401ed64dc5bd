"""What a listing shows, to whom, and at what cost."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.hosting.blocks import block_period
from apps.listings.kinds import all_kinds
from apps.listings.models import Image, Listing
from apps.listings.offers import BookingRequest
from apps.reviews.models import Review
from schema.kinds import kind_types
from schema.listings.types import kind_types as types_by_code
from tests.hosting.inputs import NOW
from tests.recipes import (
    MAKE,
    make_event,
    make_guest,
    make_host,
    make_parking_spot,
    make_property,
    make_service,
    make_staff,
)
from tests.schema.listings.api import ask, global_id, top_code

pytestmark = pytest.mark.django_db


def show(listing: Listing, fields: str, viewer: Any = None) -> Any:
    body = ask(f"query($id: ID!) {{ listing(id: $id) {{ {fields} }} }}", {"id": global_id(listing)}, viewer=viewer)
    assert "errors" not in body, body
    return body["data"]["listing"]


def book_stay(listing: Listing, guest: Any, status: str) -> Booking:
    request = BookingRequest(check_in=date(2026, 12, 1), check_out=date(2026, 12, 3), guests=1)
    booking = hold(
        kind_code="PROPERTY",
        listing_id=listing.pk,
        listing_field="property_id",
        request=request,
        guest=guest,
        now=NOW,
    )
    expires_at = booking.expires_at if status == "PENDING" else None
    Booking.objects.filter(pk=booking.pk).update(status=status, expires_at=expires_at)
    return booking


def test_every_kind_has_both_its_sides() -> None:
    assert sorted(types_by_code) == [kind.code for kind in all_kinds()] == sorted(MAKE)
    assert {each._meta.name for each in kind_types()} == {"Property", "Service", "Event", "ParkingSpot"}


@pytest.mark.parametrize("status", ["PENDING", "CONFIRMED", "CHECKED_IN", "COMPLETED", "CANCELED"])
def test_a_confirmed_booking_opens_the_address_of_a_home(status: str) -> None:
    home, guest = make_property(address="Secret street 1"), make_guest()
    book_stay(home, guest, status)
    opens = status in {"CONFIRMED", "CHECKED_IN", "COMPLETED"}
    assert show(home, "location { address }", guest)["location"]["address"] == ("Secret street 1" if opens else "")


def test_the_address_of_a_home_is_for_few_and_of_the_others_for_all() -> None:
    home = make_property(address="Secret street 1")
    seen = [show(home, "location { address city }", viewer)["location"] for viewer in (None, make_guest(), make_host())]
    assert seen == [{"address": "", "city": "Berlin"}] * 3
    for viewer in (home.host, make_staff()):
        assert show(home, "location { address }", viewer)["location"]["address"] == "Secret street 1"
    for make in (make_service, make_event, make_parking_spot):
        assert show(make(address="Open 1"), "location { address }")["location"]["address"] == "Open 1"


WINDOW = '(from: "2026-12-01T00:00:00Z", to: "2026-12-03T00:00:00Z")'


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 12, day, hour, tzinfo=UTC)


def test_blocks_are_shown_to_host_and_staff_and_taken_from_everybody() -> None:
    spot = make_parking_spot()
    block_period(viewer=spot.host, listing_id=spot.pk, start=at(1, 12), end=at(2), reason="paint", now=NOW)
    fields = f"availability{WINDOW} {{ start end }} blocks{WINDOW} {{ period {{ start end }} reason source }} calendars {{ id }}"
    mine, others = show(spot, fields, spot.host), show(spot, fields, make_host())
    free = [
        {"start": "2026-12-01T00:00:00Z", "end": "2026-12-01T12:00:00Z"},
        {"start": "2026-12-02T00:00:00Z", "end": "2026-12-03T00:00:00Z"},
    ]
    assert mine["availability"] == others["availability"] == free
    period = {"start": "2026-12-01T12:00:00Z", "end": "2026-12-02T00:00:00Z"}
    assert mine["blocks"] == [{"period": period, "reason": "paint", "source": "HOST"}]
    assert (others["blocks"], others["calendars"], mine["calendars"]) == ([], [], [])


@pytest.mark.parametrize("field", ["availability", "blocks"])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-12-02T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("2026-12-01T00:00:00Z", "2029-12-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"),
    ],
)
def test_a_senseless_window_is_bad_input(field: str, start: str, end: str) -> None:
    spot = make_parking_spot()
    query = f'query($id: ID!) {{ listing(id: $id) {{ {field}(from: "{start}", to: "{end}") {{ __typename }} }} }}'
    assert top_code(ask(query, {"id": global_id(spot)}, viewer=spot.host)) == "BAD_USER_INPUT"


def test_windows_at_the_ends_of_time_are_answered() -> None:
    for make in MAKE.values():
        listing = make()
        fields = "availability(from: {start}, to: {end}) {{ start }}"
        long_ago = fields.format(start='"0001-01-01T00:00:00Z"', end='"0001-01-02T00:00:00Z"')
        # Whether what is past counts as free is nobody's business.
        assert len(show(listing, long_ago)["availability"]) <= 1
        far_away = fields.format(start='"9999-12-30T00:00:00Z"', end='"9999-12-31T00:00:00Z"')
        assert show(listing, far_away) == {"availability": []}


def test_a_quote_prices_or_says_why_not() -> None:
    home = make_property(property__cleaning_fee_minor=2_500)
    fields = "lines { label quantity unitAmount { amountMinor } amount { amountMinor } } total { amount } available"
    quote = f'quote(checkIn: "2026-12-01", checkOut: "2026-12-04") {{ {fields} errors {{ code field }} }}'
    shown = show(home, quote)["quote"]
    assert [(line["quantity"], line["amount"]["amountMinor"]) for line in shown["lines"]] == [
        ("3", 30_000),
        ("1", 2_500),
    ]
    assert (shown["total"], shown["available"], shown["errors"]) == ({"amount": "325.00"}, True, [])
    wrong = show(home, f"quote(tickets: 2) {{ {fields} errors {{ code field }} }}")["quote"]
    assert (wrong["lines"], wrong["total"], wrong["available"]) == ([], None, False)
    assert {"code": "INVALID", "field": ["tickets"]} in wrong["errors"]


def test_slots_tickets_and_spots_are_those_that_are_free() -> None:
    service = make_service(time_zone="UTC")
    window = '(from: "2026-12-01T00:00:00Z", to: "2026-12-02T00:00:00Z")'
    before = show(service, f"... on Service {{ slots{window} {{ start end }} }}")["slots"]
    assert [slot["start"][11:13] for slot in before] == ["09", "10", "11", "12", "13", "14", "15", "16"]
    guest = make_guest()
    hold(
        kind_code="SERVICE",
        listing_id=service.pk,
        listing_field="service_id",
        request=BookingRequest(starts_at=at(1, 10)),
        guest=guest,
        now=NOW,
    )
    after = show(service, f"... on Service {{ slots{window} {{ start end }} }}")["slots"]
    assert after == [slot for slot in before if slot["start"] != "2026-12-01T10:00:00Z"]
    event, spot = make_event(tickets=5), make_parking_spot()
    hold(
        kind_code="EVENT",
        listing_id=event.pk,
        listing_field="event_id",
        request=BookingRequest(tickets=2),
        guest=guest,
        now=NOW,
    )
    assert show(event, "... on Event { availableTickets totalTickets }") == {"availableTickets": 3, "totalTickets": 5}
    assert show(spot, "... on ParkingSpot { availableNow }") == {"availableNow": True}
    block_period(viewer=spot.host, listing_id=spot.pk, start=NOW, end=at(1), now=NOW)
    assert show(spot, "... on ParkingSpot { availableNow }") == {"availableNow": False}


def test_reviews_are_shown_newest_first_and_the_right_people_may_write_one() -> None:
    home, guest = make_property(), make_guest(first_name="Ada", last_name="Lovelace")
    book_stay(home, guest, "COMPLETED")
    assert [show(home, "viewerCanReview", viewer)["viewerCanReview"] for viewer in (guest, make_guest(), None)] == [
        True,
        False,
        False,
    ]
    for day, rating in ((1, None), (2, 4)):
        Review.objects.create(
            listing=home,
            author=guest if rating else make_guest(),
            rating=rating,
            comment=f"Day {day}",
            created_at=at(day),
            updated_at=at(day),
            external_id="" if rating else "7",
        )
    node = "rating comment reply author { displayName lastName } listing { id }"
    fields = f"reviews(first: 5) {{ totalCount edges {{ node {{ {node} }} }} }}"
    shown = show(home, fields)["reviews"]
    nodes = [edge["node"] for edge in shown["edges"]]
    assert [(node["rating"], node["comment"], node["reply"]) for node in nodes] == [
        (4, "Day 2", None),
        (0, "Day 1", None),
    ]
    assert nodes[0]["author"] == {"displayName": "Ada L.", "lastName": ""}
    assert nodes[0]["listing"] == {"id": global_id(home)}
    assert shown["totalCount"] == 2
    assert show(home, "viewerCanReview", guest) == {"viewerCanReview": False}


EVERYTHING = f"""
    __typename id kind status title description host {{ id displayName }} price {{ amount }} priceUnit cancellationPolicy
    location {{ address city }} distance images {{ id url }} ratingAverage ratingCount viewerCanReview createdAt updatedAt
    availability{WINDOW} {{ start end }} blocks{WINDOW} {{ source }} calendars {{ id }}
    reviews(first: 2) {{ totalCount edges {{ node {{ comment author {{ displayName lastName }} listing {{ title }} }} }} }}
    ... on Property {{ amenities units cleaningFee {{ amount }} }}
    ... on Service {{ openingHours {{ weekday }} slots{WINDOW} {{ start }} }}
    ... on Event {{ availableTickets }}
    ... on ParkingSpot {{ availableNow }}
"""


def make_some(make: Callable[..., Listing], number: int) -> None:
    for _ in range(number):
        listing = make()
        for place in range(2):
            Image.objects.create(listing=listing, position=place, file="listings/none.png")
        Review.objects.create(
            listing=listing, author=make_guest(), rating=5, comment="Good", created_at=NOW, updated_at=NOW
        )


@pytest.mark.parametrize("role", ["guest", "staff"])
def test_the_number_of_queries_does_not_grow_with_the_listings(role: str) -> None:
    viewer = make_guest() if role == "guest" else make_staff()
    query = f"{{ listings(first: 100) {{ edges {{ node {{ {EVERYTHING} }} }} }} }}"

    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            body = ask(query, viewer=viewer, now=NOW + timedelta(seconds=1))
        assert "errors" not in body, body["errors"][:1]
        return len(body["data"]["listings"]["edges"]), len(queries)

    for make in MAKE.values():
        make_some(make, 1)
    few = cost()
    for make in MAKE.values():
        make_some(make, 4)
    many = cost()
    assert (few[0], many[0]) == (4, 20)
    assert many[1] == few[1]
