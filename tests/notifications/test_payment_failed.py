"""What a guest is told to do about a payment that failed."""

import pytest

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.notifications.models import Letter, Notification
from tests.bookings.life import held, paid, work
from tests.hosting.inputs import NOW
from tests.recipes import make_event

pytestmark = pytest.mark.django_db(transaction=True)

DECLINED = "pm_card_chargeDeclined"


def told(booking: Booking) -> str:
    """What the account says of it, after having checked that the mail says the same."""
    said = Notification.objects.get(recipient=booking.guest_id, type="PAYMENT_FAILED").body
    assert Letter.objects.get(template="payment_failed").data["paragraphs"] == [said]
    return said


def test_while_the_hold_lasts_another_card_pays() -> None:
    assert "(card_declined). Pay with another card until" in told(paid(held(make_event(), tickets=1), card=DECLINED))


def test_who_canceled_meanwhile_is_asked_for_no_other_card() -> None:
    booking = held(make_event(), tickets=1)
    actions.pay(viewer=booking.guest, booking_id=booking.pk, payment_method=DECLINED, now=NOW)
    actions.cancel(viewer=booking.guest, booking_id=booking.pk, now=NOW)
    work()
    assert told(booking).endswith("(card_declined). The booking had ended by then: there is nothing for you to pay.")


def test_who_cannot_pay_with_any_card_is_asked_for_no_other_one() -> None:
    booking = paid(held(make_event(currency="CLF"), tickets=1))
    assert told(booking).endswith("No card can be charged with this amount in this currency: please ask your host.")
