"""Begins to watch a process when Django starts in it."""

import gc
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created

from apps.core import correlation


class WatchingConfig(AppConfig):
    name = "booking.watching"
    label = "watching"

    def ready(self) -> None:
        from booking import checks  # noqa: F401 - and `manage.py check` asks them
        from booking.watching import jobs, reports, traces  # noqa: F401 - jobs listens to Celery from here on

        connection_created.connect(_count_statements_of, dispatch_uid="watching.statements")
        if settings.TRACES_URL:
            traces.start(settings.TRACES_URL)
        if settings.SENTRY_DSN:
            reports.start(settings.SENTRY_DSN, environment=settings.MODE)
        # What is there now stays: it is never looked through for garbage, not even when the process ends.
        gc.freeze()


def _count_statements_of(connection: Any, **_: Any) -> None:
    if _count_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_count_statement)


def _count_statement(execute: Any, sql: Any, parameters: Any, many: bool, context: Any) -> Any:
    present = correlation.current()
    if present is not None:
        present.statements += 1
    return execute(sql, parameters, many, context)
