"""What comes back on a cancel, who may call a booking off, and when it is too late."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.bookings.terms import refundable, share
from apps.hosting.actions import update_listing
from apps.listings.offers import BookingRequest
from tests.bookings.life import (
    MINUTE,
    NIGHT,
    again,
    charges,
    gave_back,
    held,
    ledger,
    nights,
    paid,
    parked,
    stay,
    story,
    work,
)
from tests.hosting.inputs import NOW, refusals
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
ALL, HALF, NOTHING = Fraction(1), Fraction(1, 2), Fraction(0)


def cancel(booking: Booking, **given: Any) -> Booking:
    arguments = {"viewer": booking.guest, "now": NOW, **given}
    actions.cancel(booking_id=booking.pk, **arguments)
    work()
    return again(booking)


def refused(booking: Booking, **given: Any) -> set[tuple[str, str]]:
    arguments = {"viewer": booking.guest, "now": NOW, **given}
    return refusals(actions.cancel, booking_id=booking.pk, **arguments)


@pytest.mark.parametrize(
    ("policy", "left", "expected"),
    [
        ("FLEXIBLE", 24 * HOUR, ALL),
        ("FLEXIBLE", 24 * HOUR - TICK, NOTHING),
        ("MODERATE", 5 * NIGHT, ALL),
        ("MODERATE", 5 * NIGHT - TICK, HALF),
        ("MODERATE", TICK, HALF),
        ("MODERATE", 0 * TICK, NOTHING),
        ("STRICT", 7 * NIGHT, HALF),
        ("STRICT", 7 * NIGHT - TICK, NOTHING),
        ("NON_REFUNDABLE", 700 * NIGHT, NOTHING),
        ("FLEXIBLE", -NIGHT, NOTHING),
        ("MODERATE", -NIGHT, NOTHING),
        ("STRICT", -NIGHT, NOTHING),
    ],
)
def test_the_share_by_policy_and_time(policy: str, left: timedelta, expected: Fraction) -> None:
    assert share(policy=policy, start=NOW + left, now=NOW) == expected


@pytest.mark.parametrize(
    ("policy", "back"), [("FLEXIBLE", 2002), ("MODERATE", 2002), ("STRICT", 1001), ("NON_REFUNDABLE", 0)]
)
def test_the_guest_gets_the_share_that_was_shown_fees_included(policy: str, back: int) -> None:
    home = make_property(price_minor=1001, cancellation_policy=policy)
    booking = stay(home, 2)
    # What the host changes later does not touch what was booked.
    home.cancellation_policy = "NON_REFUNDABLE"
    home.save()
    assert refundable(again(booking), now=NOW).minor == back
    canceled = cancel(booking)
    assert (canceled.status, canceled.canceled_at, canceled.allocation.is_active) == ("CANCELED", NOW, False)
    assert ledger(booking) == (2002, 2002, back)
    assert refundable(canceled, now=NOW).minor == 0


def test_half_of_what_is_still_there_is_rounded_up() -> None:
    booking = stay(make_property(price_minor=1001, cancellation_policy="STRICT"), 1)
    assert cancel(booking).bill.refunded_minor == 501
    booking = gave_back(stay(make_property(price_minor=1001, cancellation_policy="STRICT"), 1), 100)
    assert refundable(booking, now=NOW).minor == 451
    assert cancel(booking).bill.refunded_minor == 551


@pytest.mark.parametrize("who", ["host", "staff"])
def test_from_host_and_staff_everything_comes_back(who: str) -> None:
    home = make_property(cancellation_policy="NON_REFUNDABLE")
    booking = stay(home, 2, first=NIGHT)
    viewer = home.host if who == "host" else make_staff()
    begun = booking.span.start + HOUR
    cancel(booking, viewer=viewer, now=begun, reason="  A pipe burst.  ")
    assert ledger(booking) == (20_000, 20_000, 20_000)
    assert story(booking)[-2:] == [("CANCELED", who.upper()), ("REFUNDED", who.upper())]
    told = {"reason": "A pipe burst.", "refundMinor": 20_000, "currency": "EUR"}
    assert booking.history.get(type="CANCELED").data == told


def test_several_payments_go_back_newest_first() -> None:
    booking = stay(make_property(cancellation_policy="STRICT"), 2)
    assert booking.check_in is not None
    change = BookingRequest(check_out=booking.check_in + 3 * NIGHT)
    actions.change(viewer=booking.guest, booking_id=booking.pk, change=change, now=NOW)
    work()
    cancel(booking)
    assert charges(booking) == [("PARTIALLY_REFUNDED", 20_000), ("REFUNDED", 10_000)]
    assert ledger(booking) == (30_000, 30_000, 15_000)


def test_after_the_start_a_guest_may_go_and_gets_nothing() -> None:
    home = make_property()
    booking = stay(home, 3, first=NIGHT)
    assert cancel(booking, now=booking.span.start + NIGHT).status == "CANCELED"
    assert ledger(booking) == (30_000, 30_000, 0)


def test_a_hold_is_always_given_up_also_of_parking_that_has_begun() -> None:
    spot = make_parking_spot()
    booking = held(spot, starts_at=NOW, minutes=60)
    assert cancel(booking, now=NOW + 5 * MINUTE).status == "CANCELED"
    held(spot, starts_at=NOW, minutes=60)
    assert refundable(again(booking), now=NOW).minor == 0


@pytest.mark.parametrize("is_swept", [False, True])
def test_a_hold_that_ran_out_is_neither_canceled_nor_changed_whether_or_not_the_sweep_came_by(is_swept: bool) -> None:
    booking = held(make_event(), tickets=1)
    after_it: dict[str, Any] = {"viewer": booking.guest, "booking_id": booking.pk, "now": NOW + timedelta(minutes=15)}
    if is_swept:
        actions.expire_holds(now=after_it["now"])
    before = story(booking)
    assert refusals(actions.cancel, **after_it) == {("WRONG_STATE", "booking_id")}
    assert refusals(actions.change, **after_it, change=BookingRequest(tickets=2)) == {("WRONG_STATE", "booking_id")}
    assert (story(booking), again(booking).tickets) == (before, 1)


def test_parking_under_way_is_ended_and_not_canceled() -> None:
    spot = make_parking_spot()
    booking = parked(spot)
    for viewer in (booking.guest, spot.host, make_staff()):
        assert refused(booking, viewer=viewer, now=NOW) == {("WRONG_STATE", "booking_id")}
    assert charges(booking) == [("AUTHORIZED", 10_000)]


def test_what_is_over_is_not_canceled() -> None:
    home = make_property()
    expired = held(home, **nights(home, 1))
    actions.expire_holds(now=NOW + NIGHT)
    canceled = held(home, **nights(home, 1))
    cancel(canceled)
    completed = stay(make_property(), 1, first=NIGHT)
    actions.complete_ended(now=completed.span.end)
    absent = stay(make_property(), 1, first=NIGHT)
    actions.mark_no_show(viewer=absent.listing.host, booking_id=absent.pk, now=absent.span.start + HOUR)
    present = stay(make_property(), 1, first=NIGHT)
    actions.check_in(viewer=present.listing.host, booking_id=present.pk, has_id=True, now=present.span.start)
    for booking in (expired, canceled, completed, absent, present):
        before = story(booking), ledger(booking)
        assert refused(booking) == {("WRONG_STATE", "booking_id")}
        assert refused(booking, viewer=booking.listing.host) == {("WRONG_STATE", "booking_id")}
        assert (story(booking), ledger(booking)) == before


def test_strangers_cancel_nothing() -> None:
    booking = stay(make_property(), 1)
    for viewer in (make_guest(), make_property().host, None):
        assert refused(booking, viewer=viewer) == {("NOT_FOUND", "booking_id")}
    assert refused(booking, viewer=None, access_token="0" * 64) == {("NOT_FOUND", "booking_id")}
    assert again(booking).status == "CONFIRMED"


@pytest.mark.parametrize("reason", ["x" * 1001, "\x00", "a\x07b"])
def test_a_reason_that_cannot_be_kept_cancels_nothing(reason: str) -> None:
    booking = stay(make_property(), 1)
    assert refused(booking, reason=reason) == {("INVALID", "reason")}
    assert again(booking).status == "CONFIRMED"


@pytest.mark.parametrize(("hours", "back"), [(24, 0), (25, 10_000), (-25, 10_000)])
def test_an_event_that_moves_by_more_than_a_day_is_given_back_in_full(hours: int, back: int) -> None:
    event = make_event(cancellation_policy="NON_REFUNDABLE")
    booking = paid(held(event, tickets=1))
    start = event.event.starts_at + hours * HOUR
    fields = {"starts_at": start, "ends_at": start + HOUR}
    update_listing(viewer=event.host, kind_code="EVENT", listing_id=event.pk, fields=fields, now=NOW)
    assert again(booking).span.start == start
    assert refundable(again(booking), now=NOW).minor == back
    assert cancel(booking).bill.refunded_minor == back


def test_after_a_cancel_the_place_is_free_and_the_ticket_admits_nobody() -> None:
    event = make_event(tickets=1)
    booking = paid(held(event, tickets=1))
    assert booking.ticket_code is not None
    assert cancel(booking).ticket_code is None
    held(event, tickets=1)
