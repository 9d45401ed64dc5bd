"""Rate limits: counted for each key, in Redis, and what happens without it."""

import itertools
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from booking.env import RATES, Environment
from schema.core import limits
from schema.core.context import Context
from schema.core.errors import RateLimited
from schema.core.limits import Budget, Limit, caller_of
from tests.readme.test_env_example import REQUIRED
from tests.schema.core.sample import make_context


@pytest.fixture
def name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    settings.RATE_LIMITS_ENABLED = True
    monkeypatch.setattr(limits, "_outage", limits._Outage())
    return f"test-{uuid.uuid4().hex}"


def spent(limit: Limit, *keys: str) -> bool:
    try:
        limit.spend(*keys)
    except RateLimited as refused:
        told = refused.extensions or {}
        assert isinstance(told["retryAfter"], int)
        assert 1 <= told["retryAfter"] <= 60
        assert told["code"] == "RATE_LIMITED"
        return False
    return True


def test_so_many_and_no_more_for_each_key(name: str) -> None:
    limit = Limit(name, "3/minute")
    assert [spent(limit, "a") for _ in range(5)] == [True, True, True, False, False]
    assert spent(limit, "b")
    assert spent(Limit(f"{name}-other", "3/minute"), "a")


def test_either_key_refuses(name: str) -> None:
    limit = Limit(name, "2/minute")
    assert [spent(limit, "email:x", f"ip:{number}") for number in range(3)] == [True, True, False]
    assert [spent(limit, f"email:{number}", "ip:one") for number in range(3)] == [True, True, False]


def test_the_switch_turns_them_off(name: str, settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = False
    limit = Limit(name, "1/minute")
    assert all(spent(limit, "a") for _ in range(5))


def test_without_redis_reading_goes_on_and_signing_in_is_counted_here(name: str, settings: Settings) -> None:
    settings.LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
    assert all(spent(Limit(name, "2/minute"), "a") for _ in range(4))
    closing = Limit(f"{name}-closing", "2/minute", closes=True)
    assert [spent(closing, "a") for _ in range(4)] == [True, True, False, False]


OPEN = {"requests", "documents"}
CLASSES = [limit for limit in vars(limits).values() if isinstance(limit, Limit)]


@pytest.mark.parametrize("limit", CLASSES, ids=[limit.name for limit in CLASSES])
def test_what_each_class_does_while_redis_is_away(limit: Limit, name: str, settings: Settings) -> None:
    """What writes, signs in or moves money goes on, counted by each process; what only reads is not counted."""
    settings.LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
    small = replace(limit, name=f"{name}-{limit.name}", rate="2/minute")
    granted = [spent(small, "a") for _ in range(3)]
    assert granted == ([True, True, True] if limit.name in OPEN else [True, True, False])


def test_points_are_not_counted_while_redis_is_away(name: str, settings: Settings) -> None:
    settings.LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
    budget = Budget(name, "10/minute")
    assert [budget.spend("a", 8) for _ in range(3)] == [None, None, None]


def test_no_more_than_so_many_of_64_at_once(name: str) -> None:
    limit = Limit(name, "20/minute")
    with ThreadPoolExecutor(64) as pool:
        granted = list(pool.map(lambda _: spent(limit, "a"), range(128)))
    assert granted.count(True) == 20


def test_no_window_of_the_length_has_more_than_so_many(name: str) -> None:
    """A window that is counted from the clock's full seconds would let twice as many pass around its edge."""
    limit, granted = Limit(name, "4/second"), []
    ends = time.monotonic() + 2.5
    while time.monotonic() < ends:
        before = time.monotonic()
        if spent(limit, "a"):
            granted.append((before, time.monotonic()))
        time.sleep(0.01)
    assert len(granted) > 4
    assert all(later[1] - earlier[0] >= 1 for earlier, later in itertools.pairwise(granted[::4]))


def test_an_account_is_counted_and_so_is_its_network(name: str) -> None:
    limit = Limit(name, "2/minute")

    def caller(pk: int, ip: str = "10.0.0.1") -> Context:
        context = make_context("GUEST", ip=ip)
        assert context.user is not None
        context.user.pk = pk
        return context

    def granted(context: Context) -> bool:
        try:
            limit.spend_by(context)
        except RateLimited:
            return False
        return True

    assert [granted(caller(1)) for _ in range(3)] == [True, True, False]
    assert [granted(caller(1, f"10.0.{n}.1")) for n in range(1, 3)] == [False, False]
    # Ten times as many of all accounts of one network, refused ones among them.
    assert [granted(caller(pk)) for pk in range(2, 24)].count(True) == 20 - 2
    assert granted(caller(99, "10.9.9.9"))
    anonymous = make_context(ip="10.0.0.1")
    assert [granted(anonymous) for _ in range(3)] == [True, True, False]


def test_a_caller_is_the_account_or_the_address() -> None:
    assert caller_of(make_context("GUEST", ip="10.0.0.1")) == "user:7"
    assert caller_of(make_context(ip="10.0.0.1")) == "ip:10.0.0.1"


def test_the_figures_of_the_contract() -> None:
    named = (limits.REQUESTS, limits.SIGN_IN, limits.BOOKING, limits.SIGN_UP, limits.RESET)
    assert [limit.rate for limit in named] == ["600/minute", "10/minute", "30/minute", "20/hour", "20/hour"]
    assert limits.SIGN_IN.closes


def test_rates_are_settings() -> None:
    """Each is read from the environment, and every class of the environment counts something."""
    counted = {limits.POINTS.rate, *(limit.rate for limit in CLASSES)}
    assert set(RATES.values()) <= counted
    given = Environment.read({**REQUIRED, "RATE_BOOKINGS": "7/second"}, base=Path())
    assert given.rates == {**RATES, "bookings": "7/second"}
    for wrong in ("7", "7/fortnight", "0/minute", "-1/hour", "1e3/hour", "many", "5/minute; 6/hour", "\u0663/hour"):
        with pytest.raises(ImproperlyConfigured, match="RATE_BOOKINGS must look like"):
            Environment.read({**REQUIRED, "RATE_BOOKINGS": wrong}, base=Path())
