"""The beat task of the log."""

from celery import shared_task
from django.utils import timezone

from apps.live import actions


@shared_task(name="live.publish_waiting")
def publish_waiting() -> None:
    actions.publish_waiting(now=timezone.now())
