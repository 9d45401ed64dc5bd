"""The worker's door to what concerns money alone."""

from celery import shared_task

from apps.core.promises import KeptTask
from apps.payments import cards
from apps.payments.gateway import GatewayUnavailable


@shared_task(
    name="payments.forget_card",
    base=KeptTask,
    autoretry_for=(GatewayUnavailable,),
    retry_backoff=1,
    retry_backoff_max=600,
    max_retries=20,
)
def forget_card(*, payment_method: str) -> None:
    cards.forget_at_processor(payment_method=payment_method)
