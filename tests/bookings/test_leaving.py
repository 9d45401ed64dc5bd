"""The end of a booking: arriving, leaving early or in time, never coming. What it frees and what it charges."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.bookings.states import BookingStatus
from apps.listings.models import Listing
from apps.payments.models import Charge
from apps.users.models import User
from tests.bookings.life import (
    MINUTE,
    MONTH,
    NIGHT,
    again,
    authenticated,
    charges,
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
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_service, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def on(booking: Booking, viewer: User | None, now: datetime) -> dict[str, Any]:
    return {"viewer": viewer, "booking_id": booking.pk, "now": now}


def check_in(booking: Booking, now: datetime, viewer: User | None = None) -> Booking:
    return actions.check_in(**on(booking, viewer or booking.listing.host, now), has_id=True)


def is_free(spot: Listing, start: datetime, *, minutes: int = 10) -> bool:
    held(spot, starts_at=start, minutes=minutes, now=start)
    return True


@pytest.mark.parametrize(
    ("used", "minutes"),
    [
        (timedelta(microseconds=1), 1),
        (timedelta(seconds=60), 1),
        (timedelta(seconds=61), 2),
        (timedelta(minutes=30), 30),
        (timedelta(minutes=59, seconds=59), 60),
        (timedelta(hours=3), 60),
    ],
)
def test_every_minute_that_began_is_paid_and_no_more_than_was_booked(used: timedelta, minutes: int) -> None:
    booking = parked(make_parking_spot(price_minor=1000), minutes=60)
    ended = actions.end(**on(booking, booking.guest, NOW + used))
    fee = (minutes * 1000 * 2 + 60) // 120
    assert (ended.status, ended.span.end) == ("COMPLETED", NOW + min(used, HOUR))
    work(now=NOW + used)
    assert charges(booking) == [("SUCCEEDED", fee)]
    assert ledger(booking) == (fee, fee, 0)
    assert [line.amount_minor for line in booking.lines.all()] == [fee]


def test_what_rounds_to_nothing_is_not_charged() -> None:
    booking = parked(make_parking_spot(price_minor=29), minutes=60)
    actions.end(**on(booking, booking.guest, NOW + MINUTE))
    work(now=NOW + MINUTE)
    assert again(booking).status == "COMPLETED"
    assert charges(booking) == [("CANCELED", 29)]
    assert ledger(booking) == (0, 0, 0)


def test_the_price_is_that_of_the_booking_and_the_place_is_free_at_once() -> None:
    spot = make_parking_spot(price_minor=600)
    booking = parked(spot, minutes=60)
    spot.price_minor = 99_999
    spot.save()
    half = NOW + HOUR / 2
    actions.end(**on(booking, booking.guest, half))
    assert is_free(spot, half)
    work(now=half)
    assert charges(booking)[0] == ("SUCCEEDED", 300)


@pytest.mark.parametrize("who", ["guest", "host", "staff"])
def test_each_side_ends_parking_once(who: str) -> None:
    spot = make_parking_spot()
    booking = parked(spot)
    viewer = {"guest": booking.guest, "host": spot.host, "staff": make_staff()}[who]
    assert refusals(actions.end, **on(booking, viewer, NOW)) == {("WRONG_STATE", "booking_id")}
    actions.end(**on(booking, viewer, NOW + MINUTE))
    assert story(booking)[-2:] == [("ENDED", who.upper()), ("COMPLETED", who.upper())]
    assert refusals(actions.end, **on(booking, viewer, NOW + 2 * MINUTE)) == {("WRONG_STATE", "booking_id")}
    assert len(charges(booking)) == 1


def test_only_what_stands_and_ends_early_can_be_ended() -> None:
    for make, wanted in ((make_property, None), (make_event, {"tickets": 1})):
        listing = make()
        booking = paid(held(listing, **(wanted or nights(listing, 1))))
        in_use = booking.span.start + HOUR
        assert refusals(actions.end, **on(booking, booking.guest, in_use)) == {("NOT_ALLOWED", "booking_id")}
    pending = held(make_parking_spot(), starts_at=NOW, minutes=60)
    assert refusals(actions.end, **on(pending, pending.guest, NOW + MINUTE)) == {("WRONG_STATE", "booking_id")}
    assert refusals(actions.end, **on(pending, make_guest(), NOW + MINUTE)) == {("NOT_FOUND", "booking_id")}


def test_a_driver_who_was_checked_in_leaves_by_himself() -> None:
    booking = parked(make_parking_spot())
    check_in(booking, NOW)
    actions.end(**on(booking, booking.guest, NOW + 15 * MINUTE))
    work(now=NOW + 15 * MINUTE)
    assert charges(booking) == [("SUCCEEDED", 2_500)]


def test_checking_out_of_parking_charges_what_was_used() -> None:
    spot = make_parking_spot()
    booking = parked(spot, minutes=120)
    check_in(booking, NOW)
    left = NOW + 30 * MINUTE
    done = actions.check_out(**on(booking, spot.host, left))
    assert (done.status, done.checked_out_at, done.span.end) == ("COMPLETED", left, left)
    assert is_free(spot, left)
    work(now=left)
    assert charges(booking) == [("SUCCEEDED", 5_000)]
    assert story(booking)[-4:] == [
        ("CHECKED_IN", "HOST"),
        ("CHECKED_OUT", "HOST"),
        ("COMPLETED", "HOST"),
        ("PAYMENT_SUCCEEDED", "SYSTEM"),
    ]
    told = booking.history.get(type="PAYMENT_SUCCEEDED", data__has_key="amountMinor").data
    assert told == {"amountMinor": 5_000, "currency": "EUR"}


def test_checking_out_before_the_time_began_charges_a_minute_and_frees_all() -> None:
    spot = make_parking_spot(price_minor=6_000)
    booking = parked(spot, start=NOW + 5 * HOUR)
    check_in(booking, NOW + HOUR)
    actions.check_out(**on(booking, spot.host, NOW + 2 * HOUR))
    assert again(booking).span.length == MINUTE
    assert not again(booking).allocation.is_active
    assert is_free(spot, NOW + 5 * HOUR)
    work(now=NOW + 2 * HOUR)
    assert charges(booking) == [("SUCCEEDED", 100)]


def test_checking_out_late_charges_no_more_than_was_booked() -> None:
    spot = make_parking_spot()
    booking = parked(spot)
    check_in(booking, NOW)
    actions.check_out(**on(booking, spot.host, NOW + 5 * HOUR))
    work(now=NOW + 5 * HOUR)
    assert charges(booking) == [("SUCCEEDED", 10_000)]


def test_checking_out_of_a_home_frees_the_rest_and_gives_nothing_back() -> None:
    home = make_property()
    booking = stay(home, 3, first=NIGHT)
    check_in(booking, booking.span.start)
    left = booking.span.start + 10 * HOUR
    assert refusals(actions.check_out, **on(booking, booking.guest, left)) == {("NOT_ALLOWED", "booking_id")}
    assert actions.check_out(**on(booking, home.host, left)).status == "COMPLETED"
    assert ledger(booking) == (30_000, 30_000, 0)
    assert again(booking).allocation.occupied.end == left
    held(home, **nights(home, 1, first=2 * NIGHT))
    assert refusals(actions.check_out, **on(booking, home.host, left)) == {("WRONG_STATE", "booking_id")}
    assert story(booking)[-3:] == [("CHECKED_IN", "HOST"), ("CHECKED_OUT", "HOST"), ("COMPLETED", "HOST")]


def test_a_card_of_a_driver_who_never_came_is_never_charged() -> None:
    spot = make_parking_spot()
    booking = parked(spot)
    refused = {("OUTSIDE_RULES", "booking_id")}
    assert refusals(actions.mark_no_show, **on(booking, spot.host, NOW)) == refused
    assert refusals(actions.mark_no_show, **on(booking, booking.guest, NOW + MINUTE)) == {("NOT_ALLOWED", "booking_id")}
    actions.mark_no_show(**on(booking, spot.host, NOW + MINUTE))
    assert is_free(spot, NOW + MINUTE)
    actions.finish_due(now=NOW + NIGHT)
    work(now=NOW + NIGHT)
    assert charges(booking) == [("CANCELED", 10_000)]
    assert (again(booking).status, ledger(booking)) == ("NO_SHOW", (10_000, 0, 0))


def test_who_never_came_gets_nothing_back() -> None:
    home = make_property()
    booking = stay(home, 2, first=NIGHT)
    actions.mark_no_show(**on(booking, home.host, booking.span.start + HOUR))
    assert (again(booking).status, ledger(booking)) == ("NO_SHOW", (20_000, 20_000, 0))
    held(home, **nights(home, 1, first=2 * NIGHT))


@pytest.mark.parametrize(
    ("offset", "answer"),
    [
        (timedelta(microseconds=-1), {("OUTSIDE_RULES", "booking_id")}),
        (timedelta(0), "CHECKED_IN"),
        (timedelta(hours=15), "CHECKED_IN"),
    ],
)
def test_arrival_is_from_midnight_on_the_wall_of_the_home(offset: timedelta, answer: object) -> None:
    home = make_property(time_zone="Pacific/Auckland")
    booking = stay(home, 1, first=NIGHT)
    # The check-in time is 15:00 there.
    midnight = booking.span.start - 15 * HOUR
    if answer == "CHECKED_IN":
        assert check_in(booking, midnight + offset).status == answer
    else:
        given = on(booking, home.host, midnight + offset)
        assert refusals(actions.check_in, **given, has_id=True) == answer
        assert again(booking).status == "CONFIRMED"


def test_arrival_is_until_the_end_and_once() -> None:
    home = make_property()
    booking = stay(home, 1, first=NIGHT)
    given = {**on(booking, home.host, booking.span.end), "has_id": True}
    assert refusals(actions.check_in, **given) == {("OUTSIDE_RULES", "booking_id")}
    last = booking.span.end - timedelta(microseconds=1)
    assert check_in(booking, last).status == "CHECKED_IN"
    assert refusals(actions.check_in, **{**given, "now": last}) == {("WRONG_STATE", "booking_id")}


def test_a_ticket_is_refused_at_the_ticket() -> None:
    event = make_event(starts_at=NOW + 5 * NIGHT)
    booking = paid(held(event, tickets=2))
    code = booking.ticket_code
    assert code is not None
    given: dict[str, Any] = {"viewer": event.host, "has_id": False, "ticket_code": code}
    assert refusals(actions.check_in, **given, now=NOW) == {("OUTSIDE_RULES", "ticket_code")}
    assert refusals(actions.check_in, **{**given, "viewer": booking.guest}, now=NOW) == {("NOT_ALLOWED", "ticket_code")}
    for viewer in (make_guest(), make_event().host):
        assert refusals(actions.check_in, **{**given, "viewer": viewer}, now=NOW) == {("NOT_FOUND", "ticket_code")}
    start = event.event.starts_at
    assert actions.check_in(**{**given, "ticket_code": f" {code.lower()} "}, now=start).status == "CHECKED_IN"
    assert refusals(actions.check_in, **given, now=start) == {("WRONG_STATE", "ticket_code")}


@pytest.mark.parametrize(
    "code", ["", " ", "-", "\x00", "A" * 10_000, "<b>", "ABCDEF", "ABCDEF-", "é", "2" * 6 + "-\x00"]
)
def test_no_other_text_is_a_ticket(code: str) -> None:
    given: dict[str, Any] = {"viewer": make_staff(), "has_id": False, "ticket_code": code, "now": NOW}
    assert refusals(actions.check_in, **given) == {("NOT_FOUND", "ticket_code")}


def test_by_booking_or_by_ticket_but_exactly_one() -> None:
    booking = paid(held(make_event(), tickets=1))
    given: dict[str, Any] = {"viewer": booking.listing.host, "booking_id": booking.pk, "now": NOW}
    assert refusals(actions.check_in, **given, has_id=True, ticket_code=booking.ticket_code) == {("INVALID", "")}
    assert refusals(actions.check_in, viewer=booking.listing.host, has_id=False, now=NOW) == {("REQUIRED", "")}


def test_the_sweep_completes_what_nobody_touched_and_charges_the_drivers() -> None:
    spot, home, service = make_parking_spot(), make_property(), make_service()
    parking, home_stay = parked(spot), stay(home, 1, first=NIGHT)
    hold_alone = held(home, **nights(home, 1, first=MONTH))
    checked_in = stay(make_property(), 1, first=NIGHT)
    check_in(checked_in, checked_in.span.start)
    slot = datetime(2026, 11, 23, 8, tzinfo=NOW.tzinfo)
    appointment = paid(held(service, starts_at=slot))
    nearly = min(appointment.span.end, home_stay.span.end) - MINUTE
    assert (actions.complete_ended(now=NOW + MINUTE), actions.finish_due(now=NOW + MINUTE)) == (0, 0)
    assert (actions.complete_ended(now=nearly), actions.finish_due(now=nearly)) == (0, 1)
    end = max(appointment.span.end, home_stay.span.end)
    assert (actions.complete_ended(now=end), actions.finish_due(now=end)) == (3, 0)
    work(now=end)
    assert charges(parking) == [("SUCCEEDED", 10_000)]
    assert story(parking)[-3:] == [("ENDED", "SYSTEM"), ("COMPLETED", "SYSTEM"), ("PAYMENT_SUCCEEDED", "SYSTEM")]
    assert story(home_stay)[-1] == ("COMPLETED", "SYSTEM")
    done = (parking, home_stay, checked_in, appointment)
    assert {again(booking).status for booking in done} == {BookingStatus.COMPLETED}
    assert again(hold_alone).status == "PENDING"


def settled_by_paying(booking: Booking, *, code: str) -> None:
    """End it after half an hour: the charge fails with the code, and another card pays."""
    actions.end(**on(booking, booking.guest, NOW + 30 * MINUTE))
    work(now=NOW + 30 * MINUTE)
    failed = Charge.objects.get(bill=booking.bill_id)
    assert (failed.status, failed.amount_minor, failed.failure_code) == ("FAILED", 5_000, code)
    assert again(booking).status == "COMPLETED"
    paid(booking, now=NOW + HOUR)
    assert charges(booking) == [("FAILED", 5_000), ("SUCCEEDED", 5_000)]
    assert ledger(booking) == (5_000, 5_000, 0)


def test_a_charge_at_the_end_that_is_declined_is_settled_by_paying() -> None:
    settled_by_paying(parked(make_parking_spot(), card="pm_card_chargeCustomerFail"), code="card_declined")


def test_a_charge_at_the_end_that_asks_for_the_payer_is_settled_by_paying() -> None:
    booking = parked(make_parking_spot(), card="pm_card_authenticationRequired")
    assert authenticated(booking).status == "CONFIRMED"
    settled_by_paying(booking, code="authentication_required")
