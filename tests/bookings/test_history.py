"""The history tells what happened in the order in which it happened."""

from datetime import timedelta

import pytest

from apps.bookings import actions
from apps.bookings.selectors import history_of
from tests.bookings.life import held
from tests.hosting.inputs import NOW
from tests.recipes import make_event

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_two_requests_at_once_the_one_that_was_carried_out_first_comes_first() -> None:
    # The cancel began before the payment and waited for it.
    booking = held(make_event(), tickets=1)
    later = NOW + timedelta(seconds=1)
    actions.pay(viewer=booking.guest, booking_id=booking.pk, payment_method="pm_card_visa", now=later)
    actions.cancel(viewer=booking.guest, booking_id=booking.pk, now=NOW)
    told = [event.type for event in history_of([booking.pk])[booking.pk]]
    assert told == ["HELD", "PAYMENT_STARTED", "CANCELED"]
