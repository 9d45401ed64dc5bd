"""What beat asks for again and again, and what goes before it."""

import uuid
from typing import Any, cast

from celery.schedules import crontab
from django.conf import settings
from kombu import Connection, Message


def test_sweeps_that_nobody_carried_out_do_not_pile_up() -> None:
    longest = 3 * settings.SWEEP_SECONDS
    schedule = cast(dict[str, dict[str, Any]], settings.CELERY_BEAT_SCHEDULE)
    sweeps = {name: entry for name, entry in schedule.items() if not isinstance(entry["schedule"], crontab)}
    assert {"send-outbox", "expire-holds", "resume"} <= sweeps.keys()
    assert {name: entry["options"]["expires"] for name, entry in sweeps.items()} == dict.fromkeys(sweeps, longest)


def test_a_worker_begins_with_what_somebody_waits_for_whatever_came_before() -> None:
    taken: list[str] = []

    def take(body: str, message: Message) -> None:
        taken.append(body)
        message.ack()

    # Names of its own: another test's worker takes nothing of this.
    prefix = f"test-{uuid.uuid4().hex}:"
    options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "global_keyprefix": prefix}
    with Connection(settings.CELERY_BROKER_URL, transport_options=options) as connection:
        producer = connection.Producer(serializer="json")
        queues = settings.CELERY_TASK_QUEUES
        payments, *others = queues
        for queue, body in [*[(other, other.name) for other in reversed(others)] * 20, (payments, "payment")]:
            producer.publish(body, exchange=queue.exchange, routing_key=queue.routing_key, declare=[queue])
        with connection.Consumer(queues, callbacks=[take]) as consumer:
            consumer.qos(prefetch_count=1)
            for _ in range(61):
                connection.drain_events(timeout=300)
        for queue in queues:
            queue.bind(connection.default_channel).delete()
    assert taken == ["payment", *["notifications"] * 20, *["sweeps"] * 20, *["bulk"] * 20]
