"""Blocks: all units, never over a booking, cut where they are unblocked."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from apps.availability.actions import block as block_for
from apps.availability.calendars import free_periods_of
from apps.availability.models import BLOCK_HOLDER, Allocation, Block
from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.core.errors import DomainError, Unavailable
from apps.core.periods import Period
from apps.hosting.blocks import block_period, unblock_period
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from tests.hosting.inputs import NOW, refusals
from tests.recipes import make_event, make_guest, make_host, make_parking_spot, make_property, make_staff
from tests.serving import at_once


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 12, day, hour, tzinfo=UTC)


def block(listing: Listing, start: datetime, end: datetime, viewer: Any = None, reason: str | None = None) -> Listing:
    return block_period(
        viewer=viewer or listing.host, listing_id=listing.pk, start=start, end=end, reason=reason, now=NOW
    )


def unblock(listing: Listing, start: datetime, end: datetime) -> Listing:
    return unblock_period(viewer=listing.host, listing_id=listing.pk, start=start, end=end, now=NOW)


def park(listing: Listing, start: datetime, minutes: int = 60, now: datetime = NOW) -> Booking:
    return hold(
        kind_code="PARKING_SPOT",
        listing_id=listing.pk,
        listing_field="parking_spot_id",
        request=BookingRequest(starts_at=start, minutes=minutes),
        guest=make_guest(),
        now=now,
    )


def blocked(listing: Listing) -> list[tuple[datetime, datetime]]:
    rows = Block.objects.filter(listing=listing).order_by("period").values_list("period", flat=True)
    return [(period.lower, period.upper) for period in rows]


def free(listing: Listing, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    found = free_periods_of([listing], Period(start, end), now=NOW)[listing.pk]
    return [(period.start, period.end) for period in found]


@pytest.mark.django_db
def test_a_block_takes_every_unit_and_unblocking_cuts_it() -> None:
    listing = make_property(units=3)
    block(listing, at(1), at(5), reason=" paint ")
    assert Allocation.objects.filter(listing=listing, holder=BLOCK_HOLDER, is_active=True).count() == 3
    assert Block.objects.get(listing=listing).reason == "paint"
    assert free(listing, at(1), at(6)) == [(at(5), at(6))]
    unblock(listing, at(2), at(3))
    assert blocked(listing) == [(at(1), at(2)), (at(3), at(5))]
    assert free(listing, at(1), at(6)) == [(at(2), at(3)), (at(5), at(6))]
    unblock(listing, at(1), at(9))
    assert (blocked(listing), free(listing, at(1), at(6))) == ([], [(at(1), at(6))])
    assert not Allocation.objects.filter(listing=listing, is_active=True).exists()


@pytest.mark.django_db
def test_blocks_may_touch_and_overlap() -> None:
    listing = make_parking_spot()
    block(listing, at(1), at(3))
    block(listing, at(2), at(4))
    block(listing, at(4), at(5))
    assert blocked(listing) == [(at(1), at(3)), (at(2), at(4)), (at(4), at(5))]
    unblock(listing, at(2, 12), at(2, 13))
    assert free(listing, at(1), at(5)) == [(at(2, 12), at(2, 13))]


@pytest.mark.django_db
def test_unblocking_nothing_is_no_error_and_leaves_other_sources() -> None:
    listing = make_parking_spot()
    unblock(listing, at(1), at(2))
    block_for(listing.pk, Period(at(1), at(3)), reason="", source="Other calendar", now=NOW)
    unblock(listing, at(1), at(3))
    assert blocked(listing) == [(at(1), at(3))]


@pytest.mark.django_db
def test_a_booking_is_never_blocked_and_back_to_back_is_no_conflict() -> None:
    listing = make_property(units=2)
    request = BookingRequest(check_in=date(2026, 12, 2), check_out=date(2026, 12, 4), guests=1)
    stay = hold(
        kind_code="PROPERTY",
        listing_id=listing.pk,
        listing_field="property_id",
        request=request,
        guest=make_guest(),
        now=NOW,
    )
    around = {"listing": listing, "start": at(1), "end": at(9)}
    assert refusals(block, **around) == {("UNAVAILABLE", "start")}
    assert blocked(listing) == []
    assert Allocation.objects.filter(listing=listing, is_active=True).count() == 1
    block(listing, at(1), stay.span.start)
    block(listing, stay.span.end, at(9))
    assert len(blocked(listing)) == 2


@pytest.mark.django_db
def test_a_hold_that_ran_out_is_not_in_the_way() -> None:
    listing = make_parking_spot()
    booking = park(listing, at(2), now=NOW - timedelta(hours=2))
    block(listing, at(1), at(3))
    assert Booking.objects.get(pk=booking.pk).status == "EXPIRED"
    with pytest.raises(Unavailable):
        park(listing, at(2))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (at(2), at(2), {("INVALID", "end")}),
        (at(2), at(1), {("INVALID", "end")}),
        (NOW - timedelta(days=2), NOW, {("OUTSIDE_RULES", "end")}),
        (at(2), datetime(9999, 12, 31, tzinfo=UTC), {("OUTSIDE_RULES", "end")}),
        (datetime(1, 1, 1, tzinfo=UTC), at(2), {("OUTSIDE_RULES", "start")}),
    ],
)
def test_a_senseless_period_is_refused(start: datetime, end: datetime, expected: set[Any]) -> None:
    listing = make_parking_spot()
    assert refusals(block, listing=listing, start=start, end=end) == expected
    assert blocked(listing) == []


@pytest.mark.django_db
def test_reasons_are_bounded_texts() -> None:
    listing = make_parking_spot()
    for reason in ("x" * 1001, "a\x00"):
        arguments = {"listing": listing, "start": at(1), "end": at(1), "reason": reason}
        assert refusals(block, **arguments) == {("INVALID", "reason"), ("INVALID", "end")}


@pytest.mark.django_db
def test_who_may_block_what() -> None:
    listing, draft, event = make_parking_spot(), make_parking_spot(status="DRAFT"), make_event()
    other = make_host()
    window = {"start": at(1), "end": at(2)}
    assert refusals(block, listing=listing, viewer=other, **window) == {("NOT_ALLOWED", "listing_id")}
    assert refusals(block, listing=draft, viewer=other, **window) == {("NOT_FOUND", "listing_id")}
    assert refusals(block, listing=event, **window) == {("NOT_ALLOWED", "listing_id")}
    block(draft, at(1), at(2), viewer=make_staff())
    assert (blocked(draft), blocked(listing), blocked(event)) == ([(at(1), at(2))], [], [])


@pytest.mark.django_db(transaction=True)
def test_blocks_race_with_bookings_and_nothing_overlaps() -> None:
    for _ in range(4):
        spot = make_parking_spot()
        guests = [make_guest() for _ in range(24)]

        def book(number: int, spot: Listing = spot, guests: list[Any] = guests) -> str:
            try:
                hold(
                    kind_code="PARKING_SPOT",
                    listing_id=spot.pk,
                    listing_field="parking_spot_id",
                    request=BookingRequest(starts_at=at(2, number % 3), minutes=60),
                    guest=guests[number],
                    now=NOW,
                )
            except DomainError as error:
                return error.code
            return "BOOKED"

        def close(number: int, spot: Listing = spot) -> str:
            try:
                if number % 2:
                    unblock(spot, at(2), at(2, 2))
                else:
                    block(spot, at(2), at(2, 2))
            except DomainError as error:
                return error.code
            return "DONE"

        outcomes = at_once([lambda n=n: book(n) for n in range(24)] + [lambda n=n: close(n) for n in range(8)])
        assert set(outcomes) <= {"BOOKED", "UNAVAILABLE", "DONE"}
        # The third hour was never blocked: somebody has it.
        assert outcomes[:24].count("BOOKED") >= 1
        taken = sorted(
            (period.lower, period.upper)
            for period in Allocation.objects.filter(listing=spot, is_active=True).values_list("period", flat=True)
        )
        assert all(former[1] <= latter[0] for former, latter in pairwise(taken))
        assert Booking.objects.filter(listing=spot).count() == outcomes[:24].count("BOOKED")
