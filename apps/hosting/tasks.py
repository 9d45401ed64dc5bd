"""The worker's door to what hosts have asked for."""

from celery import shared_task
from django.utils import timezone

from apps.hosting import calendars


@shared_task(name="hosting.sync_calendars")
def sync_calendars() -> None:
    calendars.sync_due(now=timezone.now())
