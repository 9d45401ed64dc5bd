"""The Celery application: `celery -A booking worker` and `celery -A booking beat`."""

import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")

app = Celery("booking")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def bound_worker(**_: object) -> None:
    """Before a worker opens a session. Commands of `manage.py`, migrations and imports among them, wait as long as it takes."""
    from django.conf import settings

    from apps.core.timeouts import bound_sessions

    bound_sessions(settings.WORKER_TIMEOUTS)
