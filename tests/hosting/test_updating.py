"""Updating: what is left out stays, null clears what can be empty, and what is booked stands."""

from datetime import date, time, timedelta
from typing import Any

import pytest

from apps.availability.models import Allocation, Block, Stock, Unit
from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.bookings.rescheduling import was_moved_far
from apps.core.money import Money
from apps.hosting.actions import archive_listing, delete_listing, publish_listing, update_listing
from apps.hosting.blocks import block_period
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from tests.hosting.inputs import NOW, place, refusals
from tests.recipes import make_event, make_guest, make_host, make_parking_spot, make_property, make_staff

pytestmark = pytest.mark.django_db


def update(listing: Listing, viewer: Any = None, **fields: Any) -> Listing:
    return update_listing(
        viewer=viewer or listing.host, kind_code=listing.kind, listing_id=listing.pk, fields=fields, now=NOW
    )


def refused(listing: Listing, viewer: Any = None, **fields: Any) -> set[tuple[str, str]]:
    return refusals(update, listing=listing, viewer=viewer, **fields)


def book_event(listing: Listing, tickets: int = 2) -> Booking:
    return hold(
        kind_code="EVENT",
        listing_id=listing.pk,
        listing_field="event_id",
        request=BookingRequest(tickets=tickets),
        guest=make_guest(),
        now=NOW,
    )


def book_stay(listing: Listing, check_in: date, nights: int = 2) -> Booking:
    request = BookingRequest(check_in=check_in, check_out=check_in + timedelta(days=nights), guests=1)
    return hold(
        kind_code="PROPERTY",
        listing_id=listing.pk,
        listing_field="property_id",
        request=request,
        guest=make_guest(),
        now=NOW,
    )


def test_what_is_left_out_stays() -> None:
    before = make_property(units=2, property__min_nights=3)
    after = update(before, title="Another title")
    assert after.title == "Another title"
    assert (after.description, after.price, after.address) == (before.description, before.price, before.address)
    assert (after.property.min_nights, after.property.units, after.property.max_guests) == (3, 2, 4)
    assert after.updated_at > before.updated_at


@pytest.mark.parametrize("name", ["title", "description", "price", "location", "cancellation_policy", "max_guests"])
def test_null_is_required_where_nothing_can_be_empty(name: str) -> None:
    assert refused(make_property(), **{name: None}) == {("REQUIRED", name)}


def test_null_clears_the_fee_and_the_coordinates() -> None:
    listing = make_property(property__cleaning_fee_minor=500)
    after = update(listing, cleaning_fee=None, location={"time_zone": "UTC", "latitude": None, "longitude": None})
    assert (after.property.cleaning_fee_minor, after.latitude, after.longitude, after.city) == (
        None,
        None,
        None,
        "Berlin",
    )
    assert refused(make_property(), location=place(latitude=None, longitude=...)) == {("INVALID", "location.latitude")}
    needed = {("REQUIRED", "location.latitude"), ("REQUIRED", "location.longitude")}
    assert refused(make_parking_spot(), location=place(latitude=None, longitude=None)) == needed


def test_a_fee_does_not_change_its_currency_silently() -> None:
    listing = make_property(property__cleaning_fee_minor=500)
    assert refused(listing, price=Money(1_000, "JPY")) == {("INVALID", "cleaning_fee.currency")}
    after = update(listing, price=Money(1_000, "JPY"), cleaning_fee=Money(300, "JPY"))
    assert (after.price, after.property.cleaning_fee_minor) == (Money(1_000, "JPY"), 300)


def test_a_taken_title_is_refused_and_its_own_is_not() -> None:
    host = make_host()
    make_property(host=host, title="Taken")
    listing = make_property(host=host, title="Mine")
    assert refused(listing, title="taken", description="new") == {("DUPLICATE", "title")}
    assert Listing.objects.get(pk=listing.pk).description == "As described."
    assert update(listing, title="MINE").title == "MINE"


def test_who_may_update() -> None:
    listing = make_property(status="PUBLISHED")
    hidden = make_property(host=listing.host, status="DRAFT")
    other = make_host()
    assert refused(listing, viewer=other, title="x") == {("NOT_ALLOWED", "id")}
    assert refused(hidden, viewer=other, title="x") == {("NOT_FOUND", "id")}
    assert update(hidden, viewer=make_staff(), title="By staff").title == "By staff"
    wrong_kind = {"viewer": listing.host, "kind_code": "EVENT", "listing_id": listing.pk, "fields": {}, "now": NOW}
    assert refusals(update_listing, **wrong_kind) == {("NOT_FOUND", "id")}


def test_fewer_units_and_other_times_leave_bookings_alone() -> None:
    listing = make_property(units=2, property__check_in_time=time(15))
    stays = [book_stay(listing, date(2026, 12, 1)), book_stay(listing, date(2026, 12, 1))]
    places = {stay.allocation_id: (stay.span, stay.allocation.occupied) for stay in stays}
    update(listing, units=1, check_in_time=time(18), check_out_time=time(8), min_nights=5, price=Money(1, "EUR"))
    for stay in Booking.objects.filter(listing=listing).select_related("allocation"):
        assert stay.allocation.is_active
        assert places[stay.allocation_id] == (stay.span, stay.allocation.occupied)
    assert list(Unit.objects.filter(listing=listing, is_offered=True).values_list("number", flat=True)) == [1]


def test_a_unit_that_was_booked_does_not_come_back_into_a_block() -> None:
    listing = make_property(units=2)
    for _ in range(2):
        book_stay(listing, date(2026, 12, 1))
    update(listing, units=1)
    first = Booking.objects.get(listing=listing, allocation__unit__number=1)
    Allocation.objects.filter(pk=first.allocation_id).update(is_active=False)
    block_period(viewer=listing.host, listing_id=listing.pk, start=first.span.start, end=first.span.end, now=NOW)
    assert refused(listing, units=2) == {("UNAVAILABLE", "units")}
    assert Listing.objects.get(pk=listing.pk).property.units == 1
    assert Block.objects.filter(listing=listing).count() == 1


def test_an_event_keeps_the_tickets_that_are_sold() -> None:
    event = make_event(tickets=10)
    book_event(event, tickets=4)
    assert refused(event, total_tickets=3, venue="Elsewhere") == {("OUTSIDE_RULES", "total_tickets")}
    assert Listing.objects.get(pk=event.pk).event.venue == "Town hall"
    after = update(event, total_tickets=4)
    assert (after.event.total_tickets, Stock.objects.get(pk=event.pk).capacity) == (4, 4)


def test_a_hold_that_ran_out_keeps_no_ticket() -> None:
    event = make_event(tickets=10)
    booking = book_event(event, tickets=4)
    Allocation.objects.filter(pk=booking.allocation_id).update(held_until=NOW - timedelta(seconds=1))
    update(event, total_tickets=1)
    assert Stock.objects.get(pk=event.pk).taken == 0
    assert Booking.objects.get(pk=booking.pk).status == "EXPIRED"


def test_a_moved_event_takes_its_live_bookings_along() -> None:
    event = make_event(tickets=10, starts_at=NOW + timedelta(days=10))
    booking, canceled = book_event(event), book_event(event)
    old = booking.span
    Booking.objects.filter(pk=canceled.pk).update(status="CANCELED", expires_at=None)
    starts_at, ends_at = old.start + timedelta(hours=30), old.end + timedelta(hours=31)
    update(event, starts_at=starts_at, ends_at=ends_at)
    moved = Booking.objects.select_related("allocation").get(pk=booking.pk)
    assert (moved.span.start, moved.span.end) == (starts_at, ends_at)
    assert moved.allocation.occupied == moved.span
    assert Booking.objects.get(pk=canceled.pk).span == old
    story = moved.history.get(type="CHANGED")
    assert (story.actor, story.at) == ("HOST", NOW)
    assert story.data["previousStartsAt"] == old.start.isoformat()
    assert story.data["startsAt"] == starts_at.isoformat()
    assert not canceled.history.filter(type="CHANGED").exists()


@pytest.mark.parametrize(
    ("moves", "is_far"), [([24], False), ([25], True), ([-25], True), ([20, 20], True), ([20, -20], False)]
)
def test_far_is_more_than_a_day_at_once_or_bit_by_bit(moves: list[int], is_far: bool) -> None:
    event = make_event(tickets=10, starts_at=NOW + timedelta(days=10))
    booking = book_event(event)
    start, end = booking.span.start, booking.span.end
    for hours in moves:
        start, end = start + timedelta(hours=hours), end + timedelta(hours=hours)
        update(event, starts_at=start, ends_at=end)
    assert was_moved_far(Booking.objects.get(pk=booking.pk)) is is_far


def test_a_new_title_moves_nobody() -> None:
    event = make_event(tickets=10)
    booking = book_event(event)
    update(event, title="A new title")
    assert not booking.history.filter(type="CHANGED").exists()


def test_publish_and_archive_repeat_without_error() -> None:
    listing = make_property(status="DRAFT")
    act: dict[str, Any] = {"viewer": listing.host, "listing_id": listing.pk, "now": NOW}
    statuses = [
        action(**act).status
        for action in (publish_listing, publish_listing, archive_listing, archive_listing, publish_listing)
    ]
    assert statuses == ["PUBLISHED", "PUBLISHED", "ARCHIVED", "ARCHIVED", "PUBLISHED"]


def test_an_archived_title_that_was_given_away_is_not_published_again() -> None:
    host = make_host()
    archived = make_property(host=host, title="Lake", status="ARCHIVED")
    make_property(host=host, title="lake")
    assert refusals(publish_listing, viewer=host, listing_id=archived.pk, now=NOW) == {("DUPLICATE", "title")}


def test_publishing_needs_a_verified_email_where_it_is_required(settings: Any) -> None:
    listing = make_property(status="DRAFT", host=make_host(email_verified_at=None))
    act: dict[str, Any] = {"viewer": listing.host, "listing_id": listing.pk, "now": NOW}
    settings.REQUIRE_VERIFIED_EMAIL = True
    assert refusals(publish_listing, **act) == {("NOT_ALLOWED", "")}
    assert Listing.objects.get(pk=listing.pk).status == "DRAFT"
    settings.REQUIRE_VERIFIED_EMAIL = False
    assert publish_listing(**act).status == "PUBLISHED"


def test_a_listing_with_live_bookings_is_archived_but_not_deleted() -> None:
    listing = make_property()
    booking = book_stay(listing, date(2026, 12, 1))
    act: dict[str, Any] = {"viewer": listing.host, "listing_id": listing.pk, "now": NOW}
    assert refusals(delete_listing, **act) == {("WRONG_STATE", "id")}
    assert archive_listing(**act).status == "ARCHIVED"
    assert Booking.objects.get(pk=booking.pk).status == "PENDING"
    assert refusals(publish_listing, viewer=booking.guest, listing_id=listing.pk, now=NOW) == {("NOT_ALLOWED", "id")}
    Allocation.objects.filter(pk=booking.allocation_id).update(held_until=NOW)
    delete_listing(**act)
    assert Booking.objects.get(pk=booking.pk).status == "EXPIRED"
    for action in (delete_listing, publish_listing, archive_listing):
        assert refusals(action, **act) == {("NOT_FOUND", "id")}
