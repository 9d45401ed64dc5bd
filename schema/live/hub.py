"""Tells the subscriptions of this process what happens: the log is read once for all of them, in order.

A ring of the bell (`apps.live.bell`) or a timer lets the hub read what is new. Each event goes to the subscriptions whose
topic it has or whose map section holds its listing, found by look-ups; the others do not notice. A subscription that
begins where the log is longer, or comes back after a break, reads its own part first and then goes with the others.

The hub belongs to one event loop. Whatever asks the database runs in one worker thread, so that events keep their order.
While the database is away the hub waits for it with what it was about to tell.
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
from redis.asyncio import Redis
from redis.exceptions import RedisError

from apps.live import selectors as log
from apps.live.bell import CHANNEL
from schema.core.engine import Engine, Operation
from schema.live.feeds import Event
from schema.live.map_index import MapIndex
from schema.live.outages import is_outage
from schema.live.reading import begin, in_database, read_missed, read_new
from schema.live.streams import Caller, Stream, Told, answer_all, users_of

logger = logging.getLogger(__name__)

# Rings that come close together are one look at the log.
GATHER_SECONDS = 0.02
# How often the log is looked at without a ring: rarely, and often while the bell is broken.
LOOK_SECONDS = 5.0
LOOK_SECONDS_WITHOUT_BELL = 0.5
# How often the database is asked again while it is away.
OUTAGE_SECONDS = 1.0
SESSIONS_SECONDS = 2.0
# So many subscriptions are answered before the loop gets to send.
CHUNK = 100

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


def _answer_all_now(event: Event, streams: list[Stream]) -> list[Told | None]:
    return answer_all(event, streams, now=datetime.now(UTC))


class Hub:
    """Start it on the loop that uses it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cursor = 0
        self.operations = ThreadPoolExecutor(2, "live-operations")
        self._answers = ThreadPoolExecutor(1, "live-answers")
        self._by_topic: dict[str, set[Subscription]] = defaultdict(set)
        self._by_place: MapIndex[Subscription] = MapIndex()
        self._subscriptions: set[Subscription] = set()
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
        return await asyncio.get_running_loop().run_in_executor(self.operations, in_database, work, *arguments)

    async def subscribe(self, operation: Operation, *, line: Line, sink: Sink, after: int | None) -> Subscription:
        """Begin to tell the sink what happens from now on, or from the position `after` on.

        Raises StreamRefused, TokenRefused and RateLimited.
        """
        stream, start, is_known = await self.call(begin, self.engine, operation, line.caller, after, datetime.now(UTC))
        if not self._subscriptions:
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
        self._subscriptions.discard(subscription)
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
        self._subscriptions.add(subscription)
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
        """Run something that asks the database in the thread that answers; again and again while the database is away."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._answers, lambda: in_database(work, *arguments, **named))
            except Exception as error:
                if not is_outage(error):
                    raise
                logger.warning("the database is away; who listens is told when it is back")
            await asyncio.sleep(OUTAGE_SECONDS)

    async def _read(self) -> None:
        while True:
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(
                        self._rung.wait(), LOOK_SECONDS if self._has_bell else LOOK_SECONDS_WITHOUT_BELL
                    )
                self._rung.clear()
                if self._subscriptions:
                    await self._read_on()
                    await asyncio.sleep(GATHER_SECONDS)
            except Exception:
                logger.exception("the log of live events could not be read")
                await asyncio.sleep(1)

    async def _read_on(self) -> None:
        while True:
            before = self.cursor
            found = await self._answering(read_new, before)
            if found is None:
                self._lose(await self._answering(log.head))
                return
            events, end = found
            for event in events:
                if event.position <= self.cursor:
                    continue
                # Together, without the loop in between: who subscribes later reads up to here by itself.
                self.cursor = event.position
                await self._tell(event, self._listeners(event))
            self.cursor = max(self.cursor, end)
            if self.cursor == before:
                return

    def _lose(self, position: int) -> None:
        """What happened up to the position is forgotten, by a hub that was away for long: all must query again."""
        logger.warning("the log goes on at %s, after %s: what was between is forgotten", position, self.cursor)
        self.cursor = max(self.cursor, position)
        for subscription in self._subscriptions:
            if subscription.position < self.cursor:
                subscription.position = self.cursor
                subscription.sink.fell_behind()

    async def _tell(self, event: Event, listeners: list[Subscription]) -> None:
        for start in range(0, len(listeners), CHUNK):
            chunk = [each for each in listeners[start : start + CHUNK] if not each.is_over]
            try:
                told = await self._answering(_answer_all_now, event, [each.stream for each in chunk])
            except Exception:
                logger.exception("an event could not be told")
                for subscription in chunk:
                    subscription.position = event.position
                    subscription.sink.fell_behind()
                continue
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
                missed = await self._answering(read_missed, subscription.stream, subscription.position, target)
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
                settings.LIVE_REDIS_URL, socket_timeout=None, socket_connect_timeout=2, socket_keepalive=True
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
