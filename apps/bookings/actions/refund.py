"""Giving money back by hand: the host's and staff's to do. The booking stays as it is."""

from datetime import datetime

from apps.audit.models import AuditKind
from apps.bookings.actions.cancel import note
from apps.bookings.models import Booking
from apps.bookings.policies import side_of
from apps.bookings.selectors import bookings_of_bills
from apps.bookings.states import Actor, BookingEventType
from apps.core import idempotency
from apps.core.db import unit_of_work
from apps.core.errors import Collector, Invalid, NotAllowed, NotFound, WrongState
from apps.core.money import Money
from apps.core.texts import clean_text
from apps.payments.actions import start_refund
from apps.payments.models import Bill, Charge, ChargeStatus
from apps.payments.selectors import is_taken_back
from apps.payments.stripe_amounts import smallest_step
from apps.users.models import User

REFUNDABLE = (ChargeStatus.SUCCEEDED, ChargeStatus.PARTIALLY_REFUNDED)


@unit_of_work
def refund(
    *,
    viewer: User,
    payment_id: int | None,
    amount: Money | None = None,
    reason: str = "",
    idempotency_key: str | None = None,
    now: datetime,
) -> Charge:
    """Refund that much of a payment, or all that is left of it. A worker carries it out.

    Raises NotFound and NotAllowed (to the guest) at `payment_id`, WrongState unless there is something left to refund and the
    payer's bank has not taken it back, Invalid at `amount` and `reason`, Duplicate at `idempotency_key`.
    """
    problems = Collector()
    key: str | None = None
    with problems.caught():
        reason = clean_text(reason, field="reason", max_length=1000)
    with problems.caught():
        key = idempotency.clean_key(idempotency_key)
    problems.raise_if_any()
    charge, booking, side = _seen(viewer=viewer, payment_id=payment_id)
    if side is Actor.GUEST:
        raise NotAllowed("Ask the host for a refund.", field="payment_id")
    claim: idempotency.Claim | None = None
    if key is not None:
        asked = {"payment": charge.pk, "amount": amount and (amount.minor, amount.currency), "reason": reason}
        claim = idempotency.claim(caller=f"refund:{viewer.pk}", key=key, cleaned_input=asked, now=now)
        if claim.result is not None:
            return Charge.objects.get(pk=claim.result)
    Booking.objects.select_for_update().get(pk=booking.pk)
    Bill.objects.select_for_update().get(pk=charge.bill_id)
    charge = Charge.objects.select_for_update().get(pk=charge.pk)
    wanted = checked_refund(charge, amount)
    start_refund(charge, amount=wanted, reason=reason, now=now)
    told = {"amountMinor": wanted.minor, "currency": wanted.currency}
    booking.record(BookingEventType.REFUNDED, now=now, actor=side, **told)
    if side is Actor.STAFF:
        note(AuditKind.PAYMENT_REFUNDED, booking, actor=viewer, amount=wanted, now=now)
    if claim is not None:
        idempotency.remember(claim, result=charge.pk)
    return charge


def checked_refund(charge: Charge, amount: Money | None) -> Money:
    """How much of the payment goes back when this is asked for; None asks for all that is left.

    Raises WrongState at `payment_id` and Invalid at `amount`, as `refund` does.
    """
    left = charge.amount - charge.refunded
    if charge.status not in REFUNDABLE:
        raise WrongState("There is nothing left to refund.", field="payment_id")
    if is_taken_back(charge.pk):
        raise WrongState(
            "The payer's bank has taken this payment back; nothing of it can be refunded.", field="payment_id"
        )
    wanted = left if amount is None else amount
    if wanted.currency != left.currency or not 0 < wanted.minor <= left.minor:
        raise Invalid(f"A refund is more than nothing and at most {left}.", field="amount")
    if wanted.minor % smallest_step(wanted.currency):
        step = Money(smallest_step(wanted.currency), wanted.currency)
        raise Invalid(f"Cards are given back multiples of {step}.", field="amount")
    return wanted


def _seen(*, viewer: User, payment_id: int | None) -> tuple[Charge, Booking, Actor]:
    charge = Charge.objects.filter(pk=payment_id).first() if payment_id is not None else None
    booking = bookings_of_bills([charge.bill_id]).get(charge.bill_id) if charge is not None else None
    side = side_of(booking, viewer=viewer) if booking is not None else None
    if charge is None or booking is None or side is None:
        raise NotFound("There is no such payment.", field="payment_id")
    return charge, booking, side
