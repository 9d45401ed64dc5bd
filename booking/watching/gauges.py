"""What stands in the ledgers, in the outbox and in the queues at this moment, asked when somebody looks.

Each statement reads a small partial index, or stops counting at MOST; all of them run under a time-out and in one
read-only transaction. What could not be asked is left out and said by `holdfast_part_up`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from amqp.exceptions import NotFound
from django.conf import settings
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from booking.watching.deadlines import Bounded, TooLate
from booking.watching.health import SECONDS, connected_broker, own_connection

logger = logging.getLogger(__name__)

STATEMENT_MILLISECONDS = 1500
DATABASE_SECONDS = 4.0
# Beyond so many rows it does not matter how many there are.
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Ask:
    """A statement and the gauges that its columns are: those named in `labels` first, then one for each metric."""

    sql: str
    metrics: Sequence[tuple[str, str]]
    labels: Sequence[str] = field(default=())
    # In seconds: how long an answer is good for.
    keeps: float = 0.0


def _line(name: str, what: str, rows: str, moment: str) -> Ask:
    """Of something that is worked off in order: how many wait, and how long the first of them has."""
    return Ask(
        f"SELECT count(*), coalesce(greatest(0, extract(epoch FROM now() - min({moment}))), 0)"  # noqa: S608
        f" FROM (SELECT {moment} FROM {rows} LIMIT {MOST}) AS waiting",
        (
            (f"holdfast_{name}_waiting", f"{what} that wait, {MOST} at most."),
            (f"holdfast_{name}_oldest_seconds", f"How long the first of the {what.lower()} that wait has been due."),
        ),
    )


ASKS: tuple[Ask, ...] = (
    Ask(
        "SELECT listing.kind, booking.status, count(*) FROM bookings_booking AS booking"
        " JOIN listings_listing AS listing ON listing.id = booking.listing_id"
        " WHERE booking.status = 'PENDING' GROUP BY 1, 2"
        " UNION ALL SELECT listing.kind, booking.status, count(*) FROM bookings_booking AS booking"
        " JOIN listings_listing AS listing ON listing.id = booking.listing_id"
        " WHERE booking.status IN ('CONFIRMED', 'CHECKED_IN') GROUP BY 1, 2",
        (("holdfast_bookings", "Bookings that take a place: held (PENDING), CONFIRMED or CHECKED_IN."),),
        ("kind", "status"),
        keeps=60,
    ),
    Ask(
        "SELECT coalesce(greatest(0, extract(epoch FROM now() - min(expires_at))), 0)"
        " FROM bookings_booking WHERE status = 'PENDING'",
        (("holdfast_hold_overdue_seconds", "How long ago the hold ran out that should have been given up first."),),
    ),
    Ask(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM core_outboxmessage LIMIT 10000) AS waiting), coalesce("
        "(SELECT greatest(0, extract(epoch FROM now() - created_at)) FROM core_outboxmessage ORDER BY id LIMIT 1), 0)",
        (
            ("holdfast_outbox_waiting", f"Jobs promised and not sent, {MOST} at most."),
            ("holdfast_outbox_oldest_seconds", "How long the first of the jobs not sent has waited."),
        ),
    ),
    _line(
        "webhook_inbox",
        "Events of the card processor",
        "payments_webhookevent WHERE handled_at IS NULL",
        "received_at",
    ),
    _line(
        "open_charges",
        "Charges without an outcome",
        "payments_charge WHERE status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION')",
        "created_at",
    ),
    _line("open_refunds", "Refunds without an outcome", "payments_refund WHERE status = 'PENDING'", "created_at"),
    _line(
        "deliveries",
        "Messages to webhook endpoints",
        "integrations_webhookdelivery WHERE status = 'PENDING'",
        "next_try_at",
    ),
    _line("letters", "Letters", "notifications_letter WHERE next_try_at IS NOT NULL", "next_try_at"),
    _line("live_events", "Events to be pushed", "live_liveevent WHERE position IS NULL", "at"),
    Ask(
        f"SELECT count(*) FROM (SELECT 1 FROM notifications_letter WHERE failed_at IS NOT NULL LIMIT {MOST}) AS dead",  # noqa: S608
        (("holdfast_letters_given_up", f"Letters that were given up, {MOST} at most."),),
    ),
)
PART_UP = "holdfast_part_up"
QUEUE_DEPTH = "holdfast_queue_depth"


def ask_database(asks: Iterable[Ask]) -> list[tuple[Ask, list[tuple[Any, ...]]]]:
    """The rows of each statement."""
    connection = own_connection()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"BEGIN READ ONLY; SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}")
            found = []
            for ask in asks:
                cursor.execute(ask.sql)
                found.append((ask, cursor.fetchall()))
            return found
    finally:
        connection.close()


def ask_queues() -> dict[str, int]:
    """How many jobs wait in each queue."""
    depths: dict[str, int] = {}
    with connected_broker() as broker:
        for queue in settings.CELERY_TASK_QUEUES:
            with broker.channel() as channel:
                try:
                    depths[queue.name] = channel.queue_declare(queue.name, passive=True).message_count
                except (NotFound, *broker.channel_errors):
                    # A queue that is empty is not there at all.
                    depths[queue.name] = 0
    return depths


class SystemCollector(Collector):
    """The gauges, for `prometheus_client`. Any process of the product may show them: they are the same in each."""

    def __init__(self) -> None:
        self._kept: dict[Ask, tuple[float, list[tuple[Any, ...]]]] = {}
        self._database = Bounded(self._ask_database, seconds=DATABASE_SECONDS)
        self._queues = Bounded(ask_queues, seconds=SECONDS)

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(PART_UP, "Whether a part could be asked when these metrics were.", labels=["part"])
        yield from self._of_the_database(up)
        yield from self._of_the_queues(up)
        yield up

    def _ask_database(self) -> list[tuple[Ask, list[tuple[Any, ...]]]]:
        now = monotonic()
        due = [ask for ask in ASKS if ask not in self._kept or now - self._kept[ask][0] >= ask.keeps]
        for ask, rows in ask_database(due):
            self._kept[ask] = (now, rows)
        return [(ask, self._kept[ask][1]) for ask in ASKS]

    def _of_the_database(self, up: GaugeMetricFamily) -> Iterator[Metric]:
        try:
            found = self._database()
        except TooLate:
            found = []
        except Exception as error:
            logger.warning("the gauges of the database could not be asked: %s", error)
            found = []
        up.add_metric(["database"], float(bool(found)))
        for ask, rows in found:
            yield from _families(ask, rows)

    def _of_the_queues(self, up: GaugeMetricFamily) -> Iterator[Metric]:
        try:
            depths = self._queues()
        except TooLate:
            depths = {}
        except Exception as error:
            logger.warning("the queues could not be asked: %s", error)
            depths = {}
        up.add_metric(["queues"], float(bool(depths)))
        if depths:
            family = GaugeMetricFamily(QUEUE_DEPTH, "Jobs that wait in a queue of the broker.", labels=["queue"])
            for queue, depth in depths.items():
                family.add_metric([queue], depth)
            yield family


def _families(ask: Ask, rows: list[tuple[Any, ...]]) -> Iterator[Metric]:
    width = len(ask.labels)
    for column, (name, what) in enumerate(ask.metrics, start=width):
        family = GaugeMetricFamily(name, what, labels=ask.labels)
        for row in rows:
            family.add_metric([str(each) for each in row[:width]], float(row[column]))
        yield family


def names() -> set[str]:
    """The gauges that there can be."""
    return {name for ask in ASKS for name, _ in ask.metrics} | {PART_UP, QUEUE_DEPTH}
