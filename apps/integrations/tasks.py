"""The worker's door to what integrators are told."""

from celery import shared_task
from django.utils import timezone

from apps.integrations import recording, sender


@shared_task(name="integrations.deliver")
def deliver() -> None:
    sender.send_due(clock=timezone.now)


@shared_task(name="integrations.forget_old")
def forget_old() -> None:
    recording.forget_old(now=timezone.now())
