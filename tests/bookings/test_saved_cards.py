"""A card that is saved for the end is charged once, for what was used, whatever happens on the way."""

from datetime import timedelta

import pytest

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.bookings.selectors import debts
from tests.bookings.life import (
    MINUTE,
    again,
    authenticated,
    changed,
    charges,
    held,
    ledger,
    paid,
    parked,
    work,
)
from tests.hosting.inputs import NOW, refusals
from tests.recipes import make_parking_spot

pytestmark = pytest.mark.django_db(transaction=True)

VISA = "pm_card_visa"
LATER = NOW + 30 * MINUTE


def cannot_be_paid(booking: Booking) -> bool:
    asked = {"viewer": booking.guest, "booking_id": booking.pk, "payment_method": VISA, "now": NOW}
    return refusals(actions.pay, **asked) == {("WRONG_STATE", "booking_id")}


def grown_from_nothing() -> Booking:
    """Parking whose first minute rounds to nothing, so that it needed no card, until its driver stays an hour."""
    booking = held(make_parking_spot(price_minor=29), starts_at=NOW, minutes=1)
    assert (booking.status, ledger(booking)) == ("CONFIRMED", (0, 0, 0))
    assert cannot_be_paid(booking)
    return changed(booking, ends_at=NOW + 60 * MINUTE)


def left(booking: Booking) -> Booking:
    """The booking after its driver left half an hour after the beginning, and the worker did its part."""
    actions.end(viewer=booking.guest, booking_id=booking.pk, now=LATER)
    work(now=LATER)
    return again(booking)


def test_a_driver_who_was_checked_in_is_not_charged_beside_the_charge_at_the_end() -> None:
    booking = parked(make_parking_spot(price_minor=600))
    actions.check_in(viewer=booking.listing.host, booking_id=booking.pk, has_id=True, now=NOW)
    assert cannot_be_paid(booking)
    left(booking)
    assert charges(booking) == [("SUCCEEDED", 300)]
    assert ledger(booking) == (300, 300, 0)


def test_what_began_by_costing_nothing_takes_a_card_once_it_costs_something() -> None:
    booking = paid(grown_from_nothing())
    assert charges(booking) == [("AUTHORIZED", 29)]
    assert cannot_be_paid(booking)
    left(booking)
    assert charges(booking) == [("SUCCEEDED", 15)]
    assert ledger(booking) == (15, 15, 0)


def test_without_a_card_it_is_a_debt_that_can_be_paid() -> None:
    booking = left(grown_from_nothing())
    assert (booking.status, charges(booking), list(debts())) == ("COMPLETED", [], [booking])
    paid(booking, now=LATER)
    assert (charges(booking), list(debts())) == ([("SUCCEEDED", 15)], [])


def test_a_card_that_was_saved_after_the_end_is_charged_for_what_was_used() -> None:
    booking = paid(grown_from_nothing(), card="pm_card_authenticationRequiredOnSetup")
    assert charges(booking) == [("REQUIRES_ACTION", 29)]
    booking = left(booking)
    assert (booking.status, charges(booking)) == ("COMPLETED", [("REQUIRES_ACTION", 29)])
    assert list(debts()) == [], "a payment is under way"
    authenticated(booking, now=LATER)
    work(now=LATER + timedelta(seconds=1))
    assert charges(booking) == [("SUCCEEDED", 15)]
    assert ledger(booking) == (15, 15, 0)
