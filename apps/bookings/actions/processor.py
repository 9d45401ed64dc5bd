"""What goes between us and the card processor besides a payment: cancelations and refunds."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from apps.bookings.actions.pay import settle
from apps.core.faults import fault_point
from apps.payments import gateway
from apps.payments.actions import ask_for_refund, record_refund
from apps.payments.models import Bill, Charge, ChargeStatus, Refund, RefundStatus

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=30)
BATCH = 50


def cancel_intent(*, charge_id: int, now: datetime) -> None:
    """Tell the processor that nobody waits for this payment any more.

    When it succeeded all the same, that is settled as a late success. Raises GatewayUnavailable.
    """
    charge = Charge.objects.get(pk=charge_id)
    if charge.status != ChargeStatus.CANCELED or not (charge.intent_id or charge.setup_intent_id):
        return
    fault_point("cancel_intent.before")
    outcome = gateway.cancel(intent_id=charge.intent_id, setup_intent_id=charge.setup_intent_id)
    settle(charge_id=charge_id, outcome=outcome, now=now)


def carry_out_refund(*, refund_id: int) -> None:
    """The worker's part of a refund; safe to run twice. Raises GatewayUnavailable."""
    refund = Refund.objects.select_related("charge").get(pk=refund_id)
    if refund.status != RefundStatus.PENDING:
        return
    fault_point("refund.before")
    outcome = ask_for_refund(refund)
    fault_point("refund.asked")
    with transaction.atomic(durable=True):
        # In the order of everybody else who moves this money: the bill first.
        Bill.objects.select_for_update().get(pk=refund.charge.bill_id)
        record_refund(Refund.objects.select_for_update().get(pk=refund_id), outcome)
        fault_point("refund.written")
    fault_point("refund.committed")


def resume_refunds(*, now: datetime) -> int:
    """The sweep: take up refunds whose worker died. Returns how many were asked about."""
    waiting = Refund.objects.filter(status=RefundStatus.PENDING, updated_at__lt=now - PATIENCE).order_by("updated_at")
    count = 0
    for pk in list(waiting.values_list("pk", flat=True)[:BATCH]):
        Refund.objects.filter(pk=pk).update(updated_at=now)
        try:
            carry_out_refund(refund_id=pk)
        except gateway.GatewayUnavailable:
            logger.warning("refund %s: the processor is away", pk)
        count += 1
    return count
