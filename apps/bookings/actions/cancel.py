"""Calling a booking off: the place is freed exactly once, the money goes back by the terms as booked."""

from datetime import datetime
from typing import Any

from apps.availability.actions import release
from apps.bookings.models import Booking
from apps.bookings.selectors import booking_for
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.bookings.terms import refundable
from apps.core.db import unit_of_work
from apps.core.errors import WrongState
from apps.core.money import Money
from apps.core.texts import clean_text
from apps.payments.actions import cancel_open_charges, drop_saved_cards, refund_bill
from apps.payments.models import Bill, PaymentTiming
from apps.users.models import User


@unit_of_work
def cancel(
    *, viewer: User | None, booking_id: int | None, access_token: str | None = None, reason: str = "", now: datetime
) -> Booking:
    """Cancel for the guest, the host or staff; the latter two give everything back.

    Raises Invalid at `reason`, NotFound at `booking_id`, WrongState once it is in use, over or canceled.
    """
    reason = clean_text(reason, field="reason", max_length=1000)
    booking, side = booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token, lock=True)
    if booking.has_run_out(now=now):
        raise WrongState("The hold has run out by itself.", field="booking_id")
    has_begun = booking.span.start <= now
    runs = booking.bill.timing == PaymentTiming.AT_END and has_begun
    if booking.status == BookingStatus.CONFIRMED and runs:
        raise WrongState("It has begun: end it instead.", field="booking_id")
    bill = Bill.objects.select_for_update().get(pk=booking.bill_id)
    booking.bill = bill
    back = refundable(booking, now=now) if side is Actor.GUEST else bill.paid
    told: dict[str, Any] = {"reason": reason} if reason else {}
    if back.minor > 0:
        told |= {"refundMinor": back.minor, "currency": back.currency}
    booking.move_to(BookingStatus.CANCELED, now=now, actor=side, **told)
    release(booking.allocation_id)
    cancel_open_charges(bill.pk, now=now)
    drop_saved_cards(bill.pk, now=now)
    give_back(booking, amount=back, reason=reason or "The booking was canceled.", actor=side, now=now)
    return booking


def give_back(booking: Booking, *, amount: Money, reason: str, actor: Actor, now: datetime) -> None:
    """Refund the amount from what was captured, the newest payment first, and say so in the history.

    What the payer's bank has taken back does not go back a second time.
    """
    if amount.minor <= 0:
        return
    sent = refund_bill(booking.bill_id, amount=amount, reason=reason, now=now)
    if sent.minor > 0:
        told = {"amountMinor": sent.minor, "currency": sent.currency}
        booking.record(BookingEventType.REFUNDED, now=now, actor=actor, **told)
