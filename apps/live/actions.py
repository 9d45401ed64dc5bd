"""Writing events, and giving them their place in the log."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from apps.core.db import at_end, require_transaction
from apps.core.postgres.own import own_connection
from apps.core.prepared import Prepared
from apps.live.bell import ring
from apps.live.models import LiveEvent

# A listener that was away for less can be told what it missed; ten minutes are promised.
KEPT = timedelta(minutes=15)
PURGED_AT_ONCE = 10_000
# Any number that nobody else takes for an advisory lock.
NUMBERING_LOCK = 7_214_630_111

INSERT = Prepared(
    "tell_listeners",
    """
    INSERT INTO live_liveevent (topic, data)
    SELECT event.topic, event.data FROM unnest(%(topics)s, %(datas)s) WITH ORDINALITY AS event (topic, data, place)
    ORDER BY event.place
    """,
    topics="varchar[]",
    datas="jsonb[]",
)
IS_WAITING = "SELECT EXISTS (SELECT 1 FROM live_liveevent WHERE position IS NULL)"
NUMBER = """
    UPDATE live_liveevent AS event SET position = numbered.position, numbered_at = statement_timestamp()
    FROM (
        SELECT id, nextval('live_position') AS position
        FROM (SELECT id FROM live_liveevent WHERE position IS NULL ORDER BY id) AS waiting
    ) AS numbered
    WHERE event.id = numbered.id
"""


def publish(*, topic: str, data: dict[str, Any] | None = None) -> None:
    """Tell those who listen to the topic, when and only when the transaction commits.

    `data` is JSON and tells what cannot be read from the database later. Listeners are authorised for each event when it
    reaches them, so nothing needs to be hidden here.
    """
    publish_all([(topic, data or {})])


def publish_all(events: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """The same for many topics with their data."""
    require_transaction()
    if events:
        for topic, data in events:
            transaction.on_commit(_Unwritten(topic, data), robust=True)
        if not at_end(_write_down):
            _write_down()
        ring_after_commit()


class _Unwritten:
    """An event that is written down when the unit of work ends.

    It is among what is to be done after the commit, for Django forgets that with the savepoint that it came in.
    """

    def __init__(self, topic: str, data: dict[str, Any]) -> None:
        self.topic = topic
        self.data = data
        self.is_written = False

    def __call__(self) -> None:
        assert self.is_written, "an event was promised after its unit of work had ended"


def _write_down() -> None:
    """Write all events that this transaction has promised, in their order, by one statement."""
    promised: list[Any] = [entry[1] for entry in connection.run_on_commit]
    events = [event for event in promised if isinstance(event, _Unwritten) and not event.is_written]
    if events:
        INSERT.rows(topics=[event.topic for event in events], datas=[json.dumps(event.data) for event in events])
    for event in events:
        event.is_written = True


def ring_after_commit() -> None:
    """Wake those who tell the listeners, for whoever has written events by itself."""
    # Once is enough for a transaction, however much it changes.
    database = own_connection()
    if not any(entry[1] is ring for entry in database.run_on_commit):
        database.on_commit(ring, robust=True)


def number_waiting() -> int:
    """Give every committed event without a position the next one. Returns how many there were.

    When it returns, all events that were committed before the call have their position, whoever gave it.
    """
    with connection.cursor() as cursor:
        cursor.execute(IS_WAITING)
        if cursor.fetchone() == (False,):
            return 0
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        # One at a time: what has a lower position is visible before what has a higher one.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NUMBERING_LOCK])
        cursor.execute(NUMBER)
        return int(cursor.rowcount)


def publish_waiting(*, now: datetime) -> int:
    """The sweep: number what nobody came to number, ring for it, and forget what is old. Returns how many it numbered.

    The log is forgotten from its beginning: what is kept has no gap, so that its first position says what is missing.
    """
    numbered = number_waiting()
    if numbered:
        ring()
    old = LiveEvent.objects.filter(numbered_at__lt=now - KEPT, position__isnull=False)
    oldest = old.order_by("numbered_at", "position").values("pk")[:PURGED_AT_ONCE]
    LiveEvent.objects.filter(pk__in=oldest).delete()
    return numbered
