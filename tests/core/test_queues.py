"""Each job has its line, and a line that is long keeps nobody waiting in another one."""

import os
from datetime import UTC, datetime
from functools import partial

import pytest
from celery import current_app
from django.conf import settings
from redis import Redis

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.payments.models import Charge, ChargeStatus
from booking.queues import BULK, QUEUES, ROUTES
from tests.bookings.life import VISA, held
from tests.recipes import make_event
from tests.serving import Site, eventually

# Each asks the processor, so that the worker is at it for a while. Where the payment waits for all of them there are fewer, or on a
# slow machine the sweep of open payments comes first.
FLOOD, SHORT_FLOOD = 200, 40


def jobs() -> set[str]:
    current_app.loader.import_default_modules()
    return {name for name in current_app.tasks if not name.startswith("celery.")}


def test_every_job_is_in_one_line_and_every_line_is_of_jobs() -> None:
    in_line = [task for tasks in QUEUES.values() for task in tasks]
    assert len(in_line) == len(set(in_line))
    assert set(in_line) == jobs()
    assert ROUTES == settings.CELERY_TASK_ROUTES
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= jobs()


def test_the_broker_is_told_so() -> None:
    router = current_app.amqp.router
    told = {task: router.route({}, task)["queue"].name for task in jobs()}
    assert told == {task: queue for queue, tasks in QUEUES.items() for task in tasks}
    assert [queue.name for queue in settings.CELERY_TASK_QUEUES] == list(QUEUES)


def waiting(queue: str) -> int:
    with Redis.from_url(os.environ["REDIS_URL"]) as broker:
        return int(broker.llen(f"holdfast:{queue}"))


def paid_behind_a_flood(site: Site, flood: int) -> int:
    """How many slow jobs still waited once somebody had paid who came after all of them."""
    booking: Booking = held(make_event(tickets=5), now=datetime.now(UTC), tickets=1)
    site.rest()
    with current_app.connection_for_write() as connection, connection.Producer() as producer:
        for number in range(flood):
            arguments = {"payment_method": f"pm_{number}"}
            current_app.send_task("payments.forget_card", kwargs=arguments, producer=producer)
    charge = actions.pay(viewer=booking.guest, booking_id=booking.pk, payment_method=VISA, now=datetime.now(UTC))
    # One is with the worker already, which was waiting for it when it was halted.
    assert waiting(BULK) >= flood - 1
    site.resume()
    succeeded = Charge.objects.filter(pk=charge.pk, status=ChargeStatus.SUCCEEDED)
    eventually(succeeded.exists, "the payment is carried out", seconds=120)
    left = waiting(BULK)
    with Redis.from_url(os.environ["REDIS_URL"]) as broker:
        broker.delete(f"holdfast:{BULK}")
    return left


@pytest.mark.django_db(transaction=True)
def test_a_flood_of_slow_work_keeps_no_payment_waiting(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one worker for all lines. Where a payment stands in the same line, it comes last."""
    assert paid_behind_a_flood(site, FLOOD) > FLOOD * 0.2
    in_line = partial(current_app.send_task, queue=BULK)
    monkeypatch.setattr(current_app, "send_task", in_line)
    assert paid_behind_a_flood(site, SHORT_FLOOD) < SHORT_FLOOD * 0.1
