"""Rate limits: how often one caller may do one thing.

    SIGN_IN.spend(f"email:{email}", f"ip:{info.context.ip}")         raises RateLimited, with seconds to wait
    BOOKING.spend_by(info.context)                                   by the account, and by its network

Call it where the thing is done, so that a field under ten aliases counts ten times. `REQUESTS` is spent by the HTTP
edge for each request, `POINTS` by the engine for what an operation may cost (`schema.core.costs`). How often is a setting
(RATE_...); a network is let do ten times what one account may, since many people share one.

The counts are in Redis, shared by all processes, and slide: in no minute are there more than so many. Without Redis reading goes
on uncounted. All that writes, signs in or moves money is counted by each process for itself then, because unlimited guesses at
passwords, bookings and charges are worse than a limit that is as many times higher as there are processes.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    # How many times as often as the rate says.
    factor: int = 1

    def spend_by(self, context: Context, what: str = "") -> None:
        """Counts one for the caller, and for the network of one with an account. `what` is counted apart from all else.

        Raises RateLimited.
        """
        self.spend(f"{what}{caller_of(context)}")
        if context.user is not None and context.ip:
            wide = replace(self, name=f"{self.name}-of-network", factor=OF_NETWORK)
            wide.spend(f"{what}ip:{network_of(context.ip)}")

    def policy(self) -> str:
        """As the header RateLimit-Policy has it."""
        item = _item(self.rate, self.factor)
        return f'"{self.name}";q={item.amount};w={item.get_expiry()}'

    def spend(self, *keys: str) -> None:
        """Counts one against each key. Raises RateLimited when one of them has no more left."""
        if not settings.RATE_LIMITS_ENABLED:
            return
        if not _outage.lasts():
            try:
                self._spend(MovingWindowRateLimiter(_shared(settings.LIMITS_REDIS_URL)), keys)
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
        item = _item(self.rate, self.factor)
        # Every key is counted even when an earlier one is refused, or one of them would be a way around the other.
        refused = [key for key in keys if not limiter.hit(item, self.name, key)]
        if refused:
            RATE_LIMIT_REFUSALS.labels(self.name).inc()
            waits = [limiter.get_window_stats(item, self.name, key).reset_time - time.time() for key in refused]
            raise RateLimited(retry_after=math.ceil(max(waits)), limit=self.name)


@dataclass(frozen=True, slots=True)
class Budget:
    """So many points per period for each key. Not counted while Redis is away: reading goes on."""

    name: str
    rate: str

    def policy(self) -> str:
        """As the header RateLimit-Policy has it."""
        item = _item(self.rate)
        return f'"{self.name}";q={item.amount};w={item.get_expiry()}'

    def spend(self, key: str, points: int) -> int | None:
        """Takes points. Returns how many are left, None when they are not counted; raises RateLimited when too few are left."""
        left = self.take(key, points)
        return None if left is None else left.remaining

    def take(self, key: str, points: int) -> Left | None:
        """The same, with the seconds until all of them are there again."""
        if not settings.RATE_LIMITS_ENABLED or _outage.lasts():
            return None
        item = _item(self.rate)
        try:
            limiter = SlidingWindowCounterRateLimiter(_shared(settings.LIMITS_REDIS_URL))
            is_granted = limiter.hit(item, self.name, key, cost=points)
            stats = limiter.get_window_stats(item, self.name, key)
        except Exception:
            _outage.begin()
            logger.exception("Points are not counted in Redis")
            return None
        if not is_granted:
            RATE_LIMIT_REFUSALS.labels(self.name).inc()
            raise RateLimited(retry_after=math.ceil(stats.reset_time - time.time()), limit=self.name)
        return Left(stats.remaining, max(0, math.ceil(stats.reset_time - time.time())))


@dataclass(frozen=True, slots=True)
class Left:
    """So many points, and after so many seconds all of them again."""

    remaining: int
    seconds: int


@functools.cache
def _item(rate: str, factor: int = 1) -> RateLimitItem:
    item = parse(rate)
    return type(item)(item.amount * factor, item.multiples)


# How many times as often a network may do what one of its accounts may.
OF_NETWORK = 10
RATES: Mapping[str, str] = settings.RATES
POINTS = Budget("reads", RATES["reads"])
REQUESTS = Limit("requests", RATES["requests"])
SIGN_IN = Limit("sign-in", RATES["sign_ins"], closes=True)
BOOKING = Limit("bookings", RATES["bookings"], closes=True)
PAYMENT = Limit("payments", RATES["payments"], closes=True)
SIGN_UP = Limit("sign-up", RATES["sign_ups"], closes=True)
RESET = Limit("reset", RATES["resets"], closes=True)
UPLOAD = Limit("uploads", RATES["uploads"], closes=True)
EXPORT = Limit("export", "20/hour", closes=True)
# Test messages and replays: what somebody can have sent at will.
WEBHOOKS = Limit("webhooks", "60/hour", closes=True)
DOCUMENTS = Limit("documents", "20/minute")

STANDING = "rate-limits.left"


def charge(context: Context, points: int) -> int | None:
    """Take the points of a query from its caller; how many are left. Raises RateLimited."""
    left = POINTS.take(caller_of(context), points)
    context.state[STANDING] = left
    return None if left is None else left.remaining


def headers_of(context: Context) -> dict[str, str]:
    """What the answer says of the caller's points (draft-ietf-httpapi-ratelimit-headers); nothing where none are counted."""
    left: Left | None = context.state.get(STANDING)
    if left is None:
        return {}
    return {
        "RateLimit-Policy": f"{POINTS.policy()}, {REQUESTS.policy()}",
        "RateLimit": f'"{POINTS.name}";r={left.remaining};t={left.seconds}',
    }


def headers_of_refusal(limited: RateLimited) -> dict[str, str]:
    """What the answer to a request says that was refused as a whole."""
    seconds = limited.retry_after
    return {"Retry-After": str(seconds), "RateLimit": f'"{limited.limit}";r=0;t={seconds}'}


def caller_of(context: Context) -> str:
    """The key of a caller: the account, or the network of an anonymous one."""
    return f"user:{context.user.pk}" if context.user is not None else f"ip:{network_of(context.ip)}"
