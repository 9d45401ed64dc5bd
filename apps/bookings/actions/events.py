"""The processor's webhooks: kept at once, carried out by a worker, and never believed without asking again."""

from datetime import datetime, timedelta

from apps.bookings.actions.outside import note_dispute, take_over_refunds
from apps.bookings.actions.pay import settle
from apps.bookings.actions.sweeping import for_each
from apps.core.db import unit_of_work
from apps.core.faults import fault_point
from apps.core.outbox import enqueue
from apps.payments import gateway
from apps.payments.models import Charge, ChargeStatus, WebhookEvent

PATIENCE = timedelta(seconds=30)
BATCH = 50
# What changes the refunds of a payment, whoever made them.
REFUND_EVENTS = ("charge.refunded", "charge.refund.updated", "refund.")


@unit_of_work
def receive_event(*, event: gateway.Event, now: datetime) -> bool:
    """Keep the event once, by its id, and leave the rest to a worker. Returns whether it was new."""
    row = WebhookEvent(
        event_id=event.event_id,
        type=event.type[:100],
        object_id=event.object_id[:255],
        intent_id=event.intent_id[:255],
        received_at=now,
    )
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
        settle_intent(intent_id=event.object_id, now=now)
    elif event.type.startswith("setup_intent."):
        settle_intent(setup_intent_id=event.object_id, now=now)
    elif event.type.startswith("charge.dispute."):
        note_dispute(dispute_id=event.object_id)
    elif event.type.startswith(REFUND_EVENTS) and event.intent_id:
        # The payment itself may be news to us as well: what went back of it was captured first.
        settle_intent(intent_id=event.intent_id, now=now)
        take_over_refunds(intent_id=event.intent_id, now=now)
    fault_point("event.handled")
    WebhookEvent.objects.filter(pk=event.pk).update(handled_at=now)


def settle_intent(*, intent_id: str = "", setup_intent_id: str = "", now: datetime) -> None:
    """Settle what the processor says of an intent now; nothing where no charge of ours is known by it.

    Raises GatewayUnavailable.
    """
    known = (
        Charge.objects.filter(intent_id=intent_id)
        if intent_id
        else Charge.objects.filter(setup_intent_id=setup_intent_id)
    )
    charge = known.first() or (_of_lost_answer(intent_id) if intent_id else None)
    if charge is None:
        # Not written down yet: the worker that asked for it will settle it, or the sweep.
        return
    outcome = gateway.look_up(intent_id=intent_id, setup_intent_id=setup_intent_id)
    settle(charge_id=charge.pk, outcome=outcome, now=now)


def _of_lost_answer(intent_id: str) -> Charge | None:
    """The charge that the payment succeeded for, although the answer to who asked for it never came."""
    told = gateway.payment(intent_id=intent_id)
    if told is None or told.charge_id is None or told.status is not ChargeStatus.SUCCEEDED:
        return None
    asked = Charge.objects.filter(
        pk=told.charge_id, intent_id="", amount_minor=told.amount.minor, currency=told.amount.currency
    )
    return asked.first()


def resume_events(*, now: datetime) -> int:
    """The sweep: handle events that were received and not handled. Returns how many were tried."""
    # In any order, so that some that fail every time never stand before all others.
    waiting = WebhookEvent.objects.filter(handled_at=None, received_at__lt=now - PATIENCE).order_by("?")

    def take_up(event_id: str) -> None:
        handle_event(event_id=event_id, now=now)

    return for_each(list(waiting.values_list("event_id", flat=True)[:BATCH]), take_up, what="event")
