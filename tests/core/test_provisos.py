"""What has to be so goes in front of the first statement, whatever that is; where it is not so, nothing is carried out."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test import override_settings

from apps.core.db import Habit, confirm, of_one_moment, one_snapshot, provided, unit_of_work
from apps.core.models import IdempotencyKey
from apps.core.postgres.base import TRUSTED_SECONDS
from apps.core.postgres.session import ProvisoFailed
from apps.core.prepared import Prepared
from apps.core.provisos import Condition, Proviso, is_possible
from tests.core.test_alone import is_as_before, trusted
from tests.core.test_sessions import WAYS, _table, committed, execute, session  # noqa: F401 - the table of each test
from tests.serving import last_message

pytestmark = pytest.mark.django_db(transaction=True)

BELOW = Condition("below_ten", "SELECT 1 WHERE %(number)s < 10", number="bigint")
COUNT = Prepared("count_seen", "SELECT count(*) FROM core_idempotencykey")
HOLDS, FAILS = 5, 15


def below(number: int) -> Proviso:
    return Proviso(BELOW, BELOW.given(number=number))


def anew() -> None:
    """Write on another session."""
    connection.close()
    execute("INSERT INTO seen VALUES (1)")


def in_transaction(write: Callable[[], None]) -> None:
    with transaction.atomic():
        write()


def in_savepoint(write: Callable[[], None]) -> None:
    with transaction.atomic(), transaction.atomic():
        write()


def in_snapshot(write: Callable[[], None]) -> None:
    with one_snapshot():
        write()


def by_itself(write: Callable[[], None]) -> None:
    write()


@pytest.mark.parametrize("write", WAYS)
def test_nothing_is_written_where_it_fails(write: Callable[[], None]) -> None:
    ways = [by_itself, in_transaction, in_savepoint, in_snapshot]
    if write.__name__ in {"with_named_cursor", "with_call"}:
        ways.remove(by_itself)
    # Each way twice: it is prepared by then.
    for around in ways * 2:
        with pytest.raises(ProvisoFailed), provided(below(FAILS)):
            around(write)
        assert is_as_before()
    assert committed() == 0
    for around in ways:
        with provided(below(HOLDS)):
            around(write)
        execute("UPDATE seen SET number = number + 1")
    assert committed() == len(ways)
    assert is_as_before()


def test_it_goes_in_the_message_of_the_first_statement_alone() -> None:
    with provided(below(HOLDS)):
        COUNT.rows()
    with provided(below(HOLDS)):
        assert COUNT.rows() == [(0,)]
        assert last_message().split("; ") == [f"EXECUTE {BELOW.name} ('5')", f"EXECUTE {COUNT.name} "]
        assert COUNT.rows() == [(0,)]
        assert last_message() == f"EXECUTE {COUNT.name} "
    with provided(below(HOLDS)), transaction.atomic():
        COUNT.rows()
        assert last_message() == f"BEGIN; EXECUTE {BELOW.name} ('5'); EXECUTE {COUNT.name} "
    with provided(below(HOLDS)):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 7")
            assert cursor.fetchall() == [(7,)]
            assert cast(Any, cursor.cursor).query == b"SELECT 7"
        sent = session().sent
        COUNT.rows()
        assert session().sent == sent + 1


def test_a_reading_of_one_statement_stays_one() -> None:
    habit = trusted()
    with provided(below(HOLDS)):
        assert of_one_moment(COUNT.rows, habit) == [(0,)]
        assert last_message().startswith(f"EXECUTE {BELOW.name} ")
    assert is_as_before()
    with pytest.raises(ProvisoFailed), provided(below(FAILS)):
        of_one_moment(COUNT.rows, habit)
    assert is_as_before()
    assert habit.is_of_one
    # And one that takes two after all is read in a snapshot, with nothing more to be asked.
    with provided(below(HOLDS)):
        assert of_one_moment(lambda: [COUNT.rows(), COUNT.rows()], habit) == [[(0,)], [(0,)]]
    assert is_as_before()


def test_it_is_asked_for_in_the_end_where_nothing_was_sent() -> None:
    with provided(below(HOLDS)):
        pass
    assert last_message() == f"EXECUTE {BELOW.name} ('5')"
    with pytest.raises(ProvisoFailed), provided(below(FAILS)):
        pass
    # What went wrong is nobody's business who is not who they are taken for.
    with pytest.raises(ProvisoFailed), provided(below(FAILS)):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), provided(below(HOLDS)):
        raise ZeroDivisionError
    assert is_as_before()


def test_it_can_be_asked_for_before() -> None:
    with provided(below(HOLDS)):
        confirm()
        assert last_message() == f"EXECUTE {BELOW.name} ('5')"
        confirm()
        COUNT.rows()
        assert last_message() == f"EXECUTE {COUNT.name} "
    with pytest.raises(ProvisoFailed), provided(below(FAILS)):
        confirm()
    confirm()
    assert is_as_before()


def test_once_it_has_failed_nothing_follows() -> None:
    @unit_of_work
    def act() -> None:
        with suppress(ProvisoFailed):
            COUNT.rows()
        execute("INSERT INTO seen VALUES (1)")

    def insist() -> None:
        with suppress(ProvisoFailed):
            act()
        with suppress(ProvisoFailed):
            anew()

    with pytest.raises(ProvisoFailed), provided(below(FAILS)):
        insist()
    assert committed() == 0
    assert is_as_before()


@pytest.mark.parametrize("bad", ["SELECT 1/0", "SELEC 1", "SELECT 'x'::integer", "SELECT 'holdfast'::integer"])
def test_a_statement_that_fails_by_itself_leaves_it_due(bad: str) -> None:
    """What was asked may not have been: it is asked again with the next one."""

    def attempt(number: int) -> None:
        with provided(below(number)), transaction.atomic():
            with pytest.raises(DatabaseError), transaction.atomic():
                execute(bad)
            execute("INSERT INTO seen VALUES (1)")

    with pytest.raises(ProvisoFailed):
        attempt(FAILS)
    assert committed() == 0
    attempt(HOLDS)
    assert committed() == 1
    with provided(below(HOLDS)):
        with pytest.raises(DatabaseError):
            execute(bad)
        COUNT.rows()
        assert last_message().startswith(f"EXECUTE {BELOW.name} ")
    with provided(below(HOLDS)), transaction.atomic():
        with pytest.raises(DatabaseError):
            execute(bad)
        # Nothing is carried out in such a transaction but what ends it.
        with pytest.raises(DatabaseError):
            execute("ROLLBACK TO SAVEPOINT nowhere; INSERT INTO seen VALUES (2)")
        transaction.set_rollback(True)
    assert committed() == 1
    assert is_as_before()


def test_it_goes_on_to_the_next_session() -> None:
    with pytest.raises(ProvisoFailed), provided(below(FAILS)):
        anew()
    assert committed() == 0
    with provided(below(HOLDS)):
        connection.close()
        COUNT.rows()
        assert last_message().startswith(f"EXECUTE {BELOW.name} ")
    assert is_as_before()


def test_who_looks_whether_the_session_is_alive_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = cast(Any, connections["default"])
    for number in (HOLDS, FAILS):
        proviso = below(number)
        COUNT.rows()
        monkeypatch.setattr(wrapper, "_answered_at", wrapper._answered_at - TRUSTED_SECONDS)
        with suppress(ProvisoFailed), provided(proviso):
            assert wrapper.is_usable()
        assert (proviso.holds, proviso.has_failed) == (number == HOLDS, number == FAILS)
    assert is_as_before()


def test_a_session_that_has_forgotten_it_is_told_again() -> None:
    with provided(below(HOLDS)):
        COUNT.rows()
    execute("DEALLOCATE ALL")
    with pytest.raises(DatabaseError), provided(below(HOLDS)):
        execute("SELECT 1")
    with provided(below(HOLDS)):
        execute("SELECT 1")


def test_nothing_of_it_is_left_behind() -> None:
    with suppress(ProvisoFailed), provided(below(FAILS)):
        execute("SELECT 1")
    IdempotencyKey.objects.count()
    assert session().proviso is None
    assert is_as_before()


def test_it_takes_whole_numbers_alone() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        BELOW.given(number=cast(int, "5') OR ('1"))


def test_it_needs_sessions_and_statements_of_its_own() -> None:
    assert is_possible()
    for name, value in [("COMPILED_READS", False), ("PREPARED_STATEMENTS", False), ("DATABASE_POOLER", "session")]:
        with override_settings(**{name: value}):
            assert not is_possible()


def test_habits_are_not_disturbed() -> None:
    habit = Habit()
    for _ in range(5):
        with provided(below(HOLDS)):
            of_one_moment(COUNT.rows, habit)
    assert habit.is_of_one
