"""The worker's door to what integrators are told."""

from celery import shared_task
from django.utils import timezone

from apps.integrations import sender


@shared_task(name="integrations.deliver")
def deliver() -> None:
    sender.send_due(clock=timezone.now)
