"""The beat tasks of the core."""

from celery import shared_task
from django.utils import timezone

from apps.core import outbox


@shared_task(name="core.send_outbox")
def send_outbox() -> None:
    outbox.send_waiting(now=timezone.now())
