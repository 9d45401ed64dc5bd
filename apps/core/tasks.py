"""The beat tasks of the core."""

from celery import shared_task
from django.utils import timezone

from apps.core import outbox, promises, retention, versions


@shared_task(name="core.send_outbox")
def send_outbox() -> None:
    now = timezone.now()
    promises.look_again(now=now)
    outbox.send_waiting(now=now)


@shared_task(name="core.forget")
def forget() -> None:
    retention.forget_all(now=timezone.now())


@shared_task(name=versions.TELL)
def tell_versions(tags: list[str]) -> None:
    versions.tell(tags)
