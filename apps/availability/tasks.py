"""The worker's door to the capacity ledger."""

from celery import shared_task
from django.utils import timezone

from apps.availability import auditing


@shared_task(name="availability.look_for_oversold")
def look_for_oversold() -> None:
    auditing.look(now=timezone.now())
