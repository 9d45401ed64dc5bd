"""The log of events: order, what is kept, and what is told to who was away."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from apps.live import selectors
from apps.live.actions import KEPT, number_waiting, publish, publish_waiting
from apps.live.models import LiveEvent
from schema.live.reading import read_new
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)


class Held:
    """A transaction with an event in it that commits when it is told to."""

    def __init__(self, topic: str) -> None:
        self._may_commit = threading.Event()
        self._is_written = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(topic,))
        self._thread.start()
        assert self._is_written.wait(300)

    def commit(self) -> None:
        self._may_commit.set()
        self._thread.join(300)

    def _run(self, topic: str) -> None:
        try:
            with transaction.atomic():
                publish(topic=topic)
                self._is_written.set()
                self._may_commit.wait(300)
        finally:
            connection.close()


def committed(topic: str) -> None:
    with transaction.atomic():
        publish(topic=topic)


def topics_after(position: int) -> tuple[list[str], int]:
    found = read_new(position)
    assert found is not None
    events, end = found
    return [event.topic for event in events], end


def test_an_event_that_commits_late_is_not_skipped() -> None:
    start = selectors.head()
    late = Held("notification:1")
    committed("notification:2")
    assert topics_after(start) == (["notification:2"], start + 1)

    late.commit()

    assert topics_after(start + 1) == (["notification:1"], start + 2)


def test_by_their_keys_the_late_one_would_be_skipped() -> None:
    late = Held("notification:1")
    committed("notification:2")
    seen = max(LiveEvent.objects.values_list("pk", flat=True))

    late.commit()

    assert LiveEvent.objects.count() == 2
    assert list(LiveEvent.objects.filter(pk__gt=seen)) == []


def test_a_reader_beside_many_writers_hears_everything_once_and_in_order() -> None:
    writers, each = 16, 6
    heard: list[str] = []
    is_over = threading.Event()

    def write(number: int) -> None:
        for turn in range(each):
            with transaction.atomic():
                publish(topic=f"notification:{number * each + turn}")
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_sleep(random() / 200)")

    def read() -> None:
        position = start
        while True:
            last_round = is_over.is_set()
            topics, position = topics_after(position)
            heard.extend(topics)
            if last_round and not topics:
                return

    def write_all() -> None:
        try:
            at_once([lambda number=number: write(number) for number in range(writers)])  # type: ignore[misc]
        finally:
            is_over.set()

    start = selectors.head()
    at_once([write_all, read, publish_sweeps(is_over)])
    assert sorted(heard) == sorted(f"notification:{number}" for number in range(writers * each))


def publish_sweeps(is_over: threading.Event):  # type: ignore[no-untyped-def]
    def sweep() -> None:
        while not is_over.wait(0.005):
            number_waiting()

    return sweep


def test_what_took_long_to_commit_is_kept_as_long_as_what_did_not() -> None:
    committed("notification:1")
    number_waiting()
    first = selectors.head()
    late = Held("notification:2")
    late.commit()
    # Its transaction began long ago, but nobody could see the event before now.
    LiveEvent.objects.filter(topic="notification:2").update(at=datetime.now(UTC) - 2 * KEPT)

    publish_waiting(now=datetime.now(UTC) + KEPT - timedelta(seconds=30))

    assert selectors.is_kept_since(first)
    assert topics_after(first) == (["notification:2"], first + 1)


def test_a_reader_that_was_away_too_long_knows_that_it_missed_something() -> None:
    committed("notification:1")
    number_waiting()
    here = selectors.head()
    for number in (2, 3, 4):
        committed(f"notification:{number}")
    number_waiting()
    LiveEvent.objects.filter(position__lt=here + 3).delete()
    assert read_new(here) is None
    assert topics_after(here + 2) == (["notification:4"], here + 3)

    publish_waiting(now=datetime.now(UTC) + KEPT + timedelta(seconds=30))

    assert LiveEvent.objects.count() == 0
    assert read_new(here) is None
    assert topics_after(here + 3) == ([], here + 3)


def test_the_log_is_emptied_in_bounded_steps_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.live.actions.PURGED_AT_ONCE", 4)
    for number in range(10):
        committed(f"notification:{number}")
    later = datetime.now(UTC) + KEPT + timedelta(seconds=30)
    left = []
    for _ in range(4):
        publish_waiting(now=later)
        left.append(list(LiveEvent.objects.order_by("position").values_list("topic", flat=True)))
    assert left == [[f"notification:{number}" for number in range(start, 10)] for start in (4, 8, 10, 10)]
