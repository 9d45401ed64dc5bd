"""Paying: accepted in one transaction, asked of the processor with none open, settled in another."""

import logging
import re
from datetime import datetime, timedelta

from apps.availability.actions import allocate, hold_until
from apps.bookings.actions.expire import InTheWay, dead_holds_cleared, expire, past_dead_holds
from apps.bookings.actions.sweeping import for_each
from apps.bookings.models import Booking
from apps.bookings.selectors import booking_for, lock_booking
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core import idempotency
from apps.core.db import unit_of_work
from apps.core.errors import Collector, HoldExpired, Invalid, NotAllowed, Unavailable, WrongState
from apps.core.families import AVAILABILITY
from apps.core.faults import fault_point
from apps.core.money import Money
from apps.core.outbox import enqueue
from apps.core.periods import Period
from apps.core.promises import enqueue_until_done
from apps.core.versions import only
from apps.payments import gateway
from apps.payments.actions import (
    cancel_open_charges,
    charge_saved_card,
    drop_saved_cards,
    has_saved_card,
    keep_nothing_more,
    open_charge,
    record_outcome,
    schedule_retry,
    settle_down_to,
    start_charge,
    start_refund,
)
from apps.payments.asking import ask_processor
from apps.payments.models import OPEN_STATUSES, Bill, Charge, ChargeStatus, PaymentTiming
from apps.users.models import User

logger = logging.getLogger(__name__)

PAYMENT_METHOD = re.compile(r"pm_[A-Za-z0-9_]{1,252}")
# A charge whose worker has not been heard of for this long is taken up by the sweep.
PATIENCE = timedelta(seconds=30)
BATCH = 50


@unit_of_work
def pay(
    *,
    viewer: User | None,
    booking_id: int | None,
    access_token: str | None = None,
    payment_method: str,
    idempotency_key: str | None = None,
    now: datetime,
) -> Charge:
    """Accept the payment; a worker carries it out. While one is under way, that one is the answer.

    Raises Invalid at `payment_method`, NotFound at `booking_id`, NotAllowed to host and staff, HoldExpired after the
    hold, WrongState where nothing is owed, Duplicate at `idempotency_key`.
    """
    problems = Collector()
    method = payment_method.strip()
    problems.require(
        PAYMENT_METHOD.fullmatch(method) is not None,
        Invalid("A Stripe PaymentMethod begins with pm_.", field="payment_method"),
    )
    key: str | None = None
    with problems.caught():
        key = idempotency.clean_key(idempotency_key)
    problems.raise_if_any()

    booking, side = booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token, lock=True)
    if side is not Actor.GUEST:
        raise NotAllowed("A booking is paid by its guest.", field="booking_id")
    claim: idempotency.Claim | None = None
    if key is not None:
        # Without an account the caller is whoever knows the booking's secret.
        caller = f"pay:{booking.pk}" if booking.is_anonymous else f"pay:account:{booking.guest_id}"
        asked = {"booking": booking.pk, "payment_method": method}
        claim = idempotency.claim(caller=caller, key=key, cleaned_input=asked, now=now)
        if claim.result is not None:
            return Charge.objects.get(pk=claim.result)
    _require_held(booking, now=now)
    charge = open_charge(booking.bill_id) or _start(booking, payment_method=method, viewer=viewer, now=now)
    if claim is not None:
        idempotency.remember(claim, result=charge.pk)
    return charge


def _start(booking: Booking, *, payment_method: str, viewer: User | None, now: datetime) -> Charge:
    bill = Bill.objects.select_for_update().get(pk=booking.bill_id)
    timing, amount = _what_is_due(booking, bill)
    charge = start_charge(bill=bill, payer=viewer, timing=timing, amount=amount, payment_method=payment_method, now=now)
    if booking.status == BookingStatus.PENDING:
        # While the processor is asked the place is kept, however long the answer takes.
        with only(AVAILABILITY, booking.listing_id):
            hold_until(booking.allocation_id, None)
    booking.record(BookingEventType.PAYMENT_STARTED, now=now, actor=Actor.GUEST)
    enqueue("bookings.carry_out_payment", charge_id=charge.pk)
    return charge


def _require_held(booking: Booking, *, now: datetime) -> None:
    """Raises HoldExpired once the hold has run out, whether or not the sweep has come by."""
    if booking.has_run_out(now=now):
        raise HoldExpired("The hold has run out; book again.", field="booking_id")


def _what_is_due(booking: Booking, bill: Bill) -> tuple[PaymentTiming, Money]:
    """How and how much is to be paid now. Raises WrongState."""
    owed = bill.owed
    if booking.status == BookingStatus.PENDING:
        return PaymentTiming(bill.timing), owed
    runs = booking.status in (BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN)
    settled_later = runs and bill.timing == PaymentTiming.AT_END
    # What cost nothing when it was booked was confirmed without a card; once it costs something, one can be saved.
    is_settled = owed.minor <= 0 or (settled_later and has_saved_card(bill.pk))
    if is_settled or not (runs or booking.status == BookingStatus.COMPLETED):
        raise WrongState("There is nothing to pay for this booking.", field="booking_id")
    return (PaymentTiming.AT_END if settled_later else PaymentTiming.NOW), owed


def carry_out_payment(*, charge_id: int, now: datetime) -> None:
    """The worker's part: ask the processor, then settle. Safe to run twice and in parallel.

    Raises GatewayUnavailable; the sweep comes again then.
    """
    charge = Charge.objects.get(pk=charge_id)
    if charge.status not in OPEN_STATUSES:
        return
    fault_point("charge.before")
    outcome = ask_processor(charge, now=now)
    fault_point("charge.asked")
    settle(charge_id=charge_id, outcome=outcome, now=now)


@past_dead_holds
@unit_of_work
def settle(*, charge_id: int, outcome: gateway.Outcome, now: datetime) -> None:
    """Write down what the processor said, and what follows for the booking, in one transaction."""
    booking_id = Booking.objects.values_list("pk", flat=True).get(bill__charges=charge_id)
    lock_booking(booking_id)
    booking = Booking.objects.select_related("allocation", "listing").get(pk=booking_id)
    charge = Charge.objects.select_for_update().get(pk=charge_id)
    if not record_outcome(charge, outcome, now=now):
        return
    match charge.status:
        case ChargeStatus.SUCCEEDED | ChargeStatus.AUTHORIZED:
            booking.record(BookingEventType.PAYMENT_SUCCEEDED, now=now, actor=Actor.SYSTEM, **_told(charge))
            _confirm(booking, charge, now=now)
            _give_back_surplus(booking, charge, now=now)
        case ChargeStatus.FAILED | ChargeStatus.CANCELED:
            booking.record(BookingEventType.PAYMENT_FAILED, now=now, actor=Actor.SYSTEM, code=charge.failure_code)
            if booking.status == BookingStatus.COMPLETED:
                schedule_retry(charge.bill_id, now=now)
            _hold_again(booking, now=now)
        case ChargeStatus.REQUIRES_ACTION if booking.status in (BookingStatus.CANCELED, BookingStatus.EXPIRED):
            # It was over while the processor was asked: nobody is to authenticate for nothing.
            cancel_open_charges(booking.bill_id, now=now)
        case ChargeStatus.REQUIRES_ACTION:
            _hold_again(booking, now=now)
            booking.tell_listeners()
        case _:
            booking.tell_listeners()
            logger.info("charge %s is still with the processor", charge.pk)
    if booking.guest_id is None and not booking.is_anonymous and charge.status not in OPEN_STATUSES:
        enqueue_until_done("payments.forget_card", payment_method=charge.payment_method)


def _told(charge: Charge) -> dict[str, str | int]:
    if charge.status == ChargeStatus.AUTHORIZED:
        return {}
    return {"amountMinor": charge.amount_minor, "currency": charge.currency}


def _hold_again(booking: Booking, *, now: datetime) -> None:
    """The hold goes on until its own end; if that has passed meanwhile, it ends now."""
    if booking.status != BookingStatus.PENDING or booking.expires_at is None:
        return
    if booking.expires_at <= now:
        expire(booking, now=now)
    else:
        with only(AVAILABILITY, booking.listing_id):
            hold_until(booking.allocation_id, booking.expires_at)


def _confirm(booking: Booking, charge: Charge, *, now: datetime) -> None:
    if booking.status == BookingStatus.PENDING:
        with only(AVAILABILITY, booking.listing_id):
            hold_until(booking.allocation_id, None)
        booking.move_to(BookingStatus.CONFIRMED, now=now, actor=Actor.SYSTEM)
    elif booking.status == BookingStatus.EXPIRED:
        _take_again_or_refund(booking, charge, now=now)
    elif booking.status == BookingStatus.CANCELED:
        _undo(booking, charge, now=now)
    elif booking.status == BookingStatus.COMPLETED and charge.status == ChargeStatus.AUTHORIZED:
        _charge_late_card(booking, now=now)


def _charge_late_card(booking: Booking, *, now: datetime) -> None:
    """The card was saved after what it was to be charged for had ended: it is charged now."""
    owed = Bill.objects.get(pk=booking.bill_id).owed
    charge = charge_saved_card(booking.bill_id, amount=owed, now=now)
    if charge is not None:
        enqueue("bookings.carry_out_payment", charge_id=charge.pk)


def _take_again_or_refund(booking: Booking, charge: Charge, *, now: datetime) -> None:
    """A payment that lands after the hold died takes the place again if it is free, else refunds itself.

    Also where it is over, and where nothing is left to come to or nobody to come.
    """
    guest = booking.guest
    has_left = not booking.is_anonymous and (guest is None or guest.deleted_at is not None)
    if has_left or booking.span.end <= now or booking.listing.deleted_at is not None:
        _undo(booking, charge, now=now)
        return
    old = booking.allocation
    place: Period = old.occupied
    quantity = old.quantity if old.unit_id is None else None
    try:
        with dead_holds_cleared(listing_id=booking.listing_id, period=place if quantity is None else None, now=now):
            taken = allocate(
                listing_id=booking.listing_id,
                period=place,
                quantity=quantity,
                holder=old.holder,
                held_until=None,
                now=now,
            )
    except InTheWay:
        raise
    except Unavailable:
        _undo(booking, charge, now=now)
        return
    booking.allocation = taken
    booking.save(update_fields=["allocation", "updated_at"])
    booking.move_to(BookingStatus.CONFIRMED, now=now, actor=Actor.SYSTEM)


def _undo(booking: Booking, charge: Charge, *, now: datetime) -> None:
    """Nobody gets anything for this payment: money goes back, a saved card is never charged."""
    if charge.status == ChargeStatus.AUTHORIZED:
        drop_saved_cards(booking.bill_id, now=now)
        return
    keep_nothing_more(booking.bill_id)
    start_refund(charge, amount=charge.amount, reason="The booking was over before the payment landed.", now=now)
    told = {"amountMinor": charge.amount_minor, "currency": charge.currency}
    booking.record(BookingEventType.REFUNDED, now=now, actor=Actor.SYSTEM, **told)


def _give_back_surplus(booking: Booking, charge: Charge, *, now: datetime) -> None:
    """What had failed may succeed all the same, after the payer paid in another way: then this one goes back."""
    bill = Bill.objects.select_for_update().get(pk=booking.bill_id)
    beyond = bill.settled_minor - bill.total_minor
    if beyond <= 0:
        return
    settle_down_to(bill.pk, bill.total)
    surplus = min(beyond, charge.amount_minor - charge.refunded_minor)
    if charge.status != ChargeStatus.SUCCEEDED or surplus <= 0:
        # It has gone back already.
        return
    amount = Money(surplus, charge.currency)
    start_refund(charge, amount=amount, reason="It was paid already.", now=now)
    told = {"amountMinor": amount.minor, "currency": amount.currency}
    booking.record(BookingEventType.REFUNDED, now=now, actor=Actor.SYSTEM, **told)


def refresh(
    *, viewer: User | None, booking_id: int | None, access_token: str | None = None, now: datetime
) -> tuple[Booking, Charge | None]:
    """Ask the processor about every open payment of the booking, now. Answers with the newest payment.

    Raises NotFound at `booking_id`. When the processor cannot be reached the answer is what is known.
    """
    booking, _ = booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token)
    for charge in Charge.objects.filter(bill=booking.bill_id, status__in=OPEN_STATUSES):
        try:
            carry_out_payment(charge_id=charge.pk, now=now)
        except gateway.GatewayUnavailable:
            logger.warning("charge %s could not be refreshed", charge.pk)
    newest = Charge.objects.filter(bill=booking.bill_id).order_by("-pk").first()
    return booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token)[0], newest


def resume_payments(*, now: datetime) -> int:
    """The sweep: take up charges whose worker died or whose webhook was lost. Returns how many were asked about."""
    waiting = Charge.objects.filter(status__in=OPEN_STATUSES, updated_at__lt=now - PATIENCE).order_by("updated_at")

    def take_up(pk: int) -> None:
        Charge.objects.filter(pk=pk).update(updated_at=now)
        carry_out_payment(charge_id=pk, now=now)

    return for_each(list(waiting.values_list("pk", flat=True)[:BATCH]), take_up, what="charge")
