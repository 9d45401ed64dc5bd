"""Rate limits: how often one caller may do one thing.

    SIGN_IN.spend(f"email:{email}", f"ip:{info.context.ip}")         raises RateLimited, with seconds to wait
    BOOKING.spend(caller_of(info.context))

Call it where the thing is done, so that a field under ten aliases counts ten times. `REQUESTS` is spent by the HTTP
edge for each request, `POINTS` by the engine for what an operation may cost (`schema.core.costs`). The counts are in Redis,
shared by all processes. Without Redis reading goes on; signing in falls back to counts of this process, because unlimited
guesses at passwords are worse than a slower sign-in.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from apps.core.metrics import RATE_LIMIT_REFUSALS
from apps.core.network import network_of
from schema.core.context import Context
from schema.core.errors import RateLimited

logger = logging.getLogger(__name__)

# After a failure Redis is left alone for so many seconds, lest each request waits for its time-out.
PAUSE_SECONDS = 5.0
SOCKET_SECONDS = 0.5


class _Outage:
    """Remembers that Redis was away a moment ago."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()

    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def begin(self) -> None:
        with self._lock:
            self._until = time.monotonic() + PAUSE_SECONDS


_outage = _Outage()


@functools.cache
def _shared(url: str) -> Storage:
    storage = storage_from_string(
        url.replace("unix://", "redis+unix://", 1) if url.startswith("unix://") else url,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        key_prefix="holdfast:limits",
    )
    return cast(Storage, storage)


@functools.cache
def _local() -> Storage:
    return MemoryStorage()


@dataclass(frozen=True, slots=True)
class Limit:
    """So many per period for each key. `closes`: counted in this process when Redis is away, instead of not at all."""

    name: str
    rate: str
    closes: bool = False

    def spend(self, *keys: str) -> None:
        """Counts one against each key. Raises RateLimited when one of them has no more left."""
        if not settings.RATE_LIMITS_ENABLED:
            return
        if not _outage.lasts():
            try:
                self._spend(MovingWindowRateLimiter(_shared(settings.REDIS_URL)), keys)
            except RateLimited:
                raise
            except Exception:
                _outage.begin()
                logger.exception("Rate limits are not counted in Redis")
            else:
                return
        if self.closes:
            self._spend(MovingWindowRateLimiter(_local()), keys)

    def _spend(self, limiter: MovingWindowRateLimiter, keys: tuple[str, ...]) -> None:
        item = _item(self.rate)
        # Every key is counted even when an earlier one is refused, or one of them would be a way around the other.
        refused = [key for key in keys if not limiter.hit(item, self.name, key)]
        if refused:
            RATE_LIMIT_REFUSALS.labels(self.name).inc()
            waits = [limiter.get_window_stats(item, self.name, key).reset_time - time.time() for key in refused]
            raise RateLimited(retry_after=math.ceil(max(waits)))


@dataclass(frozen=True, slots=True)
class Budget:
    """So many points per period for each key. Not counted while Redis is away: reading goes on."""

    name: str
    rate: str

    def spend(self, key: str, points: int) -> int | None:
        """Takes points. Returns how many are left, None when they are not counted; raises RateLimited when too few are left."""
        if not settings.RATE_LIMITS_ENABLED or _outage.lasts():
            return None
        item = _item(self.rate)
        try:
            limiter = SlidingWindowCounterRateLimiter(_shared(settings.REDIS_URL))
            is_granted = limiter.hit(item, self.name, key, cost=points)
            stats = limiter.get_window_stats(item, self.name, key)
        except Exception:
            _outage.begin()
            logger.exception("Points are not counted in Redis")
            return None
        if not is_granted:
            RATE_LIMIT_REFUSALS.labels(self.name).inc()
            raise RateLimited(retry_after=math.ceil(stats.reset_time - time.time()))
        return stats.remaining


@functools.cache
def _item(rate: str) -> RateLimitItem:
    return parse(rate)


POINTS = Budget("points", "120000/minute")
REQUESTS = Limit("requests", "600/minute")
SIGN_IN = Limit("sign-in", "10/minute", closes=True)
BOOKING = Limit("bookings", "30/minute")
SIGN_UP = Limit("sign-up", "20/hour")
RESET = Limit("reset", "20/hour")
EXPORT = Limit("export", "20/hour")
# Test messages and replays: what somebody can have sent at will.
WEBHOOKS = Limit("webhooks", "60/hour")
DOCUMENTS = Limit("documents", "20/minute")


def charge(context: Context, points: int) -> int | None:
    """Take the points of a query from its caller; how many are left. Raises RateLimited."""
    return POINTS.spend(caller_of(context), points)


def caller_of(context: Context) -> str:
    """The key of a caller: the account, or the network of an anonymous one."""
    return f"user:{context.user.pk}" if context.user is not None else f"ip:{network_of(context.ip)}"
