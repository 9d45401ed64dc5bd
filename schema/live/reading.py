"""What the hub reads: the log, for all at once or for one who missed something, and whether a stream may begin.

Everything here runs in worker threads, since it asks the database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.db import close_old_connections

from apps.listings.selectors import any_listings_by_id
from apps.live import selectors as log
from apps.live.actions import number_waiting
from apps.live.models import LiveEvent
from schema.core.engine import Engine, Operation
from schema.core.limits import REQUESTS
from schema.live.feeds import Event
from schema.live.map_index import holds
from schema.live.streams import Caller, Stream, open_stream, user_now

AVAILABILITY = "availability"
BATCH = 500
# A client that missed more is told to query again.
MOST_MISSED = 1_000

Result = TypeVar("Result")


def in_database(work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """Calls it with a connection that is known to work."""
    close_old_connections()
    try:
        return work(*arguments, **named)
    finally:
        close_old_connections()


def events_of(rows: list[LiveEvent]) -> list[Event]:
    """The rows with their listings. Of a booking the last is enough: its state is read when it is told."""
    last = {row.topic: row.position for row in rows if not row.topic.startswith(f"{AVAILABILITY}:")}
    events = [
        Event(row.pk, row.position or 0, row.topic, row.at, row.data)
        for row in rows
        if not row.topic.startswith("booking:") or last[row.topic] == row.position
    ]
    about = [event for event in events if event.kind == AVAILABILITY]
    listings = any_listings_by_id(listing_ids={event.subject for event in about}) if about else {}
    for event in about:
        event.listing = listings.get(event.subject)
    return events


def read_new(position: int) -> tuple[list[Event], int] | None:
    """The events after the position, and up to where that is; None when some of them are forgotten already."""
    number_waiting()
    rows = log.events_after(position, limit=BATCH)
    if not rows:
        if log.head() <= position:
            return [], position
        # Numbers were given since: once they are visible the rows are there, unless they were forgotten.
        number_waiting()
        rows = log.events_after(position, limit=BATCH)
    positions = [row.position for row in rows if row.position is not None]
    if not positions or (positions[0] > position + 1 and not log.is_kept_since(position)):
        return None
    return events_of(rows), positions[-1]


def read_missed(stream: Stream, position: int, until: int) -> list[Event] | None:
    """The stream's own events in (position, until]; None for more than can be told."""
    # What has a number below `until` is to be visible, not about to be.
    number_waiting()
    kind = AVAILABILITY if stream.feed.box is not None else None
    rows = log.events_about(stream.feed.topics, kind=kind, position=position, until=until, limit=20 * MOST_MISSED)
    if len(rows) == 20 * MOST_MISSED:
        return None
    events = [event for event in events_of(rows) if concerns(stream, event)]
    return events if len(events) <= MOST_MISSED else None


def concerns(stream: Stream, event: Event) -> bool:
    """Whether the event is one of the stream's, whoever may see it."""
    if event.topic in stream.feed.topics:
        return True
    box, listing = stream.feed.box, event.listing
    if box is None or listing is None or listing.latitude is None or listing.longitude is None:
        return False
    return holds(box, listing.latitude, listing.longitude)


def begin(
    engine: Engine, operation: Operation, caller: Caller, after: int | None, now: datetime
) -> tuple[Stream, int, bool]:
    """The stream, where in the log it begins, and whether what came after that is still known.

    Raises StreamRefused, TokenRefused and RateLimited.
    """
    # First of all: what is committed from now on is told.
    number_waiting()
    start, is_known = log.head(), True
    if after is not None:
        is_known = log.is_kept_since(after)
        start = after if is_known else start
    context = caller.context(now=now, user=user_now(caller, now=now))
    REQUESTS.spend_by(context)
    return open_stream(engine, operation, caller=caller, context=context), start, is_known
