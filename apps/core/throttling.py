"""Throttling of guesses: tries at a secret are counted, and after some that failed each next one has to wait longer.

    with guessing(Count("sign-in:email", digest(email)), Count("sign-in:network", network, free=100)):
        sign_in(...)                      # InvalidCredentials counts; whatever else happens does not

A try is counted before it is made and taken back when it was no failure, in one step for all its counts, so that a hundred
tries at the same moment are as slow as a hundred in a row. The first `free` failures cost nothing, then the next try waits
1 s, 2 s, 4 s ... up to a quarter of an hour; an hour without failures is forgiven. Nothing is locked for longer than that.

The counts are in Redis, on Redis's clock. Without Redis each process counts for itself: unlimited guesses would be worse.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from redis import Redis, RedisError

from apps.core.db import confirm
from apps.core.errors import DomainError, InputErrors, InvalidCredentials, InvalidToken

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 1
LONGEST_WAIT_SECONDS = 900
MEMORY_SECONDS = 3600
# After a failure Redis is left alone for so many seconds, lest each try waits for its time-out.
PAUSE_SECONDS = 5.0
SOCKET_SECONDS = 0.5
MOST_LOCAL_COUNTS = 10_000

# KEYS: the counts. ARGV: the longest wait, the memory, the first wait, and of each count how many failures are free.
# Returns the wait, and whether nobody was told to wait for the first count within the last minute.
BEGIN = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local wait = 0
for _, key in ipairs(KEYS) do
    local closed_until = tonumber(redis.call('HGET', key, 'until') or '0')
    if closed_until - now > wait then wait = closed_until - now end
end
if wait > 0 then
    local news = redis.call('SET', KEYS[1] .. ':told', '1', 'NX', 'EX', 60)
    return {tostring(wait), news and 1 or 0}
end
for index, key in ipairs(KEYS) do
    local over = redis.call('HINCRBY', key, 'tries', 1) - tonumber(ARGV[index + 3])
    if over >= 0 then
        redis.call('HSET', key, 'until', now + math.min(tonumber(ARGV[3]) * 2 ^ math.min(over, 30), tonumber(ARGV[1])))
    end
    redis.call('EXPIRE', key, ARGV[2])
end
return {'0', 0}
"""
# KEYS: the counts. ARGV: of each count 1 to forget all of it, 0 to take one try back.
END = """
for index, key in ipairs(KEYS) do
    if ARGV[index] == '1' or redis.call('HINCRBY', key, 'tries', -1) <= 0 then
        redis.call('DEL', key)
    else
        redis.call('HDEL', key, 'until')
    end
end
"""


class TooManyTries(Exception):
    """The try was not made. `retry_after` is in whole seconds, at least 1; `is_news` once a minute for `what` is tried."""

    def __init__(self, *, what: str, retry_after: int, is_news: bool) -> None:
        super().__init__("Too many tries. Try again later.")
        self.what = what
        self.is_news = is_news
        self.retry_after = max(1, retry_after)


@dataclass(frozen=True, slots=True)
class Count:
    """Failures of one kind by or against one key; `free` of them are not slowed down.

    `forgiven`: a success clears all of it, because only somebody who knows the secret has one here.
    """

    name: str
    key: str
    free: int = 10
    forgiven: bool = False

    @property
    def redis_key(self) -> str:
        return f"holdfast:tries:{self.name}:{self.key}"


@contextmanager
def guessing(
    *counts: Count, refusals: tuple[type[DomainError], ...] = (InvalidCredentials, InvalidToken)
) -> Iterator[None]:
    """A try at a secret, which failed if one of `refusals` leaves the block. Raises TooManyTries before it is made."""
    if not settings.RATE_LIMITS_ENABLED:
        yield
        return
    confirm()
    _begin(counts)
    try:
        yield
    except DomainError as error:
        if not any(
            isinstance(each, refusals) for each in (error.errors if isinstance(error, InputErrors) else [error])
        ):
            _end(counts, succeeded=False)
        raise
    except BaseException:
        _end(counts, succeeded=False)
        raise
    else:
        _end(counts, succeeded=True)


def _begin(counts: tuple[Count, ...]) -> None:
    wait, is_news = _waited(counts)
    if wait > 0:
        raise TooManyTries(what=counts[0].name, retry_after=math.ceil(wait), is_news=is_news)


def _waited(counts: tuple[Count, ...]) -> tuple[float, bool]:
    if not _outage.lasts():
        try:
            arguments = [LONGEST_WAIT_SECONDS, MEMORY_SECONDS, FIRST_WAIT_SECONDS, *(count.free for count in counts)]
            keys = [count.redis_key for count in counts]
            wait, is_news = _redis(settings.LIMITS_REDIS_URL).eval(BEGIN, len(keys), *keys, *arguments)
            return float(wait), bool(is_news)
        except RedisError:
            _outage.begin()
            logger.exception("Tries at secrets are counted in this process, not in Redis")
    return _local.begin(counts), False


def _end(counts: tuple[Count, ...], *, succeeded: bool) -> None:
    _local.end(counts, succeeded=succeeded)
    if _outage.lasts():
        return
    keys = [count.redis_key for count in counts]
    try:
        _redis(settings.LIMITS_REDIS_URL).eval(
            END, len(keys), *keys, *(int(succeeded and count.forgiven) for count in counts)
        )
    except RedisError:
        _outage.begin()
        logger.exception("A try at a secret that was no failure stays counted")


@functools.cache
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS)


class _Outage:
    """Remembers that Redis was away a moment ago."""

    def __init__(self) -> None:
        self._until = 0.0

    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def begin(self) -> None:
        self._until = time.monotonic() + PAUSE_SECONDS


class _Local:
    """The same counts in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By key: how many tries, until when the next one waits, when the last one was.
        self._rows: dict[str, tuple[int, float, float]] = {}

    def begin(self, counts: tuple[Count, ...]) -> float:
        now = time.monotonic()
        with self._lock:
            self._forget_old(now)
            wait = max((self._rows.get(count.redis_key, (0, 0.0, now))[1] - now for count in counts), default=0.0)
            if wait > 0:
                return wait
            for count in counts:
                tries = self._rows.get(count.redis_key, (0, 0.0, now))[0] + 1
                over = tries - count.free
                closed = (
                    now + min(FIRST_WAIT_SECONDS * 2.0 ** min(over, 30), LONGEST_WAIT_SECONDS) if over >= 0 else 0.0
                )
                self._rows[count.redis_key] = (tries, closed, now)
            return 0.0

    def end(self, counts: tuple[Count, ...], *, succeeded: bool) -> None:
        with self._lock:
            for count in counts:
                tries, _, last = self._rows.pop(count.redis_key, (0, 0.0, 0.0))
                if tries > 1 and not (succeeded and count.forgiven):
                    self._rows[count.redis_key] = (tries - 1, 0.0, last)

    def _forget_old(self, now: float) -> None:
        if len(self._rows) >= MOST_LOCAL_COUNTS:
            kept = {key: row for key, row in self._rows.items() if now - row[2] < MEMORY_SECONDS}
            self._rows = kept if len(kept) < MOST_LOCAL_COUNTS else {}


_outage = _Outage()
_local = _Local()
