"""Several limits in one trip to Redis: counted as the library counts them one by one, and fewer trips."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import pytest
from django.test import Client
from limits import parse
from limits.storage import RedisStorage
from pytest_django.fixtures import Settings

from schema.core import limits
from schema.core.counting import Hit, Outcome, counted, counted_one_by_one, shared
from schema.core.engine import Engine, Operation
from schema.core.errors import RateLimited
from schema.core.limits import BOOKING, SIGN_IN, Budget, Limit, charge, owe, settle
from tests.schema.core import sample
from tests.schema.core.sample import make_context

RATES = [parse(rate) for rate in ("3/minute", "5/hour", "2/minute", "40/minute")]


@pytest.fixture
def storage(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> RedisStorage:
    settings.RATE_LIMITS_ENABLED = True
    monkeypatch.setattr(limits, "_outage", limits._Outage())
    return shared(settings.LIMITS_REDIS_URL)


@pytest.fixture
def trips(storage: RedisStorage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that are sent for the counts from now on."""
    sent: list[str] = []
    send = storage.storage.execute_command

    def noted(*command: Any, **options: Any) -> Any:
        sent.append(str(command[0]))
        return send(*command, **options)

    # What loads the scripts is sent once for each Redis.
    owe_and_pay()
    monkeypatch.setattr(storage.storage, "execute_command", noted)
    return sent


def owe_and_pay(role: str | None = None, points: int = 1, ip: str = "198.51.100.1") -> int | None:
    context = make_context(role, ip=ip)
    if context.user is not None:
        context.user.pk = uuid.uuid4().int
    owe(context, limits.REQUESTS)
    return charge(context, points)


def history(seed: int) -> Iterator[list[list[Hit]]]:
    """Steps as a caller comes and goes: few keys, so that they run out, and budgets beside sliding limits."""
    chosen = random.Random(seed)
    for _ in range(25):
        yield [
            [
                Hit(
                    chosen.choice(RATES),
                    chosen.choice("ab"),
                    chosen.choice("xy"),
                    chosen.choice([1, 1, 1, 2, 9]),
                    slides,
                )
                for _ in range(chosen.choice([1, 1, 2]))
            ]
            for slides in [chosen.random() < 0.6 for _ in range(chosen.choice([1, 2, 3]))]
        ]


def told(outcomes: list[list[Outcome]]) -> list[list[tuple[bool, int | None]]]:
    return [[(each.granted, each.window.remaining if each.window else None) for each in step] for step in outcomes]


def under(prefix: str, steps: list[list[Hit]]) -> list[list[Hit]]:
    return [[Hit(h.item, h.name, f"{prefix}-{h.key}", h.cost, h.slides) for h in step] for step in steps]


@pytest.mark.parametrize("seed", range(6))
def test_one_trip_counts_what_the_library_counts_one_by_one(storage: RedisStorage, seed: int) -> None:
    one, other = uuid.uuid4().hex, uuid.uuid4().hex
    refused = 0
    for steps in history(seed):
        together = counted(storage, under(one, steps))
        singly = counted_one_by_one(storage, under(other, steps))
        assert told(together) == told(singly)
        for hit, ours, theirs in zip(chain(*steps), chain(*together), chain(*singly), strict=False):
            # A moment passes between the two, and the library takes a window that is new for one that ends.
            if ours.window and theirs.window:
                gap = abs(ours.window.reset_time - theirs.window.reset_time) % hit.item.get_expiry()
                assert min(gap, hit.item.get_expiry() - gap) < 20
        refused += not all(outcome.granted for step in together for outcome in step)
    assert refused > 3


def test_who_counts_one_by_one_sees_what_was_counted_together(storage: RedisStorage) -> None:
    key = uuid.uuid4().hex
    steps = [[Hit(RATES[0], "a", key)], [Hit(RATES[3], "b", key, 30, False)]]
    assert told(counted(storage, steps)) == [[(True, None)], [(True, 10)]]
    assert told(counted_one_by_one(storage, steps)) == [[(True, None)], [(False, 10)]]
    assert told(counted(storage, [steps[0], [Hit(RATES[3], "b", key, 10, False)]])) == [[(True, None)], [(True, 0)]]
    assert told(counted(storage, steps)) == [[(False, 0)]]


def test_of_64_at_once_no_step_is_granted_too_often(storage: RedisStorage) -> None:
    key = uuid.uuid4().hex
    steps = [[Hit(parse("20/minute"), "a", key)], [Hit(parse("120/minute"), "b", key, 10, False)]]
    with ThreadPoolExecutor(64) as pool:
        outcomes = list(pool.map(lambda _: counted(storage, steps), range(96)))
    assert sum(outcome[0][0].granted for outcome in outcomes) == 20
    assert sum(len(outcome) == 2 and outcome[1][0].granted for outcome in outcomes) == 12


def test_a_window_that_has_just_begun_ends_after_its_length(storage: RedisStorage) -> None:
    """No time passes between the count and the look at it, of which the library makes that it ends now."""
    for _ in range(5):
        ((outcome,),) = counted(storage, [[Hit(parse("40/minute"), "a", uuid.uuid4().hex, slides=False)]])
        assert outcome.window
        assert outcome.window.reset_time - time.time() > 40


@pytest.mark.parametrize(
    "do",
    [
        owe_and_pay,
        lambda: owe_and_pay("GUEST"),
        lambda: BOOKING.spend_by(make_context("GUEST", ip="198.51.100.2")),
        lambda: SIGN_IN.spend(f"email:{uuid.uuid4()}", f"ip:{uuid.uuid4()}"),
    ],
    ids=["a query of nobody", "a query of an account", "a booking", "signing in"],
)
def test_each_count_takes_one_trip(trips: list[str], do: Callable[[], object]) -> None:
    do()
    assert trips == ["EVALSHA"]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, storage: RedisStorage) -> Limit:
    """Two requests a minute, and ten points."""
    limit = Limit(f"requests-{uuid.uuid4().hex}", "2/minute")
    monkeypatch.setattr(limits, "REQUESTS", limit)
    monkeypatch.setattr(limits, "POINTS", Budget(f"reads-{uuid.uuid4().hex}", "10/minute"))
    return limit


def test_one_request_too_many_costs_no_points_and_a_dear_one_is_a_request(few: Limit) -> None:
    assert owe_and_pay(points=3) == 7
    with pytest.raises(RateLimited) as dear:
        owe_and_pay(points=8)
    assert dear.value.limit.startswith("reads-")
    with pytest.raises(RateLimited) as many:
        owe_and_pay(points=1)
    assert many.value.limit == few.name
    assert 1 <= many.value.retry_after <= 60
    # Of the seven that were left, neither of the refused has taken any.
    assert limits.POINTS.spend(limits.caller_of(make_context(ip="198.51.100.1")), 7) == 0


def test_what_is_owed_is_counted_once(few: Limit, trips: list[str]) -> None:
    context = make_context(ip="198.51.100.3")
    owe(context, few)
    settle(context)
    settle(context)
    assert charge(context, 1) == 9
    assert trips == ["EVALSHA", "EVALSHA"]
    again = make_context(ip="198.51.100.3")
    few.spend_by(again)
    with pytest.raises(RateLimited):
        few.spend_by(again)


@pytest.fixture
def settling(monkeypatch: pytest.MonkeyPatch, few: Limit) -> Engine:
    """The sample's engine, which counts requests with their points."""
    monkeypatch.setattr("schema.views.REQUESTS", few)
    monkeypatch.setattr(limits, "POINTS", Budget(f"reads-{uuid.uuid4().hex}", "9000/minute"))
    monkeypatch.setattr(sample.engine, "charge", charge)
    monkeypatch.setattr(sample.engine, "settle", settle)
    monkeypatch.setattr(sample.engine, "settles", True)
    return sample.engine


def post(client: Client, settings: Settings, query: str, variables: dict[str, Any] | None = None) -> Any:
    settings.RATE_LIMITS_ENABLED = True
    body = {"query": query, "variables": variables}
    return client.post("/graphql", body, content_type="application/json", REMOTE_ADDR="198.51.100.9")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    ["{ at }", "{ nobody knows this }", "{ this is none", "subscription { at }", "query A { at } query B { at }"],
    ids=["known", "not valid", "no document", "a subscription", "no operation named"],
)
def test_requests_are_counted_whatever_is_asked(
    client: Client, settings: Settings, settling: Engine, query: str
) -> None:
    answers = [post(client, settings, query) for _ in range(3)]
    assert 429 not in [answer.status_code for answer in answers[:2]]
    last = answers[2]
    assert last.status_code == 429
    assert last.json().keys() == {"errors"}
    (error,) = last.json()["errors"]
    wait = error["extensions"].pop("retryAfter")
    assert error == {"message": "Too many requests. Try again later.", "extensions": {"code": "RATE_LIMITED"}}
    assert (last["Retry-After"], last["RateLimit"]) == (str(wait), f'"{limits.REQUESTS.name}";r=0;t={wait}')


@pytest.mark.django_db
def test_what_is_refused_before_its_points_is_a_request(client: Client, settings: Settings, settling: Engine) -> None:
    many = {"a": [1] * 6000}
    codes = [post(client, settings, "{ at }", many).json()["errors"][0]["extensions"]["code"] for _ in range(3)]
    assert codes == ["BAD_USER_INPUT", "BAD_USER_INPUT", "RATE_LIMITED"]


@pytest.mark.django_db
def test_what_one_request_too_many_brings_is_not_read(
    client: Client, settings: Settings, settling: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        post(client, settings, "{ at }")
    read: list[str] = []
    monkeypatch.setattr(settling._documents, "_read", lambda query, _is_open: read.append(query))
    assert post(client, settings, f"{{ new{uuid.uuid4().hex}: at }}").status_code == 429
    assert read == []


@pytest.mark.django_db
def test_a_bug_before_the_points_leaves_no_request_uncounted(
    client: Client, settings: Settings, settling: Engine, few: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("schema.core.engine.check_variables", broken)
    answers = [post(client, settings, "{ at }") for _ in range(2)]
    assert [answer.json()["errors"][0]["extensions"]["code"] for answer in answers] == ["INTERNAL", "INTERNAL"]
    with pytest.raises(RateLimited):
        few.spend_by(make_context(ip="198.51.100.9"))


def test_without_redis_what_is_owed_is_forgotten(few: Limit, settings: Settings) -> None:
    settings.LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
    assert [owe_and_pay(points=9) for _ in range(3)] == [None, None, None]
    answer = Engine(sample.schema, charge=charge, settle=settle).answer(Operation("{ at }"), context=make_context())
    assert answer.errors == []
