"""What others do to our payments: a refund made in the processor's dashboard, a payer who asks the bank for the money."""

import logging
from datetime import datetime

from apps.bookings.actions.processor import carry_out_refund
from apps.bookings.models import Booking
from apps.bookings.selectors import lock_booking
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core.db import unit_of_work
from apps.core.money import Money
from apps.payments import gateway
from apps.payments.actions import adopt_refund, record_refund, start_refund
from apps.payments.models import CAPTURED_STATUSES, DISPUTE_OVER, Bill, Charge, Dispute, Refund, RefundStatus
from apps.payments.selectors import is_taken_back

logger = logging.getLogger(__name__)


def take_over_refunds(*, intent_id: str, now: datetime) -> int:
    """Write down every refund of the payment as the processor tells it, whoever made it. Returns how many were new.

    Nothing happens for a payment that is not ours or has not been captured. Raises GatewayUnavailable.
    """
    charge = Charge.objects.filter(intent_id=intent_id, status__in=CAPTURED_STATUSES).first()
    if charge is None:
        return 0
    # First what we asked for ourselves: it may have to give way to what went back otherwise.
    for refund_id in Refund.objects.filter(charge=charge, status=RefundStatus.PENDING).values_list("pk", flat=True):
        carry_out_refund(refund_id=refund_id)
    told = sorted(gateway.refunds_of(intent_id=intent_id), key=lambda each: each.created_at)
    return sum(take_over(charge_id=charge.pk, told=each, now=now) for each in told)


@unit_of_work
def take_over(*, charge_id: int, told: gateway.PaidBack, now: datetime) -> bool:
    """Write one refund down as the processor tells it. Returns whether it was new to us.

    Raises GatewayUnavailable while a refund of our own, whose outcome is open, leaves no room for it.
    """
    booking_id = Booking.objects.values_list("pk", flat=True).get(bill__charges=charge_id)
    lock_booking(booking_id)
    charge = Charge.objects.values("bill").get(pk=charge_id)
    Bill.objects.select_for_update().get(pk=charge["bill"])
    locked = Charge.objects.select_for_update().get(pk=charge_id)
    known = Refund.objects.select_for_update().filter(charge=locked)
    own = (told.refund_id is not None and known.filter(pk=told.refund_id).first()) or known.filter(
        processor_id=told.processor_id
    ).first()
    if own:
        record_refund(own, gateway.RefundOutcome(status=told.status, processor_id=told.processor_id))
        return False
    if told.status is RefundStatus.FAILED:
        return False
    if locked.refunded_minor + told.amount.minor > locked.amount_minor:
        raise gateway.GatewayUnavailable("a refund of our own is still under way")
    adopt_refund(locked, told=told, now=now)
    booking = Booking.objects.get(pk=booking_id)
    data = {"amountMinor": told.amount.minor, "currency": told.amount.currency}
    booking.record(BookingEventType.REFUNDED, now=now, actor=Actor.SYSTEM, **data)
    logger.warning("refund %s was made outside", told.processor_id)
    if booking.status in (BookingStatus.CANCELED, BookingStatus.EXPIRED):
        _give_rest(locked, overtaken_by=told, now=now)
    return True


def _give_rest(charge: Charge, *, overtaken_by: gateway.PaidBack, now: datetime) -> None:
    """A refund of ours asked for more than was left once this one had been made, and was never made: what is left goes back.

    Only if it failed after that: who gives money back outside because ours had failed has done what was to be done.
    """
    failed = Refund.objects.filter(charge=charge, status=RefundStatus.FAILED, processor_id="").order_by("-pk").first()
    left = charge.amount_minor - charge.refunded_minor
    if failed is None or failed.updated_at < overtaken_by.created_at or left <= 0 or is_taken_back(charge.pk):
        return
    amount = Money(min(failed.amount_minor, left), charge.currency)
    start_refund(charge, amount=amount, reason=failed.reason, now=now)


def note_dispute(*, dispute_id: str) -> None:
    """Write down where a dispute over one of our payments stands now. Raises GatewayUnavailable."""
    told = gateway.dispute(dispute_id=dispute_id)
    if told is None:
        # The dashboard's "send a test event" names what does not exist.
        return
    charge = Charge.objects.filter(intent_id=told.intent_id).exclude(intent_id="").first()
    if charge is None:
        return
    _write_dispute(charge_id=charge.pk, told=told)
    logger.warning("payment %s is disputed: %s", charge.pk, told.status)


@unit_of_work
def _write_dispute(*, charge_id: int, told: gateway.DisputeOutcome) -> None:
    charge = Charge.objects.select_for_update().get(pk=charge_id)
    known = Dispute.objects.filter(processor_id=told.processor_id).first()
    if known is not None and known.status in DISPUTE_OVER and told.status not in DISPUTE_OVER:
        # An answer from before the end that was overtaken on its way.
        return
    row = known or Dispute(charge=charge, processor_id=told.processor_id, created_at=told.created_at)
    row.status, row.reason = told.status, told.reason
    row.amount_minor, row.currency = told.amount.minor, told.amount.currency
    row.save()
