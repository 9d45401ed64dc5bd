"""Rate limits: counted for each key, in Redis, and what happens without it."""

import uuid

import pytest
from pytest_django.fixtures import Settings

from schema.core import limits
from schema.core.errors import RateLimited
from schema.core.limits import Limit, caller_of
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
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert all(spent(Limit(name, "2/minute"), "a") for _ in range(4))
    closing = Limit(f"{name}-closing", "2/minute", closes=True)
    assert [spent(closing, "a") for _ in range(4)] == [True, True, False, False]


def test_a_caller_is_the_account_or_the_address() -> None:
    assert caller_of(make_context("GUEST", ip="10.0.0.1")) == "user:7"
    assert caller_of(make_context(ip="10.0.0.1")) == "ip:10.0.0.1"


def test_the_figures_of_the_contract() -> None:
    named = (limits.REQUESTS, limits.SIGN_IN, limits.BOOKING, limits.SIGN_UP, limits.RESET)
    assert [limit.rate for limit in named] == ["600/minute", "10/minute", "30/minute", "20/hour", "20/hour"]
    assert limits.SIGN_IN.closes
