"""Watches Celery: each job goes on with the work of the request that promised it, and is counted."""

import logging
import time
from functools import cache
from typing import Any

from celery import signals, states
from django.conf import settings

from apps.core import correlation, metrics
from apps.core.correlation import REQUEST_ID, Work
from booking.watching.serving import Watching

jobs = logging.getLogger("holdfast.jobs")

_OUTCOMES = {states.SUCCESS: "ok", states.RETRY: "retried"}
# By the id of the job: when it began and what to go back to.
_running: dict[str, tuple[float, Any]] = {}
_serving: list[Watching] = []


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Whoever listens to this signal keeps Celery from setting up logs of its own."""


@signals.task_prerun.connect
def begin(task_id: str, task: Any, **_: Any) -> None:
    name = correlation.sane_id(getattr(task.request, REQUEST_ID, None))
    _running[task_id] = (time.perf_counter(), correlation.begin(Work(request_id=name, operation=task.name)))


@signals.task_postrun.connect
def end(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    if task_id not in _running:
        return
    started, token = _running.pop(task_id)
    seconds = time.perf_counter() - started
    outcome = _OUTCOMES.get(state or "", "failed")
    # Sweeps come every few seconds and mostly find nothing.
    level = logging.DEBUG if task.name in _swept() else logging.INFO
    jobs.log(level, "%s %s %.1f ms", task.name, outcome, seconds * 1000)
    correlation.end(token)
    metrics.TASKS.labels(task.name, outcome).inc()
    metrics.TASK_SECONDS.labels(task.name).observe(seconds)
    if outcome == "ok":
        metrics.TASK_LAST_SUCCESS.labels(task.name).set(time.time())


@cache
def _swept() -> frozenset[str]:
    return frozenset(str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values())


@signals.worker_init.connect
@signals.beat_init.connect
def serve(**_: Any) -> None:
    if settings.METRICS_PORT:
        _serving.append(Watching(settings.METRICS_PORT))


@signals.worker_shutdown.connect
def stop(**_: Any) -> None:
    while _serving:
        _serving.pop().close()
