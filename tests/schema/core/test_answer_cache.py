"""What is kept: read back only by who wrote it, while it holds; and what becomes of it without Redis."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import graphene
import orjson
import pytest
from pytest_django.fixtures import Settings
from redis import Redis, RedisError

from apps.core import versions
from apps.core.families import LISTINGS
from apps.core.versions import Recording
from schema.core import answer_cache, caching
from schema.core.answer_cache import Entry, key_for, read_entry
from schema.core.caching import Opened, Policy, Varies, cached
from schema.core.context import Info
from schema.core.engine import Answer, Engine, Operation
from schema.core.permissions import RootField, anyone
from tests.schema.core.sample import NOW, make_context

AT = NOW.timestamp()
made: list[Any] = []


def shelf(_: Any) -> int:
    return 7


class Query(graphene.ObjectType):
    """What the tests ask for."""

    mine = RootField(graphene.String, permission=anyone, description="Who asks.")
    ours = RootField(
        graphene.String, word=graphene.String(description="A word."), permission=anyone, description="All."
    )
    told = RootField(graphene.DateTime, permission=anyone, description="When it is.")
    slow = RootField(graphene.Int, permission=anyone, description="Takes long.")

    @cached("Query.mine", about=shelf, invalidated_by=(LISTINGS,))
    def resolve_mine(root: None, info: Info) -> str:
        made.append("mine")
        return "nobody" if info.context.user is None else f"{info.context.user.pk}"

    @cached("Query.ours", about=shelf, invalidated_by=(LISTINGS,), varies_by=Varies.NOTHING)
    def resolve_ours(root: None, info: Info, word: str = "") -> str:
        made.append("ours")
        return f"ours {word}"

    def resolve_told(root: None, info: Info) -> Any:
        return info.context.now

    def resolve_slow(root: None, info: Info) -> int:
        made.append("slow")
        time.sleep(0.1)
        return len(made)


schema = graphene.Schema(query=Query)
engine = Engine(schema, keeps=True)


@pytest.fixture(autouse=True)
def redis(settings: Settings, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Redis]:
    settings.CACHE_SECONDS = 60
    monkeypatch.setattr(versions, "outage", versions._Outage())
    monkeypatch.setattr(caching, "is_in_transaction", lambda: False)
    monkeypatch.setattr(answer_cache, "_asked", answer_cache._Remembered(100))
    made.clear()
    client = versions.redis_of(settings.CACHE_REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()


# Known in the tests of this module alone, however often a worker comes back to it.
OWN = {name: caching.POLICIES.pop(name) for name in ("Query.mine", "Query.ours")}


@pytest.fixture(autouse=True)
def _policies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, policy in OWN.items():
        monkeypatch.setitem(caching.POLICIES, name, policy)


def ask(query: str, role: str | None = None, *, of: Engine = engine, pk: int = 7, **options: Any) -> Answer:
    context = make_context(role, **options)
    if context.user is not None:
        context.user.pk = pk
    return of.answer(Operation(query), context=context)


def data(query: str, role: str | None = None, **options: Any) -> Any:
    found = ask(query, role, **options)
    assert found.errors == []
    return orjson.loads(orjson.dumps(found.data))


def entry(**changes: Any) -> Entry:
    given: dict[str, Any] = {"at": AT, "seconds": 10.0, "took": 0.1, "tags": ("a",), "content": b'{"x":1}', **changes}
    return Entry(**given)


def test_an_entry_is_read_back_under_its_own_key_only(settings: Settings) -> None:
    wanted = entry(note=5, raised={"a": 3})
    raw = wanted.written("one")
    assert read_entry("one", raw) == wanted
    assert read_entry("two", raw) is None
    for position in range(len(raw)):
        assert read_entry("one", raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]) is None
    for garbled in (None, b"", b"x", raw[:-1], raw + b" ", b"\x80\x04K\x01."):
        assert read_entry("one", garbled) is None
    settings.SECRET_KEY = "another secret of at least 32 characters"
    assert read_entry("one", raw) is None


def test_an_entry_holds_while_it_is_young_and_nothing_was_raised() -> None:
    it = entry(raised={"a": 3, "b": 0})
    assert it.holds(AT + 10, {"a": 3})
    assert not it.holds(AT + 10.1, {"a": 3})
    assert not it.holds(AT, {"a": 4})
    assert not it.holds(AT, {"a": 3, "b": 1})
    assert not it.holds(AT, {})


def test_some_make_it_anew_before_its_end_and_more_the_nearer_it_is() -> None:
    dear = entry(took=1.0)
    shares = [sum(dear.is_due(AT + age) for _ in range(2000)) / 2000 for age in (0, 8, 9.5, 10)]
    assert shares[0] < 0.02
    assert 0.05 < shares[1] < 0.25
    assert 0.45 < shares[2] < 0.75
    assert shares[3] == 1.0


def test_equal_parts_make_equal_keys_and_a_release_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_for("answer", "a", "bc") == key_for("answer", "a", b"bc")
    assert key_for("answer", "a", "bc") != key_for("answer", "ab", "c") != key_for("other", "ab", "c")
    before = key_for("answer", "a")
    monkeypatch.setattr(answer_cache, "release", lambda: "0" * 16)
    assert key_for("answer", "a") != before


def test_what_is_asked_for_again_is_kept(redis: Redis) -> None:
    query = "{ slow }"
    assert [data(query) for _ in range(4)] == [{"slow": 1}, {"slow": 2}, {"slow": 2}, {"slow": 2}]
    (key,) = redis.keys("holdfast:kept:*")
    assert 0 < redis.pttl(key) <= 60_000


def test_who_asks_ever_anew_fills_nothing(redis: Redis) -> None:
    for number in range(20):
        data(f'{{ ours(word: "{number}") }}')
    assert redis.keys("holdfast:kept:*") == []


def test_a_large_answer_is_not_kept(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = "{ a: slow }", f"{{ {'a' * 90}: slow }}"
    monkeypatch.setattr(answer_cache, "LARGEST", 90)
    for _ in range(3):
        data(small), data(large)
    assert len(redis.keys("holdfast:kept:*")) == 1


def test_an_answer_that_tells_the_time_is_kept_no_longer_than_a_sweep(redis: Redis, settings: Settings) -> None:
    settings.SWEEP_SECONDS = 2
    for _ in range(2):
        data("{ told }")
    (key,) = redis.keys("holdfast:kept:*")
    assert 0 < redis.pttl(key) <= 2_000


def test_a_raised_version_ends_it_for_everybody(redis: Redis) -> None:
    for _ in range(3):
        data("{ ours }")
    assert made == ["ours", "ours"]
    versions.tell({"listings:9"})
    data("{ ours }")
    assert made == ["ours", "ours"]
    for tag in ("listings:7", "listings:*"):
        versions.tell({tag})
        before = len(made)
        data("{ ours }")
        data("{ ours }")
        assert len(made) == before + 1


def test_nothing_that_was_kept_crosses_from_one_to_another() -> None:
    """Two accounts and nobody take turns: each field is asked for often enough to be kept."""
    callers: list[tuple[str | None, int]] = [("GUEST", 7), ("HOST", 8), (None, 0)]
    for _ in range(4):
        for role, pk in callers:
            expected = str(pk) if role else "nobody"
            assert data("{ mine ours }", role, pk=pk) == {"mine": expected, "ours": "ours "}
    # Each made its own twice, then it was kept: for the two accounts together, the shared one was made twice.
    assert made.count("mine") == 6
    assert made.count("ours") <= 4


def test_without_varying_a_field_would_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk above sees what it is there for: with the same policy declared wrongly the second account gets the first's."""
    wrong = caching.Policy("Query.mine", invalidated_by=(LISTINGS,), varies_by=Varies.NOTHING)
    key = wrong.key
    monkeypatch.setattr(caching.Policy, "key", lambda _self, context, *parts: key(context, *parts))
    for _ in range(3):
        data("{ mine }", "GUEST", pk=7)
    assert data("{ mine }", "HOST", pk=8) == {"mine": "7"}


@pytest.mark.parametrize(("role", "state"), [("GUEST", None), (None, "EXPIRED"), (None, "INVALID")])
def test_the_answer_to_somebody_is_neither_kept_nor_taken_from_what_is(role: str | None, state: str | None) -> None:
    for _ in range(3):
        data("{ slow }")
    before = len(made)
    for _ in range(3):
        found = ask("{ slow }", role, token_state=state)
        assert not found.is_public
    assert len(made) == before + 3


def test_what_it_costs_is_told_and_charged_the_same() -> None:
    charged: list[int] = []

    def charge(_context: Any, points: int) -> int:
        charged.append(points)
        return 1000 - sum(charged)

    paying = Engine(schema, keeps=True, charge=charge)
    found = [ask("{ slow }", of=paying) for _ in range(4)]
    assert isinstance(found[3].data, orjson.Fragment)
    assert (
        len({tuple(answer.extensions["cost"][name] for name in ("requested", "actual", "limit")) for answer in found})
        == 1
    )
    left = [answer.extensions["cost"]["remaining"] for answer in found]
    assert left == sorted(left, reverse=True)
    assert len(set(left)) == len(set(charged)) * 4
    assert all(answer.is_public and answer.executed for answer in found)


def test_the_log_is_told_the_points_that_the_caller_is_told() -> None:
    logged: list[int] = []

    def watch(carry_out: Any, operation: Operation, context: Any) -> Answer:
        answer: Answer = carry_out(operation, context)
        logged.append(context.points)
        return answer

    watched = Engine(schema, keeps=True, watch=watch)
    found = [ask("{ slow }", of=watched) for _ in range(4)]
    assert isinstance(found[3].data, orjson.Fragment)
    assert logged == [answer.extensions["cost"]["actual"] for answer in found]
    assert logged[3] > 0


def test_who_comes_second_waits_for_the_first(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst() -> int:
        monkeypatch.setattr(answer_cache, "_asked", answer_cache._Remembered(100))
        redis.flushdb()
        data("{ slow }")
        made.clear()
        start = threading.Barrier(8)

        def one(_: int) -> Any:
            start.wait()
            return data("{ slow }")

        with ThreadPoolExecutor(8) as pool:
            assert len(list(pool.map(one, range(8)))) == 8
        return len(made)

    monkeypatch.setattr(caching, "WAIT_SECONDS", 10.0)
    assert burst() == 1
    # The same without taking turns: each makes it.
    monkeypatch.setattr(answer_cache.Turn, "take", lambda _self: True)
    monkeypatch.setattr(answer_cache.Turn, "give_back", lambda _self: None)
    assert burst() > 1


def test_who_waited_in_vain_makes_it(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever had the turn died: the lock ends by itself, and nobody waits for that."""
    monkeypatch.setattr(caching, "WAIT_SECONDS", 0.02)
    data("{ slow }")
    monkeypatch.setattr(answer_cache.Turn, "take", lambda _self: False)
    assert data("{ slow }") == {"slow": 2}


@pytest.mark.parametrize("value", [b"garbled", b"", b'{"at": 1}', b"\x80\x04\x95"])
def test_what_somebody_else_wrote_there_is_nothing(redis: Redis, value: bytes) -> None:
    for _ in range(3):
        data("{ slow }")
    (key,) = redis.keys("holdfast:kept:*")
    redis.set(key, value)
    before = len(made)
    assert data("{ slow }") == {"slow": before + 1}
    assert data("{ slow }") == {"slow": before + 1}


def test_versions_that_are_no_numbers_end_what_hangs_on_them(redis: Redis) -> None:
    for _ in range(3):
        data("{ ours }")
    redis.set(versions.key_of("listings:7"), b"what?")
    before = len(made)
    for _ in range(3):
        data("{ ours }")
    assert len(made) == before + 3
    redis.set(versions.CLOCK, b"what?")
    redis.delete(versions.key_of("listings:7"))
    versions.tell({"listings:7"})
    assert int(redis.get(versions.CLOCK) or 0) > 0


def test_a_clock_that_was_lost_lets_nothing_old_hold(redis: Redis) -> None:
    versions.tell({"listings:7"})
    for _ in range(3):
        data("{ ours }")
    redis.delete(versions.CLOCK)
    versions.tell({"listings:7"})
    before = len(made)
    data("{ ours }")
    assert len(made) == before + 1


def test_versions_only_go_up(redis: Redis) -> None:
    redis.set(versions.CLOCK, 2**52)
    versions.tell({"a"})
    versions.tell({"a", "b"})
    assert [
        int(redis.get(key) or 0) - 2**52 for key in (versions.CLOCK, versions.key_of("a"), versions.key_of("b"))
    ] == [2, 2, 2]


def test_zero_seconds_keep_nothing(redis: Redis, settings: Settings) -> None:
    settings.CACHE_SECONDS = 0
    for number in range(3):
        assert data("{ slow }") == {"slow": number + 1}
    assert redis.keys("holdfast:*") == []


def test_without_redis_it_is_slower_and_right(settings: Settings) -> None:
    for _ in range(3):
        data("{ slow }")
    settings.CACHE_REDIS_URL = "redis://127.0.0.1:1/0"
    before = len(made)
    for number in range(3):
        assert data("{ slow mine ours }", "GUEST") == {"slow": before + 1 + 3 * number, "mine": "7", "ours": "ours "}
    assert versions.outage.lasts()


def test_redis_that_goes_away_in_between_spoils_nothing(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise RedisError

    data("{ slow ours }")
    monkeypatch.setattr(answer_cache, "keep", away)
    assert data("{ slow ours }")["ours"] == "ours "
    assert versions.outage.lasts()
    assert redis.keys("holdfast:kept:*") == []


def test_who_reads_anew_leaves_nothing_of_what_was_read_first(settings: Settings) -> None:
    policy = Policy("Query.anew", (LISTINGS,), is_dear=True)
    opened = Opened(make_context(), None)
    assert opened.begin() is True
    opened.recording = Recording()
    key = key_for("anew")
    answer_cache.was_asked_before(key)
    turn, _ = opened.turn_for(policy, key)
    opened.hang_on({"listings"}, is_timed=False)
    opened.recording.is_covered = False
    opened.keep_field(policy, key, frozenset(), 1, took=0.0, turn=turn)
    assert turn is not None
    opened.go_back()
    assert (opened.recording.tags, opened.recording.is_covered, opened._new) == (set(), True, {})
    # The right to make it is there for whoever comes, and that is oneself.
    again, _ = opened.turn_for(policy, key)
    assert again is not None
    opened.close()
    assert answer_cache.look([key], now=AT).entries == {}
