"""Durable jobs: those that nothing but the job itself remembers are asked for again until a worker has done them.

The outbox forgets a job once the broker has it, and a broker can lose what it has. Most jobs are found again by a sweep of the
rows that they are about. A job without such rows is promised here:

    enqueue_until_done("payments.forget_card", payment_method=name)

and its task is a KeptTask, which crosses the promise out when it has succeeded. `look_again` sends what was not crossed out.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from celery import Task, current_app
from django.db import transaction
from django.db.models.functions import Now

from apps.core.correlation import luggage
from apps.core.models import OutboxMessage, PromisedJob
from apps.core.outbox import enqueue

logger = logging.getLogger(__name__)

PROMISE = "holdfast_promise"
# Longer than the longest pause between two tries of a task.
PATIENCE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(days=1)
BATCH = 500


def enqueue_until_done(task: str, **arguments: Any) -> None:
    """As `outbox.enqueue`, for a KeptTask: sent again, less and less often, until it has succeeded once."""
    job = PromisedJob.objects.create(task=task, arguments=arguments, look_again_at=Now() + PATIENCE)
    enqueue(task, carried={**luggage(), PROMISE: str(job.pk)}, **arguments)


def look_again(*, now: datetime) -> int:
    """The sweep: put jobs into the outbox again that no worker was heard of for a while. Returns how many."""
    total = 0
    while count := _look_again_at_some(now=now):
        total += count
    return total


def _look_again_at_some(*, now: datetime) -> int:
    with transaction.atomic(durable=True):
        due = PromisedJob.objects.select_for_update(skip_locked=True).filter(look_again_at__lte=now)
        jobs = list(due.order_by("look_again_at")[:BATCH])
        for job in jobs:
            if job.created_at <= now - _useful_for(job.task):
                logger.error("%s is given up after %s tries: promise %s", job.task, job.tries, job.pk)
                job.delete()
                continue
            job.tries += 1
            job.look_again_at = now + min(PATIENCE * 2 ** min(job.tries, 10), LONGEST_PAUSE)
            job.save(update_fields=["tries", "look_again_at"])
            logger.warning("nothing was heard of %s, promise %s: it is sent again", job.task, job.pk)
            OutboxMessage.objects.create(task=job.task, arguments=job.arguments, luggage={PROMISE: str(job.pk)})
    return len(jobs)


def _useful_for(task: str) -> timedelta:
    known = current_app.tasks.get(task)
    return known.useful_for if isinstance(known, KeptTask) else KeptTask.useful_for


class KeptTask(Task):  # type: ignore[type-arg]
    """A task whose promise is crossed out once it has succeeded. One that was crossed out already is not run again.

    `useful_for` is how long after it was promised it is still worth doing; then it is given up.
    """

    # Who has failed for so long will not succeed.
    useful_for = timedelta(days=30)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = str(getattr(self.request, PROMISE, None) or "")
        if not name.isdecimal():
            return super().__call__(*args, **kwargs)
        promise = PromisedJob.objects.filter(pk=int(name))
        # A worker has it: nobody looks for it before this try has had its time.
        if not promise.update(look_again_at=Now() + PATIENCE):
            return None
        result = super().__call__(*args, **kwargs)
        promise.delete()
        return result
