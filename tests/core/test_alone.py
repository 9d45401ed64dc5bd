"""To Django, a transaction of one statement is one like any other."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from django.db import DatabaseError, InterfaceError, ProgrammingError, connection, connections, transaction

from apps.core.db import ENOUGH, Habit, is_in_transaction, of_one_moment, one_snapshot, unit_of_work
from apps.core.postgres.session import NotAlone, Session

pytestmark = pytest.mark.django_db(transaction=True)


def trusted() -> Habit:
    habit = Habit()
    for _ in range(ENOUGH):
        habit.note(1)
    return habit


def one() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()


def alone(read: Callable[[], Any]) -> Any:
    return of_one_moment(read, trusted())


def is_as_before() -> bool:
    """Whether statements stand for themselves again, for Django and for the driver."""
    database = cast(Any, connection)
    states = (database.in_atomic_block, database.needs_rollback, database.atomic_blocks, database.savepoint_ids)
    assert one() == (1,)
    session = cast(Session, database.connection)
    return (
        states == (False, False, [], []) and database.get_autocommit() and session.opening is None and session.is_idle
    )


def test_a_unit_of_work_is_refused_in_it() -> None:
    @unit_of_work
    def work() -> None:
        raise AssertionError("it was let in")

    with pytest.raises(RuntimeError, match="durable"):
        alone(work)
    assert is_as_before()


def test_it_is_a_transaction() -> None:
    assert alone(lambda: (is_in_transaction(), connection.get_autocommit())) == (True, False)
    assert is_as_before()


def test_what_is_to_follow_a_commit_follows_it_once() -> None:
    done: list[int] = []

    def read() -> Any:
        before = list(done)
        transaction.on_commit(lambda: done.append(1))
        assert done == before
        return one()

    assert alone(read) == (1,)
    assert done == [1]
    # The first time it is refused, and has nothing to follow.
    assert alone(lambda: (read(), one())) == ((1,), (1,))
    assert done == [1, 1]


@pytest.mark.parametrize("is_marked", [False, True])
def test_what_is_to_follow_a_commit_does_not_follow_a_failure(is_marked: bool) -> None:
    def read() -> None:
        transaction.on_commit(lambda: pytest.fail("nothing was committed"))
        if is_marked:
            transaction.set_rollback(True)
            return
        raise ZeroDivisionError

    if is_marked:
        alone(read)
    else:
        with pytest.raises(ZeroDivisionError):
            alone(read)
    assert is_as_before()


@pytest.mark.parametrize("savepoint", [True, False])
def test_a_block_inside_leaves_nothing_behind(savepoint: bool) -> None:
    def read() -> Any:
        with transaction.atomic(savepoint=savepoint):
            one()
        return one()

    assert alone(read) == (1,)
    assert is_as_before()


def test_a_connection_that_was_closed_inside_is_opened_anew() -> None:
    def read() -> None:
        one()
        connection.close()

    alone(read)
    assert is_as_before()


def test_a_session_that_ends_inside_is_an_error_as_in_a_snapshot() -> None:
    def lose() -> None:
        pid = cast(Any, connection).connection.info.backend_pid
        other = connections.create_connection("default")
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        finally:
            other.close()
        with pytest.raises((DatabaseError, InterfaceError)):
            one()

    def in_snapshot() -> None:
        with one_snapshot():
            lose()

    for read in (in_snapshot, lambda: alone(lose)):
        with pytest.raises(InterfaceError):
            read()
        connection.close()
        assert is_as_before()


def test_transactions_that_are_managed_by_hand_are_left_so() -> None:
    transaction.set_autocommit(False)
    try:
        assert cast(Any, connection).begin_alone() is False
        assert connection.get_autocommit() is False
    finally:
        transaction.set_autocommit(True)
    assert is_as_before()


def test_it_begins_outside_of_transactions_alone() -> None:
    one()
    session = cast(Any, connection).connection
    with transaction.atomic():
        with pytest.raises(ProgrammingError, match="a transaction is open"), cast(Any, connection).wrap_database_errors:
            session.open_alone(bool)
        one()
        with pytest.raises(ProgrammingError, match="a transaction is open"), cast(Any, connection).wrap_database_errors:
            session.open_alone(bool)
    assert is_as_before()


def test_what_it_refuses_is_no_failure() -> None:
    assert issubclass(NotAlone, Exception) is False


def test_a_habit_forgets_sooner_than_it_learns() -> None:
    habit = Habit()
    for _ in range(200):
        # What alternates is never taken for what it is half of the time.
        habit.note(1)
        habit.note(3)
        assert habit.is_of_one is False
    for _ in range(200):
        habit.note(1)
    assert habit.is_of_one is True
    # One in many is no reason to have all of them pay.
    habit.note(2)
    assert habit.is_of_one is True
    for _ in range(8):
        habit.note(2)
    assert habit.is_of_one is False
