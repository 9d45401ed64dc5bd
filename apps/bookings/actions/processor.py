"""What goes between us and the card processor besides a payment: cancelations and refunds."""

from datetime import datetime, timedelta

from django.db import transaction

from apps.bookings.actions.pay import settle
from apps.bookings.actions.sweeping import for_each
from apps.core.faults import fault_point
from apps.payments import gateway
from apps.payments.actions import record_refund
from apps.payments.asking import ask_for_refund
from apps.payments.models import OPEN_STATUSES, Bill, Charge, ChargeStatus, Refund, RefundStatus

PATIENCE = timedelta(seconds=30)
BATCH = 50


def cancel_intent(*, charge_id: int, now: datetime) -> None:
    """Tell the processor that nobody waits for this payment any more.

    When it succeeded all the same, that is settled as a late success. Raises GatewayUnavailable.
    """
    charge = Charge.objects.get(pk=charge_id)
    if charge.status == ChargeStatus.CANCELED and (charge.intent_id or charge.setup_intent_id):
        fault_point("cancel_intent.before")
        outcome = gateway.cancel(intent_id=charge.intent_id, setup_intent_id=charge.setup_intent_id)
        fault_point("cancel_intent.asked")
        settle(charge_id=charge_id, outcome=outcome, now=now)
        if outcome.status in OPEN_STATUSES:
            # The bank is at it: it will be asked again what came of it.
            return
    Charge.objects.filter(pk=charge_id).update(cancel_asked_at=None)


def resume_cancelations(*, now: datetime) -> int:
    """The sweep: tell the processor of cancelations that it has not heard of. Returns how many were tried."""
    waiting = Charge.objects.filter(cancel_asked_at__lt=now - PATIENCE).order_by("cancel_asked_at")

    def take_up(pk: int) -> None:
        Charge.objects.filter(pk=pk, cancel_asked_at__isnull=False).update(cancel_asked_at=now)
        cancel_intent(charge_id=pk, now=now)

    return for_each(list(waiting.values_list("pk", flat=True)[:BATCH]), take_up, what="cancelation of charge")


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

    def take_up(pk: int) -> None:
        Refund.objects.filter(pk=pk).update(updated_at=now)
        carry_out_refund(refund_id=pk)

    return for_each(list(waiting.values_list("pk", flat=True)[:BATCH]), take_up, what="refund")
