"""Rate limits: how often one caller may do one thing.

    SIGN_IN.spend(f"email:{email}", f"ip:{info.context.ip}")         raises RateLimited, with seconds to wait
    BOOKING.spend_by(info.context)                                   by the account, and by its network

Call it where the thing is done, so that a field under ten aliases counts ten times. `REQUESTS` is owed by the HTTP edge for each
request; the engine counts it in one trip with `POINTS`, for what the operation may cost (`schema.core.costs`), or before it reads
what it does not know yet. How often is a setting (RATE_...); a network is let do ten times what one account may, since many
people share one.

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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from limits import RateLimitItem, parse
from limits.util import WindowStats

from apps.core.db import confirm
from apps.core.metrics import RATE_LIMIT_REFUSALS
from apps.core.network import network_of
from schema.core.context import Context
from schema.core.counting import Hit, Outcome, counted, counted_one_by_one, local, shared, take_back
from schema.core.errors import RateLimited

logger = logging.getLogger(__name__)

# After a failure Redis is left alone for so many seconds, lest each request waits for its time-out.
PAUSE_SECONDS = 5.0


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
        _spend(self.steps_by(context, what), context)

    def spend(self, *keys: str) -> None:
        """Counts one against each key. Raises RateLimited when one of them has no more left."""
        # Every key is counted even when an earlier one is refused, or one of them would be a way around the other.
        _spend([Step(self, keys)])

    def steps_by(self, context: Context, what: str = "") -> list[Step]:
        """What `spend_by` counts: the network only where the account had one left."""
        steps = [Step(self, (f"{what}{caller_of(context)}",))]
        if context.user is not None and context.ip:
            steps.append(Step(_of_network(self), (f"{what}ip:{network_of(context.ip)}",)))
        return steps

    def policy(self) -> str:
        """As the header RateLimit-Policy has it."""
        return _policy(self.name, self.item)

    @property
    def item(self) -> RateLimitItem:
        return _item(self.rate, self.factor)


@dataclass(frozen=True, slots=True)
class Budget:
    """So many points per period for each key. Not counted while Redis is away: reading goes on."""

    name: str
    rate: str

    def spend(self, key: str, points: int) -> int | None:
        """Takes points. Returns how many are left, None when they are not counted; raises RateLimited when too few are left."""
        left = self.take(key, points)
        return None if left is None else left.remaining

    def take(self, key: str, points: int, *, after: Sequence[Step] = (), context: Context | None = None) -> Left | None:
        """The same, with the seconds until all of them are there again. `after`: what is counted before, and where it is refused
        no points are taken. `context` is that of the caller whose key it is.
        """
        window = _spend([*after, Step(self, (key,), cost=points)], context)
        if window is None:
            return None
        return Left(window.remaining, max(0, math.ceil(window.reset_time - time.time())))

    def policy(self) -> str:
        """As the header RateLimit-Policy has it."""
        return _policy(self.name, self.item)

    @property
    def item(self) -> RateLimitItem:
        return _item(self.rate)


@dataclass(frozen=True, slots=True)
class Step:
    """What is counted at once, before what comes after it."""

    limit: Limit | Budget
    keys: tuple[str, ...]
    cost: int = 1

    def hits(self) -> list[Hit]:
        """As `schema.core.counting` counts it."""
        item, slides = self.limit.item, isinstance(self.limit, Limit)
        return [Hit(item, self.limit.name, key, cost=self.cost, slides=slides) for key in self.keys]


def _spend(steps: Sequence[Step], context: Context | None = None) -> WindowStats | None:
    """Counts the steps, in one trip to Redis. What the last one left, None where that is not told.

    Raises RateLimited at the first that has too few left; what comes after it is not counted. What is counted against an assumed
    caller is noted in their `context`; without it, and without Redis, they are asked for first.
    """
    if not settings.RATE_LIMITS_ENABLED:
        return None
    if context is None:
        confirm()
    if not _outage.lasts():
        try:
            outcomes = counted(shared(settings.LIMITS_REDIS_URL), [step.hits() for step in steps])
        except Exception:
            _outage.begin()
            logger.exception("Rate limits are not counted in Redis")
        else:
            if context is not None and context.assumed is not None:
                context.counted += _granted(steps, outcomes)
            return _judged(steps, outcomes)
    confirm()
    closing = [step for step in steps if isinstance(step.limit, Limit) and step.limit.closes]
    _judged(closing, counted_one_by_one(local(), [step.hits() for step in closing]))
    return None


def _granted(steps: Sequence[Step], outcomes: Sequence[Sequence[Outcome]]) -> list[Hit]:
    return [
        hit
        for step, of_step in zip(steps, outcomes, strict=False)
        for hit, outcome in zip(step.hits(), of_step, strict=True)
        if outcome.granted
    ]


def give_back(context: Context) -> None:
    """Take back what was counted against somebody who turned out not to be the caller."""
    if not context.counted:
        return
    try:
        take_back(shared(settings.LIMITS_REDIS_URL), context.counted)
    except Exception:
        _outage.begin()
        logger.exception("What was counted against another caller stays counted")


def _judged(steps: Sequence[Step], outcomes: Sequence[Sequence[Outcome]]) -> WindowStats | None:
    window = None
    # Steps behind a refused one have no outcome.
    for step, of_step in zip(steps, outcomes, strict=False):
        refused = [outcome.window.reset_time for outcome in of_step if not outcome.granted and outcome.window]
        if refused:
            RATE_LIMIT_REFUSALS.labels(step.limit.name).inc()
            raise RateLimited(retry_after=math.ceil(max(refused) - time.time()), limit=step.limit.name)
        window = of_step[-1].window
    return window


@dataclass(frozen=True, slots=True)
class Left:
    """So many points, and after so many seconds all of them again."""

    remaining: int
    seconds: int


@functools.lru_cache(maxsize=100)
def _of_network(limit: Limit) -> Limit:
    """The limit of all accounts of one network."""
    return replace(limit, name=f"{limit.name}-of-network", factor=OF_NETWORK)


def _policy(name: str, item: RateLimitItem) -> str:
    return f'"{name}";q={item.amount};w={item.get_expiry()}'


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
OWED = "rate-limits.owed"


def owe(context: Context, limit: Limit) -> None:
    """Lets one of the caller's be counted with the points of what they ask for, or by `settle`, whichever comes first."""
    context.state[OWED] = limit


def settle(context: Context) -> None:
    """Counts what is owed, before something is done that takes long. Raises RateLimited."""
    limit: Limit | None = context.state.pop(OWED, None)
    if limit is not None:
        limit.spend_by(context)


def charge(context: Context, points: int) -> int | None:
    """Take the points of a query from its caller, and what is owed; how many are left. Raises RateLimited."""
    limit: Limit | None = context.state.pop(OWED, None)
    if not settings.RATE_LIMITS_ENABLED:
        return None
    owed = () if limit is None else limit.steps_by(context)
    left = POINTS.take(caller_of(context), points, after=owed, context=context)
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
