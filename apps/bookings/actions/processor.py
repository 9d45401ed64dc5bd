"""What goes between us and the card processor besides a payment: cancelations, refunds, its webhooks."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from apps.bookings.actions.pay import settle
from apps.core.db import unit_of_work
from apps.core.outbox import enqueue
from apps.payments import gateway
from apps.payments.actions import ask_for_refund, record_refund
from apps.payments.models import Charge, ChargeStatus, Refund, RefundStatus, WebhookEvent

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
    outcome = gateway.cancel(intent_id=charge.intent_id, setup_intent_id=charge.setup_intent_id)
    settle(charge_id=charge_id, outcome=outcome, now=now)


def carry_out_refund(*, refund_id: int) -> None:
    """The worker's part of a refund; safe to run twice. Raises GatewayUnavailable."""
    refund = Refund.objects.select_related("charge").get(pk=refund_id)
    if refund.status != RefundStatus.PENDING:
        return
    outcome = ask_for_refund(refund)
    with transaction.atomic(durable=True):
        record_refund(Refund.objects.select_for_update().get(pk=refund_id), outcome)


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


@unit_of_work
def receive_event(*, event: gateway.Event, now: datetime) -> bool:
    """Keep the event once, by its id, and leave the rest to a worker. Returns whether it was new."""
    row = WebhookEvent(event_id=event.event_id, type=event.type[:100], object_id=event.object_id[:255], received_at=now)
    WebhookEvent.objects.bulk_create([row], ignore_conflicts=True)
    kept = WebhookEvent.objects.get(event_id=event.event_id)
    if kept.received_at != now:
        return False
    enqueue("bookings.handle_event", event_id=event.event_id)
    return True


def handle_event(*, event_id: str, now: datetime) -> None:
    """Ask the processor what the event is about, and settle that. Unknown types are kept and ignored.

    Raises GatewayUnavailable.
    """
    event = WebhookEvent.objects.get(event_id=event_id)
    if event.handled_at is not None:
        return
    if event.type.startswith("payment_intent."):
        _settle_intent(intent_id=event.object_id, now=now)
    elif event.type.startswith("setup_intent."):
        _settle_intent(setup_intent_id=event.object_id, now=now)
    WebhookEvent.objects.filter(pk=event.pk).update(handled_at=now)


def _settle_intent(*, intent_id: str = "", setup_intent_id: str = "", now: datetime) -> None:
    known = (
        Charge.objects.filter(intent_id=intent_id)
        if intent_id
        else Charge.objects.filter(setup_intent_id=setup_intent_id)
    )
    charge = known.first()
    if charge is None:
        # Not written down yet: the worker that asked for it will settle it, or the sweep.
        return
    outcome = gateway.look_up(intent_id=intent_id, setup_intent_id=setup_intent_id)
    settle(charge_id=charge.pk, outcome=outcome, now=now)


def resume_events(*, now: datetime) -> int:
    """The sweep: handle events that were received and not handled. Returns how many."""
    waiting = WebhookEvent.objects.filter(handled_at=None, received_at__lt=now - PATIENCE).order_by("received_at")
    count = 0
    for event_id in list(waiting.values_list("event_id", flat=True)[:BATCH]):
        try:
            handle_event(event_id=event_id, now=now)
        except gateway.GatewayUnavailable:
            logger.warning("event %s: the processor is away", event_id)
            break
        count += 1
    return count
