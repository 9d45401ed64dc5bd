"""The loop that sends: one at a time in the whole system, with many messages in flight.

It is one job however much there is to do, so that slow endpoints hold at most one place among the workers. Nothing but
politeness hangs on there being one: claims keep any number of senders apart.
"""

import logging
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django_redis.exceptions import ConnectionInterrupted
from redis import RedisError

from apps.core.db import unit_of_work
from apps.core.outbox import enqueue
from apps.integrations.delivering import SECONDS, Claim, Outcome, claim_due, is_anything_due, send, settle
from apps.integrations.recording import DELIVER, fan_out

logger = logging.getLogger(__name__)

AT_ONCE = 32
# After so long another job takes over, while this one waits for its last answers.
TURN = timedelta(seconds=30)
LOOK_SECONDS = 0.2
# Any number that nobody else takes for an advisory lock.
SENDER_LOCK = 7_214_630_112
CACHE_IS_AWAY = (RedisError, ConnectionInterrupted, OSError)

Clock = Callable[[], datetime]


def send_due(*, clock: Clock, seconds: float = SECONDS) -> int:
    """Make the deliveries of new events and send all that is due. Returns how many were sent, none if somebody else sends.

    `seconds` is how long one endpoint may take.
    """
    in_flight: dict[Future[Outcome], Claim] = {}
    sent = 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
        with _turn() as is_ours:
            if not is_ours:
                return 0
            end = clock() + TURN
            while (now := clock()) < end:
                fan_out(now=now)
                for claim in claim_due(now=now, room=AT_ONCE - len(in_flight)):
                    in_flight[pool.submit(send, claim, seconds=seconds)] = claim
                if not in_flight:
                    break
                sent += _settle_done(in_flight, clock, timeout=LOOK_SECONDS)
        if is_anything_due(now=clock()):
            _call_another()
        while in_flight:
            sent += _settle_done(in_flight, clock, timeout=None)
    return sent


def _settle_done(in_flight: dict[Future[Outcome], Claim], clock: Clock, *, timeout: float | None) -> int:
    """Settle what has come back, waiting for the first of it; returns how many that is."""
    done, _ = wait(in_flight, timeout=timeout, return_when=FIRST_COMPLETED)
    for future in done:
        settle(in_flight.pop(future), future.result(), now=clock())
    return len(done)


@unit_of_work
def _call_another() -> None:
    enqueue(DELIVER)


@contextmanager
def _turn() -> Iterator[bool]:
    """Whether it is this process's turn; if so nobody else's until the block ends, or the process."""
    if settings.DATABASE_POOLER == "transaction":
        # A lock of the session would stay behind on a connection that others are lent next.
        with _lease() as is_ours:
            yield is_ours
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [SENDER_LOCK])
        is_ours = cursor.fetchone() == (True,)
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [SENDER_LOCK])


@contextmanager
def _lease() -> Iterator[bool]:
    """The same by a note in Redis, which is forgotten by itself where a process ends without taking it back.

    Without Redis it is everybody's turn, which costs nothing but politeness.
    """
    name, ours = f"sender:{SENDER_LOCK}", uuid.uuid4().hex
    try:
        is_ours = bool(cache.add(name, ours, timeout=2 * TURN.total_seconds()))
    except CACHE_IS_AWAY:
        yield True
        return
    try:
        yield is_ours
    finally:
        with suppress(*CACHE_IS_AWAY):
            if is_ours and cache.get(name) == ours:
                cache.delete(name)
