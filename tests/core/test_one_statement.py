"""An answer of one statement needs no transaction; and one that takes more after all still shows one moment."""

import gc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import graphene
import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from apps.core.db import COST, ENOUGH, Habit, of_one_moment
from apps.core.models import IdempotencyKey
from apps.core.postgres.session import BEGIN_SNAPSHOT, Session
from apps.core.prepared import Prepared
from schema.core.context import Context
from schema.core.engine import Answer, Engine, Operation
from tests.schema.core.sample import make_context
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = Prepared("count_keys", "SELECT count(*) FROM core_idempotencykey")


def count() -> int:
    return int(COUNT.rows()[0][0])


def write() -> None:
    number = IdempotencyKey.objects.count()
    IdempotencyKey.objects.create(caller="test", key=f"key {number}", fingerprint="", created_at=timezone.now())


@dataclass
class World:
    """What happens while the query is executed: each is called by the resolver, after its first statement."""

    then: Callable[[Any], Any] = lambda info: None
    seen: list[Any] = field(default_factory=list)


WORLD = World()


def doubled(context: Context, keys: list[int]) -> dict[int, int]:
    WORLD.seen.append(keys)
    return {key: count() + key for key in keys}


class Query(graphene.ObjectType):  # type: ignore[misc]  # graphene has no types
    rows = graphene.List(graphene.Int)
    added = graphene.Int(key=graphene.Int(default_value=0))
    later = graphene.Int()
    failing = graphene.Int()

    @staticmethod
    def resolve_rows(parent: Any, info: Any) -> list[Any]:
        return [count(), WORLD.then(info)]

    @staticmethod
    async def resolve_added(parent: Any, info: Any, key: int) -> Any:
        return await info.context.load(doubled, key)

    @staticmethod
    async def resolve_later(parent: Any, info: Any) -> int:
        return count()

    @staticmethod
    def resolve_failing(parent: Any, info: Any) -> int:
        raise ZeroDivisionError


def engine() -> Engine:
    return Engine(graphene.Schema(query=Query), reading=of_one_moment)


def ask(asked: Engine, query: str = "{ rows }") -> Answer:
    return asked.answer(Operation(query), context=make_context())


def learnt(query: str = "{ rows }") -> Engine:
    """An engine that has learnt that the query takes one statement."""
    WORLD.then = lambda info: None
    asked = engine()
    for _ in range(ENOUGH):
        ask(asked, query)
    return asked


def mislead(asked: Engine, query: str) -> None:
    """Have it believe that the query takes one statement."""
    (selected,) = asked.document(query, is_open=True).operations._kept.values()
    (habit,) = selected._habits.values()
    for _ in range(2 * COST + ENOUGH):
        habit.note(1)


@pytest.fixture(autouse=True)
def _world() -> Iterator[None]:
    count()
    WORLD.seen.clear()
    yield
    WORLD.then = lambda info: None


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What begins and ends transactions on their own, and the first words of what brings a BEGIN."""
    heard: list[str] = []
    say, note = Session._say, Session.note_beginning

    def hear(self: Session, word: str) -> None:
        heard.append(word)
        say(self, word)

    def hear_beginning(self: Session) -> None:
        heard.append(str(self.opening))
        note(self)

    monkeypatch.setattr(Session, "_say", hear)
    monkeypatch.setattr(Session, "note_beginning", hear_beginning)
    return heard


def curious(info: Any) -> int:
    """Somebody adds a row and commits, and then it is counted again."""
    at_once([write])
    return count()


def test_one_statement_is_sent_without_a_transaction(said: list[str]) -> None:
    asked = learnt()
    assert said == [BEGIN_SNAPSHOT, "COMMIT"] * ENOUGH
    said.clear()
    assert ask(asked).data == {"rows": [0, None]}
    assert said == []
    assert connection.in_atomic_block is False


def test_a_statement_with_values_is_sent_so_too(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    others = Prepared(
        "count_others", "SELECT count(*) FROM core_idempotencykey WHERE caller <> %(caller)s", caller="text"
    )
    monkeypatch.setitem(globals(), "count", lambda: int(others.rows(caller="somebody")[0][0]))
    asked = learnt()
    said.clear()
    assert ask(asked).data == {"rows": [0, None]}
    assert said == []


def test_what_asks_nothing_needs_nothing(said: list[str]) -> None:
    asked = learnt("{ __typename }")
    assert ask(asked, "{ __typename }").data == {"__typename": "Query"}
    assert said == []


def test_race_a_second_statement_sees_the_moment_of_the_first() -> None:
    asked = learnt()
    WORLD.then = curious
    # It was executed twice, and each time somebody has written.
    assert ask(asked).data == {"rows": [1, 1]}
    assert count() == 2
    assert ask(asked).data == {"rows": [2, 2]}


def test_twin_it_would_not_if_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = learnt()
    WORLD.then = curious
    monkeypatch.setattr(Session, "admit", lambda self, query, *, is_plain: None)
    assert ask(asked).data == {"rows": [0, 1]}


def test_race_one_that_is_swallowed_counts_all_the_same() -> None:
    def swallowing(info: Any) -> int:
        try:
            return curious(info)
        except BaseException:  # noqa: BLE001, RUF100 - as nobody should
            return -1

    asked = learnt()
    WORLD.then = swallowing
    assert ask(asked).data == {"rows": [1, 1]}


def test_race_one_that_becomes_another_error_counts_all_the_same() -> None:
    def replacing(info: Any) -> int:
        try:
            return curious(info)
        except BaseException:
            raise KeyError from None

    asked = learnt()
    WORLD.then = replacing
    assert ask(asked).data == {"rows": [1, 1]}


def test_nothing_is_left_of_what_was_executed_first() -> None:
    query = "{ failing added(key: 5) other: added(key: 6) rows }"
    WORLD.then = lambda info: None
    asked = engine()
    expected = ask(asked, query)
    mislead(asked, query)

    def noting(info: Any) -> None:
        assert "noted" not in info.context.state
        assert info.context.has_read_clock is False
        info.context.state["noted"] = True
        info.context.now  # noqa: B018
        WORLD.seen.append("rows")

    WORLD.then = noting
    WORLD.seen.clear()
    context = make_context()
    context.state["before"] = "is kept"
    answer = asked.answer(Operation(query), context=context)
    # The loader was asked each time, and the first time it was one statement too many.
    assert WORLD.seen == ["rows", [5, 6], "rows", [5, 6]]
    assert answer.data == expected.data
    assert answer.extensions == expected.extensions
    assert [error["message"] for error in answer.errors] == [error["message"] for error in expected.errors]
    assert len(answer.errors) == 1
    assert context.points > 0
    assert context.state["before"] == "is kept"


def test_what_waits_when_it_ends_is_closed() -> None:
    query = "{ a: later b: later c: later }"
    asked = engine()
    ask(asked, query)
    mislead(asked, query)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert ask(asked, query).data == {"a": 0, "b": 0, "c": 0}
        gc.collect()
    assert [str(each.message) for each in found if each.category is RuntimeWarning] == []


def inserting(info: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO seen VALUES (1)")


def behind_a_savepoint(info: Any) -> None:
    with transaction.atomic():
        inserting(info)


def many_at_once(info: Any) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO seen VALUES (%s)", [(1,)])


def by_reading(info: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("WITH it AS (INSERT INTO seen VALUES (1) RETURNING 1) SELECT * FROM it")


def locking(info: Any) -> None:
    """A lock is held to the end of the reading."""
    inserting(info)
    list(IdempotencyKey.objects.select_for_update())


def from_the_server(info: Any) -> None:
    list(IdempotencyKey.objects.iterator(chunk_size=1))
    inserting(info)


class Writing(graphene.ObjectType):  # type: ignore[misc]
    wrote = graphene.Boolean()

    @staticmethod
    def resolve_wrote(parent: Any, info: Any) -> bool:
        WORLD.then(info)
        return True


@pytest.fixture
def _table() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE seen (number integer)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE seen")


def written_by(act: Callable[[Any], None]) -> int:
    """How many rows are there after the query was asked often enough to be learnt, and twice more."""
    asked = Engine(graphene.Schema(query=Writing), reading=of_one_moment)
    WORLD.then = act
    for _ in range(ENOUGH + 2):
        answer = ask(asked, "{ wrote }")
        assert (answer.data, answer.errors) == ({"wrote": True}, [])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM seen")
        return int(cursor.fetchone()[0])


WRITERS = [inserting, behind_a_savepoint, many_at_once, by_reading, locking, from_the_server]


@pytest.mark.usefixtures("_table")
@pytest.mark.parametrize("act", WRITERS, ids=[act.__name__ for act in WRITERS])
def test_what_writes_is_never_sent_alone_nor_twice(act: Callable[[Any], None]) -> None:
    assert written_by(act) == ENOUGH + 2


@pytest.mark.usefixtures("_table")
def test_twin_it_would_be_if_nobody_looked_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.core.postgres.base.stands_alone", lambda text: True)
    turns = iter([False] * ENOUGH + [True] * 4)

    def sometimes_more(info: Any) -> None:
        inserting(info)
        if next(turns):
            count()

    assert written_by(sometimes_more) > ENOUGH + 2


def test_who_looks_at_statements_finds_what_was_sent() -> None:
    asked = learnt()
    connection.force_debug_cursor = True
    connection.queries_log.clear()
    try:
        assert ask(asked).data == {"rows": [0, None]}
    finally:
        connection.force_debug_cursor = False
    assert [each["sql"].split(" ")[0] for each in connection.queries_log] == ["BEGIN", "EXECUTE", "COMMIT"]


def test_a_new_connection_prepares_first_and_stays_alone(said: list[str]) -> None:
    asked = learnt()
    connection.close()
    said.clear()
    assert ask(asked).data == {"rows": [0, None]}
    assert [word.split(" ")[0] for word in said] == ["PREPARE"]


def test_a_statement_that_fails_fails_as_in_a_snapshot() -> None:
    def fail(info: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")

    asked = Engine(graphene.Schema(query=Writing), reading=of_one_moment)
    WORLD.then = fail
    bodies = [ask(asked, "{ wrote }") for _ in range(ENOUGH + 2)]
    assert {str(each.data) for each in bodies} == {"{'wrote': None}"}
    assert {each.errors[0]["extensions"]["code"] for each in bodies} == {"INTERNAL"}
    assert count() == 0


def test_a_session_that_the_server_ends_is_replaced_as_ever() -> None:
    asked = learnt()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            pid = cast(Any, connection.connection).info.backend_pid
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    finally:
        other.close()
    database = cast(Any, connection)
    database.health_check_enabled = database.health_check_done = False
    broken = ask(asked)
    assert [error["extensions"]["code"] for error in broken.errors] in ([], ["INTERNAL"])
    connection.close()
    assert ask(asked).data == {"rows": [0, None]}


def test_it_leaves_other_transactions_alone() -> None:
    asked = learnt()
    ask(asked)
    with transaction.atomic():
        write()
        # A part of what is open already.
        WORLD.then = lambda info: count()
        assert ask(asked).data == {"rows": [1, 1]}
        assert connection.in_atomic_block is True
    assert count() == 1


def test_no_reading_lets_it_out() -> None:
    habit = Habit()
    for _ in range(ENOUGH):
        habit.note(1)
    calls = []

    def read() -> int:
        calls.append(count())
        return count()

    assert of_one_moment(read, habit) == 0
    assert len(calls) == 2
    with pytest.raises(DatabaseError):
        of_one_moment(lambda: connection.cursor().execute("SELECT nothing"), habit)
    assert connection.in_atomic_block is False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)
