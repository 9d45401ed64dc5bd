"""The worker's door: each task is one call, idempotent, and comes again while the processor is away."""

from datetime import timedelta
from typing import Any

from celery import Task, shared_task
from django.utils import timezone

from apps.bookings import actions
from apps.payments.gateway import GatewayUnavailable

# Short waits here; whatever is still open afterwards is found by the sweep.
AGAIN: dict[str, Any] = {
    "autoretry_for": (GatewayUnavailable,),
    "retry_backoff": 1,
    "retry_backoff_max": 8,
    "retry_jitter": True,
    "max_retries": 4,
}
# The daily comparison looks further back than a day, so that a day without it is caught up with.
LOOK_BACK = timedelta(days=3)


class QuietTask(Task):  # type: ignore[type-arg]
    """A task that gave up leaves its work to the sweep; that is no error."""

    throws = (GatewayUnavailable,)


@shared_task(name="bookings.carry_out_payment", base=QuietTask, **AGAIN)
def carry_out_payment(*, charge_id: int) -> None:
    actions.carry_out_payment(charge_id=charge_id, now=timezone.now())


@shared_task(name="bookings.carry_out_refund", base=QuietTask, **AGAIN)
def carry_out_refund(*, refund_id: int) -> None:
    actions.carry_out_refund(refund_id=refund_id)


@shared_task(name="bookings.cancel_intent", base=QuietTask, **AGAIN)
def cancel_intent(*, charge_id: int) -> None:
    actions.cancel_intent(charge_id=charge_id, now=timezone.now())


@shared_task(name="bookings.handle_event", base=QuietTask, **AGAIN)
def handle_event(*, event_id: str) -> None:
    actions.handle_event(event_id=event_id, now=timezone.now())


@shared_task(name="bookings.expire_holds")
def expire_holds() -> None:
    now = timezone.now()
    actions.expire_holds(now=now)
    actions.give_up_unanswered(now=now)


@shared_task(name="bookings.complete_ended")
def complete_ended() -> None:
    now = timezone.now()
    actions.complete_ended(now=now)
    actions.finish_due(now=now)


@shared_task(name="bookings.resume")
def resume() -> None:
    now = timezone.now()
    actions.resume_payments(now=now)
    actions.resume_cancelations(now=now)
    actions.resume_refunds(now=now)
    actions.resume_events(now=now)


@shared_task(name="bookings.collect_debts")
def collect_debts() -> None:
    actions.collect_debts(now=timezone.now())


@shared_task(name="bookings.remind")
def remind() -> None:
    actions.remind_due(now=timezone.now())


@shared_task(name="bookings.reconcile", base=QuietTask, **AGAIN)
def reconcile() -> None:
    now = timezone.now()
    actions.reconcile(since=now - LOOK_BACK, now=now)
