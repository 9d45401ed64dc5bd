"""Calling a booking off: the place is freed exactly once, the money goes back by the terms as booked."""

from datetime import datetime
from typing import Any

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.availability.actions import release
from apps.bookings.models import Booking
from apps.bookings.selectors import booking_for
from apps.bookings.states import Actor, BookingEventType, BookingStatus, may_follow
from apps.bookings.terms import refundable
from apps.core import idempotency
from apps.core.db import unit_of_work
from apps.core.errors import Collector, Invalid, NotAllowed, WrongState
from apps.core.money import Money
from apps.core.texts import clean_text
from apps.payments.actions import cancel_open_charges, drop_saved_cards, keep, refund_bill
from apps.payments.models import Bill, PaymentTiming
from apps.payments.selectors import left_to_refund
from apps.payments.stripe_amounts import smallest_step
from apps.users.models import User


@unit_of_work
def cancel(
    *,
    viewer: User | None,
    booking_id: int | None,
    access_token: str | None = None,
    reason: str = "",
    amount: Money | None = None,
    idempotency_key: str | None = None,
    now: datetime,
) -> Booking:
    """Cancel for the guest, the host or staff; the latter two give everything back.

    `amount` is how much goes back instead, staff's alone to say. Raises Invalid at `reason` and `amount`, NotFound at
    `booking_id`, NotAllowed at `amount`, WrongState once it is in use, over or canceled, Duplicate at `idempotency_key`.
    """
    problems = Collector()
    key: str | None = None
    with problems.caught():
        reason = clean_text(reason, field="reason", max_length=1000)
    with problems.caught():
        key = idempotency.clean_key(idempotency_key)
    problems.raise_if_any()
    booking, side = booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token, lock=True)
    claim: idempotency.Claim | None = None
    if key is not None and viewer is not None:
        asked = {"booking": booking.pk, "amount": amount and (amount.minor, amount.currency), "reason": reason}
        claim = idempotency.claim(caller=f"cancel:{viewer.pk}", key=key, cleaned_input=asked, now=now)
        if claim.result is not None:
            return booking
    if amount is not None and side is not Actor.STAFF:
        raise NotAllowed("How much goes back is for the terms to say.", field="amount")
    require_cancelable(booking, now=now)
    bill = Bill.objects.select_for_update().get(pk=booking.bill_id)
    booking.bill = bill
    back = bill.paid if side is not Actor.GUEST else refundable(booking, now=now)
    if amount is not None:
        back = checked_amount(amount, bill)
    told: dict[str, Any] = {"reason": reason} if reason else {}
    if back.minor > 0:
        told |= {"refundMinor": back.minor, "currency": back.currency}
    booking.move_to(BookingStatus.CANCELED, now=now, actor=side, **told)
    release(booking.allocation_id)
    cancel_open_charges(bill.pk, now=now)
    drop_saved_cards(bill.pk, now=now)
    if bill.paid.minor > 0:
        keep(bill.pk, bill.paid - back)
    said = reason or "The booking was canceled."
    give_back(booking, amount=back, reason=said, actor=side, past_bank=amount is not None, now=now)
    if side is Actor.STAFF and viewer is not None:
        note(AuditKind.BOOKING_CANCELED, booking, actor=viewer, amount=back, now=now)
    if claim is not None:
        idempotency.remember(claim, result=booking.pk)
    return booking


def require_cancelable(booking: Booking, *, now: datetime) -> None:
    """Raises WrongState once it is in use, over or canceled."""
    if booking.has_run_out(now=now):
        raise WrongState("The hold has run out by itself.", field="booking_id")
    runs = booking.bill.timing == PaymentTiming.AT_END and booking.span.start <= now
    if booking.status == BookingStatus.CONFIRMED and runs:
        raise WrongState("It has begun: end it instead.", field="booking_id")
    if not may_follow(booking.status, BookingStatus.CANCELED):
        raise WrongState(f"A booking that is {booking.status} cannot be canceled.", field="booking_id")


def checked_amount(amount: Money, bill: Bill) -> Money:
    """Raises Invalid at `amount` unless that much can go back, and to a card."""
    left = Money(left_to_refund(bill.pk), bill.currency)
    if amount.currency != left.currency or not 0 <= amount.minor <= left.minor:
        raise Invalid(f"From nothing to {left} can go back.", field="amount")
    if amount.minor % smallest_step(amount.currency):
        step = Money(smallest_step(amount.currency), amount.currency)
        raise Invalid(f"Cards are given back multiples of {step}.", field="amount")
    return amount


def note(kind: AuditKind, booking: Booking, *, actor: User, amount: Money, now: datetime) -> None:
    """Write down who of the staff did something to the booking, in the transaction that did it."""
    record(kind, now=now, actor_id=actor.pk, subject=f"booking:{booking.pk}", amount=str(amount))


def give_back(
    booking: Booking, *, amount: Money, reason: str, actor: Actor, past_bank: bool = False, now: datetime
) -> None:
    """Refund the amount from what was captured, the newest payment first, and say so in the history.

    What the payer's bank has taken back does not go back a second time; with `past_bank` the amount leaves that out already.
    """
    if amount.minor <= 0:
        return
    sent = refund_bill(booking.bill_id, amount=amount, reason=reason, past_bank=past_bank, now=now)
    if sent.minor > 0:
        told = {"amountMinor": sent.minor, "currency": sent.currency}
        booking.record(BookingEventType.REFUNDED, now=now, actor=actor, **told)
