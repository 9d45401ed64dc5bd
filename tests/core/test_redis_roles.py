"""What is kept, what is counted, who is woken and all else: each asks the server that is named for it, and no other."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from django.conf import settings as given
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django_redis.exceptions import ConnectionInterrupted
from pytest_django.fixtures import Settings
from redis import Redis, RedisError

from apps.core import throttling, versions
from apps.live import bell
from booking.env import Environment
from booking.watching.health import check_redis
from schema.core import limits
from tests.readme.test_env_example import REQUIRED
from tests.serving import ROOT

GONE = "redis://127.0.0.1:1/0"
ROLES = ("CACHE_REDIS_URL", "LIMITS_REDIS_URL", "LIVE_REDIS_URL")


def keeps() -> bool:
    try:
        versions.raise_versions(["test-roles"])
    except RedisError:
        return False
    return bool(Redis.from_url(given.CACHE_REDIS_URL).exists(versions.key_of("test-roles")))


def counts() -> bool:
    return limits.Budget("test-roles", "100/minute").spend("ip:198.51.100.9", 1) is not None


def counts_tries() -> bool:
    with suppress(throttling.TooManyTries):
        throttling._waited((throttling.Count("test-roles", "198.51.100.9"),))
    return not throttling._outage.lasts()


def wakes() -> bool:
    bell.ring()
    own = bell._bell(given.LIVE_REDIS_URL)
    if own._opening is not None:
        own._opening.join()
    return not own.is_away


def keeps_the_rest() -> bool:
    try:
        cache.set("test-roles", "1", timeout=5)
    except (ConnectionInterrupted, RedisError):
        return False
    return True


DOES: dict[str, Callable[[], bool]] = {
    "CACHE_REDIS_URL": keeps,
    "LIMITS_REDIS_URL": lambda: counts() and counts_tries(),
    "LIVE_REDIS_URL": wakes,
    "REDIS_URL": keeps_the_rest,
}


@pytest.fixture(autouse=True)
def _no_outage_yet(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS_ENABLED = True
    bell._bell.cache_clear()
    monkeypatch.setattr(limits, "_outage", limits._Outage())
    monkeypatch.setattr(throttling, "_outage", throttling._Outage())


@pytest.mark.parametrize("away", ["", *ROLES])
def test_each_role_asks_its_own_server(away: str, settings: Settings) -> None:
    if away:
        setattr(settings, away, GONE)
    assert {name: does() for name, does in DOES.items()} == {name: name != away for name in DOES}


def test_what_has_a_server_of_its_own_does_not_hang_on_the_others(settings: Settings) -> None:
    settings.REDIS_URL = GONE
    assert [DOES[name]() for name in ROLES] == [True, True, True]


@pytest.mark.parametrize("away", [*ROLES, "REDIS_URL"])
def test_readiness_asks_all_of_them(away: str, settings: Settings) -> None:
    check_redis()
    setattr(settings, away, GONE)
    with pytest.raises(RedisError):
        check_redis()


def test_where_nothing_is_said_all_are_one() -> None:
    read = Environment.read(REQUIRED, base=ROOT)
    assert {read.cache_redis_url, read.limits_redis_url, read.live_redis_url} == {read.redis_url}
    apart = {name: f"redis://{number}.example.com/0" for number, name in enumerate(ROLES)}
    read = Environment.read({**REQUIRED, **apart}, base=ROOT)
    assert [read.cache_redis_url, read.limits_redis_url, read.live_redis_url] == list(apart.values())
    assert read.redis_url == REQUIRED["REDIS_URL"]


@pytest.mark.parametrize("name", ROLES)
def test_a_wrong_one_is_told_in_one_line(name: str) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=f"^{name} must be a URL that begins with redis or rediss or unix://.$"
    ):
        Environment.read({**REQUIRED, name: "http://cache"}, base=ROOT)
