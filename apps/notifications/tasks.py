"""The worker's door to what people are told."""

from celery import shared_task
from django.utils import timezone

from apps.core.promises import KeptTask
from apps.notifications import actions, mailing


@shared_task(name="notifications.deliver", base=KeptTask)
def deliver(*, announcement_id: int) -> None:
    actions.deliver(announcement_id=announcement_id, now=timezone.now())


@shared_task(name="notifications.send_letters")
def send_letters() -> None:
    mailing.send_due(now=timezone.now())
