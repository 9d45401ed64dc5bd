"""Debts: what a saved card refused to pay is asked for again, on a schedule kept in the database or when staff says so."""

from datetime import datetime

from apps.audit.models import AuditKind
from apps.bookings.actions.cancel import note
from apps.bookings.models import Booking
from apps.bookings.selectors import booking_for, lock_booking
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core import idempotency
from apps.core.db import unit_of_work
from apps.core.errors import NotAllowed, WrongState
from apps.core.money import Money
from apps.core.outbox import enqueue
from apps.payments.actions import charge_again, open_charge, retry_charge
from apps.payments.models import Bill, Charge, PaymentTiming
from apps.payments.selectors import card_to_charge_again
from apps.users.models import User

BATCH = 50


def collect_debts(*, now: datetime) -> int:
    """The sweep: ask the saved cards of debts that are due for another try. Safe with many workers.

    Returns how many were asked.
    """
    due = Bill.objects.filter(retry_at__lte=now).order_by("retry_at").values_list("pk", flat=True)[:BATCH]
    return sum(_collect(bill_id=bill_id, now=now) for bill_id in list(due))


@unit_of_work
def _collect(*, bill_id: int, now: datetime) -> bool:
    booking_id = Booking.objects.values_list("pk", flat=True).get(bill=bill_id)
    lock_booking(booking_id)
    bill = Bill.objects.select_for_update().get(pk=bill_id)
    if bill.retry_at is None or bill.retry_at > now:
        return False
    charge = retry_charge(bill, now=now)
    if charge is None:
        return False
    Booking.objects.get(pk=booking_id).record(BookingEventType.PAYMENT_STARTED, now=now, actor=Actor.SYSTEM)
    enqueue("bookings.carry_out_payment", charge_id=charge.pk)
    return True


@unit_of_work
def retry(
    *,
    viewer: User,
    booking_id: int | None,
    amount: Money | None = None,
    idempotency_key: str | None = None,
    now: datetime,
) -> Charge:
    """Ask the card of a debt for what is owed, now; for staff. The schedule goes on beside it.

    `amount` is what whoever asks takes the debt to be. Raises NotFound and NotAllowed at `booking_id`, WrongState there where
    nothing is owed (any more, or yet), another amount is, a payment is under way or no card can be charged without its owner;
    Duplicate at `idempotency_key`.
    """
    key = idempotency.clean_key(idempotency_key)
    booking, side = booking_for(viewer=viewer, booking_id=booking_id, lock=True)
    if side is not Actor.STAFF:
        raise NotAllowed("Saved cards are charged again by staff.", field="booking_id")
    claim: idempotency.Claim | None = None
    if key is not None:
        asked = {"booking": booking.pk, "amount": amount and (amount.minor, amount.currency)}
        claim = idempotency.claim(caller=f"retry:{viewer.pk}", key=key, cleaned_input=asked, now=now)
        if claim.result is not None:
            return Charge.objects.get(pk=claim.result)
    bill = Bill.objects.select_for_update().get(pk=booking.bill_id)
    saved = debt_of(booking, bill)
    if amount is not None and amount != bill.owed:
        raise WrongState(f"By now {bill.owed} is owed.", field="booking_id")
    charge = charge_again(bill, card_of=saved, now=now)
    booking.record(BookingEventType.PAYMENT_STARTED, now=now, actor=side)
    enqueue("bookings.carry_out_payment", charge_id=charge.pk)
    note(AuditKind.CHARGE_RETRIED, booking, actor=viewer, amount=bill.owed, now=now)
    if claim is not None:
        idempotency.remember(claim, result=charge.pk)
    return charge


def debt_of(booking: Booking, bill: Bill) -> Charge:
    """The payment whose card can be asked for what is owed of the booking. Raises WrongState where none is to be asked."""
    is_due = booking.status == BookingStatus.COMPLETED or (
        booking.status in (BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN) and bill.timing == PaymentTiming.NOW
    )
    if not is_due or bill.owed.minor <= 0:
        raise WrongState("There is nothing to pay for this booking.", field="booking_id")
    if open_charge(bill.pk) is not None:
        raise WrongState("A payment is under way.", field="booking_id")
    saved = card_to_charge_again(bill.pk)
    if saved is None:
        raise WrongState("No card can be charged without its owner: the guest has to pay.", field="booking_id")
    return saved
