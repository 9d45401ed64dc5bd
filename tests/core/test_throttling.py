"""Guessing grows slower, by the same count in every process, and without Redis too."""

import math
import os
import uuid
from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings
from redis import Redis

from apps.core import throttling
from apps.core.errors import InputErrors, InvalidCredentials, WeakPassword
from apps.core.throttling import Count, TooManyTries, guessing
from tests.serving import at_once


@pytest.fixture
def name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    settings.RATE_LIMITS_ENABLED = True
    monkeypatch.setattr(throttling, "_outage", throttling._Outage())
    monkeypatch.setattr(throttling, "_local", throttling._Local())
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture(params=["redis", "process"])
def store(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Where it is counted."""
    if request.param == "process":
        settings.LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
    return str(request.param)


def fail(*counts: Count) -> int:
    """A try that fails: 0, or how long it would have had to wait."""
    try:
        with guessing(*counts):
            raise InvalidCredentials("Wrong.")
    except InvalidCredentials:
        return 0
    except TooManyTries as refused:
        return refused.retry_after


def succeed(*counts: Count) -> None:
    with guessing(*counts):
        pass


def let_time_pass(count: Count, monkeypatch: pytest.MonkeyPatch, store: str) -> None:
    """The wait is over."""
    if store == "redis":
        throttling._redis(os.environ["REDIS_URL"]).hdel(count.redis_key, "until")
    else:
        rows = throttling._local._rows
        rows[count.redis_key] = (rows[count.redis_key][0], 0.0, rows[count.redis_key][2])


def test_failures_grow_slower(name: str, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = Count(name, "a", free=3)
    assert [fail(count) for _ in range(3)] == [0, 0, 0]
    waits = []
    for _ in range(12):
        waits.append(fail(count))
        let_time_pass(count, monkeypatch, store)
        assert fail(count) == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert fail(Count(name, "b", free=3)) == 0


def test_only_failures_count_and_a_success_may_forgive(name: str, store: str) -> None:
    own, shared = Count(name, "own", free=3, forgiven=True), Count(name, "shared", free=5)
    for _ in range(20):
        succeed(own, shared)
    assert [fail(own, shared) for _ in range(2)] == [0, 0]
    succeed(own, shared)
    # The own count begins anew, the shared one goes on.
    assert [fail(own, shared) for _ in range(4)] == [0, 0, 0, 1]
    assert fail(shared) == 1


def test_what_is_no_guess_is_taken_back(name: str, store: str) -> None:
    count = Count(name, "a", free=2)

    def weak() -> None:
        with guessing(count):
            raise InputErrors([WeakPassword("Weak.")])

    def broken() -> None:
        with guessing(count):
            raise ZeroDivisionError

    for raise_, error in ((weak, InputErrors), (broken, ZeroDivisionError)):
        for _ in range(5):
            with pytest.raises(error):
                raise_()
    with pytest.raises(InputErrors), guessing(count):
        raise InputErrors([WeakPassword("Weak."), InvalidCredentials("Wrong.")])
    assert [fail(count), fail(count)] == [0, 1]


def test_a_hundred_at_once_are_as_slow_as_a_hundred_in_a_row(
    name: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = Count(name, "a", free=10)
    calls: list[Callable[[], int]] = [lambda: fail(count)] * 100
    monkeypatch.setattr(throttling, "FIRST_WAIT_SECONDS", 600)
    waits = at_once(calls)
    assert waits.count(0) == 10
    assert all(500 < wait <= 600 for wait in waits if wait)


def test_it_is_news_once(name: str) -> None:
    count = Count(name, "a", free=1)
    fail(count)
    news = []
    for _ in range(3):
        with pytest.raises(TooManyTries) as refused, guessing(count):
            pass
        news.append(refused.value.is_news)
    assert news == [True, False, False]


def test_counts_are_forgotten_after_an_hour(name: str, settings: Settings) -> None:
    count = Count(name, "a", free=3)
    fail(count)
    left = Redis.from_url(settings.LIMITS_REDIS_URL).ttl(count.redis_key)
    assert 3590 < math.ceil(float(left)) <= 3600


def test_the_switch_turns_it_off(name: str, settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = False
    assert {fail(Count(name, "a", free=1)) for _ in range(5)} == {0}
