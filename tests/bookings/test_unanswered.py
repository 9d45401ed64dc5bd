"""A payer who is asked to authenticate and never answers does not keep a booking from being paid otherwise."""

from datetime import timedelta

import pytest
from django.conf import settings

from apps.bookings import actions
from apps.bookings.models import Booking
from tests.bookings.life import NIGHT, again, authenticate, changed, charges, gave_back, held, ledger, paid, work
from tests.bookings.life import stay as stayed
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_property

pytestmark = pytest.mark.django_db(transaction=True)

ASKS = "pm_card_authenticationRequired"
HOLD = timedelta(seconds=settings.HOLD_SECONDS)


def owing() -> Booking:
    """A stay that stands, of which a night is not paid yet and is with the payer's bank."""
    booking = stayed(make_property(), 1)
    booking.bill.charges.update(payment_method="pm_card_chargeDeclined")
    assert booking.check_in is not None
    changed(booking, check_out=booking.check_in + 2 * NIGHT)
    paid(booking, card=ASKS)
    assert [status for status, _ in charges(booking)] == ["SUCCEEDED", "FAILED", "REQUIRES_ACTION"]
    return again(booking)


def test_the_rest_can_be_paid_with_another_card_after_as_long_as_a_hold() -> None:
    booking = owing()
    assert actions.give_up_unanswered(now=NOW + HOLD - timedelta(microseconds=1)) == 0
    assert actions.give_up_unanswered(now=NOW + HOLD) == 1
    assert charges(booking)[-1] == ("CANCELED", 10_000)
    charge = booking.bill.charges.latest("pk")
    assert (charge.client_secret, charge.next_action_url) == ("", "")
    actions.cancel_intent(charge_id=charge.pk, now=NOW + HOLD)
    assert again(booking).status == "CONFIRMED"
    paid(booking, now=NOW + HOLD)
    assert charges(booking)[-1] == ("SUCCEEDED", 10_000)
    assert ledger(booking) == (20_000, 20_000, 0)


def test_who_answered_in_the_last_moment_has_paid() -> None:
    booking = owing()
    authenticate(booking.bill.charges.latest("pk"))
    actions.give_up_unanswered(now=NOW + HOLD)
    actions.cancel_intent(charge_id=booking.bill.charges.latest("pk").pk, now=NOW + HOLD)
    assert charges(booking)[-1] == ("SUCCEEDED", 10_000)
    assert ledger(booking) == (20_000, 20_000, 0)


def test_holds_end_by_themselves_and_what_is_paid_is_left_alone() -> None:
    hold = paid(held(make_event(), tickets=1), card=ASKS)
    done = gave_back(paid(held(make_event(), tickets=1)), 1)
    assert actions.give_up_unanswered(now=NOW + HOLD) == 0
    assert (charges(hold)[0][0], charges(done)[0][0]) == ("REQUIRES_ACTION", "PARTIALLY_REFUNDED")
    work()
