"""Tells the subscriptions of this process what happens: the log is read once for all of them, in order.

A ring of the bell (`apps.live.bell`) or a timer lets the hub read what is new. Each event goes to the subscriptions whose
topic it has or whose map section holds its listing, found by look-ups; the others do not notice. A subscription that
begins where the log is longer, or comes back after a break, reads its own part first and then goes with the others.

The hub belongs to one event loop. Whatever asks the database runs in one worker thread, so that events keep their order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from django.conf import settings
from django.db import close_old_connections
from redis.asyncio import Redis
from redis.exceptions import RedisError

from apps.listings.selectors import any_listings_by_id
from apps.live import selectors as log
from apps.live.actions import number_waiting
from apps.live.bell import CHANNEL
from apps.live.models import LiveEvent
from schema.core.engine import Engine, Operation
from schema.core.limits import REQUESTS, caller_of
from schema.live.feeds import Event
from schema.live.map_index import MapIndex, holds
from schema.live.streams import Caller, Stream, Told, answer_all, open_stream, user_now, users_of

logger = logging.getLogger(__name__)

AVAILABILITY = "availability"
# Rings that come close together are one look at the log.
GATHER_SECONDS = 0.02
# How often the log is looked at without a ring: rarely, and often while the bell is broken.
LOOK_SECONDS = 5.0
LOOK_SECONDS_WITHOUT_BELL = 0.5
SESSIONS_SECONDS = 2.0
BATCH = 500
# So many subscriptions are answered before the loop gets to send.
CHUNK = 100
# A client that missed more is told to query again.
MOST_MISSED = 1_000

Result = TypeVar("Result")


class Sink(Protocol):
    """Where a subscription's messages go."""

    def told(self, position: int, result: dict[str, Any], body: dict[int, str]) -> None:
        """The result of an event. `body` is shared by all who get the same result: room to keep what was made of it."""

    def ended(self) -> None:
        """Nothing will come any more."""

    def fell_behind(self) -> None:
        """Something was missed and will not come."""


class Line(Protocol):
    """A connection of a caller that signed in."""

    caller: Caller

    def token_refused(self, state: str) -> None:
        """The token is EXPIRED or INVALID now."""


@dataclass(slots=True, eq=False)
class Subscription:
    """A stream with its place in the log. Until `is_live` it is reading its own part."""

    stream: Stream
    sink: Sink
    line: Line
    position: int
    is_live: bool = False
    is_over: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)


def _in_database(work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """Calls it with a connection that is known to work."""
    close_old_connections()
    try:
        return work(*arguments, **named)
    finally:
        close_old_connections()


def _events(rows: list[LiveEvent]) -> list[Event]:
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


def _read_new(position: int) -> tuple[list[Event], int]:
    """The events after the position, and up to where that is."""
    number_waiting()
    rows = log.events_after(position, limit=BATCH)
    return _events(rows), rows[-1].position or position if rows else position


def _read_missed(stream: Stream, position: int, until: int) -> list[Event] | None:
    """The stream's own events in (position, until]; None for more than can be told."""
    kind = AVAILABILITY if stream.feed.box is not None else None
    rows = log.events_about(stream.feed.topics, kind=kind, position=position, until=until, limit=20 * MOST_MISSED)
    if len(rows) == 20 * MOST_MISSED:
        return None
    events = [event for event in _events(rows) if concerns(stream, event)]
    return events if len(events) <= MOST_MISSED else None


def concerns(stream: Stream, event: Event) -> bool:
    """Whether the event is one of the stream's, whoever may see it."""
    if event.topic in stream.feed.topics:
        return True
    box, listing = stream.feed.box, event.listing
    if box is None or listing is None or listing.latitude is None or listing.longitude is None:
        return False
    return holds(box, listing.latitude, listing.longitude)


def _begin(
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
    REQUESTS.spend(caller_of(context))
    return open_stream(engine, operation, caller=caller, context=context), start, is_known


class Hub:
    """Start it on the loop that uses it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cursor = 0
        self.operations = ThreadPoolExecutor(2, "live-operations")
        self._answers = ThreadPoolExecutor(1, "live-answers")
        self._by_topic: dict[str, set[Subscription]] = defaultdict(set)
        self._by_place: MapIndex[Subscription] = MapIndex()
        self._count = 0
        self._lines: set[Line] = set()
        self._rung = asyncio.Event()
        self._has_bell = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(work()) for work in (self._read, self._hear, self._watch_sessions)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.operations.shutdown(wait=False, cancel_futures=True)
        self._answers.shutdown(wait=False, cancel_futures=True)

    async def call(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Run something that asks the database beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self.operations, _in_database, work, *arguments)

    async def subscribe(self, operation: Operation, *, line: Line, sink: Sink, after: int | None) -> Subscription:
        """Begin to tell the sink what happens from now on, or from the position `after` on.

        Raises StreamRefused, TokenRefused and RateLimited.
        """
        stream, start, is_known = await self.call(_begin, self.engine, operation, line.caller, after, datetime.now(UTC))
        if not self._count:
            # Nobody listened, so nobody read.
            self.cursor = max(self.cursor, start)
        subscription = Subscription(stream, sink, line, start)
        self._file(subscription)
        if not is_known:
            sink.fell_behind()
        if start < self.cursor:
            subscription.task = asyncio.get_running_loop().create_task(self._catch_up(subscription))
        else:
            subscription.is_live = True
        self._rung.set()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Tell it nothing any more. May be called twice."""
        if subscription.is_over:
            return
        subscription.is_over = True
        self._count -= 1
        feed = subscription.stream.feed
        for topic in feed.topics:
            self._by_topic[topic].discard(subscription)
            if not self._by_topic[topic]:
                del self._by_topic[topic]
        if feed.box is not None:
            self._by_place.remove(feed.box, subscription)
        if subscription.task is not None:
            subscription.task.cancel()

    def watch(self, line: Line) -> None:
        """Tell the connection when its token runs out or is called back."""
        if line.caller.session_id is not None:
            self._lines.add(line)

    def unwatch(self, line: Line) -> None:
        self._lines.discard(line)

    def _file(self, subscription: Subscription) -> None:
        self._count += 1
        feed = subscription.stream.feed
        for topic in feed.topics:
            self._by_topic[topic].add(subscription)
        if feed.box is not None:
            self._by_place.add(feed.box, subscription)

    def _listeners(self, event: Event) -> list[Subscription]:
        found = set(self._by_topic.get(event.topic, ()))
        listing = event.listing
        if listing is not None and listing.latitude is not None and listing.longitude is not None:
            found.update(self._by_place.around(listing.latitude, listing.longitude))
        return [each for each in found if each.is_live and each.position < event.position]

    async def _answering(self, work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._answers, lambda: _in_database(work, *arguments, **named))

    async def _read(self) -> None:
        while True:
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(
                        self._rung.wait(), LOOK_SECONDS if self._has_bell else LOOK_SECONDS_WITHOUT_BELL
                    )
                self._rung.clear()
                if self._count:
                    await self._read_on()
                    await asyncio.sleep(GATHER_SECONDS)
            except Exception:
                logger.exception("the log of live events could not be read")
                await asyncio.sleep(1)

    async def _read_on(self) -> None:
        while True:
            before = self.cursor
            events, end = await self._answering(_read_new, before)
            for event in events:
                if event.position <= self.cursor:
                    continue
                # Together, without the loop in between: who subscribes later reads up to here by itself.
                self.cursor = event.position
                await self._tell(event, self._listeners(event))
            self.cursor = max(self.cursor, end)
            if self.cursor == before:
                return

    async def _tell(self, event: Event, listeners: list[Subscription]) -> None:
        for start in range(0, len(listeners), CHUNK):
            chunk = [each for each in listeners[start : start + CHUNK] if not each.is_over]
            told = await self._answering(answer_all, event, [each.stream for each in chunk], now=datetime.now(UTC))
            bodies: dict[int, dict[int, str]] = {}
            for subscription, what in zip(chunk, told, strict=True):
                subscription.position = event.position
                if what is not None and not subscription.is_over:
                    self._pass_on(subscription, event.position, what, bodies.setdefault(id(what), {}))
            await asyncio.sleep(0)

    def _pass_on(self, subscription: Subscription, position: int, told: Told, body: dict[int, str]) -> None:
        if told.token is not None:
            subscription.line.token_refused(told.token)
        elif told.result is not None:
            subscription.sink.told(position, told.result, body)
        elif told.ended:
            self.unsubscribe(subscription)
            subscription.sink.ended()

    async def _catch_up(self, subscription: Subscription) -> None:
        try:
            while True:
                target = self.cursor
                if subscription.position >= target:
                    subscription.is_live = True
                    return
                missed = await self._answering(_read_missed, subscription.stream, subscription.position, target)
                if missed is None:
                    subscription.sink.fell_behind()
                for event in missed or ():
                    await self._tell(event, [subscription])
                subscription.position = target
        except Exception:
            logger.exception("a subscription could not be told what it missed")
            subscription.position = self.cursor
            subscription.is_live = True
            subscription.sink.fell_behind()
        finally:
            subscription.task = None

    async def _hear(self) -> None:
        """Listen to the bell, for as long as there is one."""
        while True:
            # A subscriber waits for hours: no time-out of the socket may end that.
            redis = Redis.from_url(
                settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=2, socket_keepalive=True
            )
            try:
                async with redis.pubsub(ignore_subscribe_messages=True) as heard:
                    await heard.subscribe(CHANNEL)
                    self._has_bell = True
                    # What happened while there was no bell.
                    self._rung.set()
                    async for _ring in heard.listen():
                        self._rung.set()
            except (RedisError, OSError):
                if self._has_bell:
                    logger.warning("Redis is away; the log is looked at every %s s", LOOK_SECONDS_WITHOUT_BELL)
            except Exception:
                logger.exception("the bell cannot be heard")
            finally:
                self._has_bell = False
                with suppress(RedisError, OSError):
                    await redis.aclose()
            self._rung.set()
            await asyncio.sleep(1)

    async def _watch_sessions(self) -> None:
        looked_at = 0.0
        while True:
            await asyncio.sleep(0.5)
            try:
                now = datetime.now(UTC)
                for line in list(self._lines):
                    if line.caller.expires_at is not None and now >= line.caller.expires_at:
                        self._lines.discard(line)
                        line.token_refused("EXPIRED")
                if self._lines and time.monotonic() - looked_at >= SESSIONS_SECONDS:
                    looked_at = time.monotonic()
                    lines = list(self._lines)
                    users = await self.call(users_of, [line.caller for line in lines])
                    for line in lines:
                        if line.caller.session_id not in users:
                            self._lines.discard(line)
                            line.token_refused("INVALID")
            except Exception:
                logger.exception("the sessions of open connections could not be looked at")
