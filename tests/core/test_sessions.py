"""Transactions that begin with their first statement: one round trip fewer, and nothing else is different."""

import io
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    connection,
    transaction,
)
from psycopg2.extras import execute_values
from psycopg2.sql import SQL, Literal

from apps.core.db import one_snapshot
from apps.core.postgres.session import Session
from tests.serving import elsewhere, last_message

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _table() -> Iterator[None]:
    execute("CREATE TABLE seen (number integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    yield
    connection.close()
    execute("DROP TABLE seen")


def execute(sql: Any, params: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def session() -> Session:
    connection.ensure_connection()
    return cast(Session, connection.connection)


def number() -> Any:
    """The one number of the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM seen")
        return cursor.fetchone()


def committed() -> int:
    return int(elsewhere("SELECT count(*) FROM seen"))


def with_values() -> None:
    with connection.cursor() as cursor:
        execute_values(cursor.cursor, "INSERT INTO seen VALUES %s", [(1,)])


def with_copy() -> None:
    with connection.cursor() as cursor:
        cursor.copy_expert("COPY seen FROM STDIN", io.StringIO("1\n"))


def with_copy_from() -> None:
    with connection.cursor() as cursor:
        cursor.copy_from(io.StringIO("1\n"), "seen")


def with_many() -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO seen VALUES (%s)", [(1,)])


def with_raw_cursor() -> None:
    with session().cursor() as cursor:
        cursor.execute(b"INSERT INTO seen VALUES (%s)", [1])


def with_call() -> None:
    with connection.cursor() as cursor:
        cursor.callproc("pg_advisory_xact_lock", [1])
    execute("INSERT INTO seen VALUES (1)")


def with_named_cursor() -> None:
    with connection.chunked_cursor() as cursor:
        cursor.execute("SELECT generate_series(1, %s)", [3])
        assert cursor.fetchmany(2) == [(1,), (2,)]
    execute("INSERT INTO seen VALUES (1)")


WAYS: list[Callable[[], None]] = [
    lambda: execute("INSERT INTO seen VALUES (1)"),
    lambda: execute("INSERT INTO seen VALUES (%s)", [1]),
    lambda: execute("INSERT INTO seen VALUES (%(number)s)", {"number": 1}),
    lambda: execute(SQL("INSERT INTO seen VALUES ({})").format(Literal(1))),
    with_values,
    with_copy,
    with_copy_from,
    with_many,
    with_raw_cursor,
    with_call,
    with_named_cursor,
]


@pytest.mark.parametrize("write", WAYS)
def test_whatever_comes_first_is_inside(write: Callable[[], None]) -> None:
    class Undone(Exception):
        pass

    def fail() -> None:
        with transaction.atomic():
            write()
            assert not session().is_idle
            assert number() == (1,)
            assert committed() == 0
            raise Undone

    with pytest.raises(Undone):
        fail()
    assert session().is_idle
    assert committed() == 0

    with transaction.atomic():
        write()
        assert committed() == 0
    assert session().is_idle
    assert committed() == 1
    # Outside of a transaction each stands for itself again.
    execute("INSERT INTO seen VALUES (2)")
    assert committed() == 2


def test_it_begins_in_one_message_and_only_once() -> None:
    with transaction.atomic():
        execute("SELECT 1")
        assert last_message() == "BEGIN; SELECT 1"
        execute("SELECT 2")
        assert last_message() == "SELECT 2"
    assert last_message() == "COMMIT"
    with one_snapshot():
        execute("SELECT 3")
        assert last_message() == "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 3"
    with transaction.atomic():
        execute("SELECT 4")
        assert last_message() == "BEGIN; SELECT 4"


def test_a_transaction_of_nothing_sends_nothing() -> None:
    execute("SELECT 1")
    for _ in range(2):
        with transaction.atomic():
            pass
    assert last_message() == "SELECT 1"


def test_a_savepoint_may_come_first() -> None:
    def fail() -> None:
        with transaction.atomic():
            execute("INSERT INTO seen VALUES (1)")
            raise ZeroDivisionError

    with transaction.atomic():
        with pytest.raises(ZeroDivisionError):
            fail()
        execute("INSERT INTO seen VALUES (2)")
    assert (number(), committed()) == ((2,), 1)


@pytest.mark.parametrize("bad", ["SELEC 1", "SELECT 1/0", "SELECT * FROM nowhere", "INSERT INTO seen VALUES ('x')"])
def test_what_follows_a_first_statement_that_failed_is_refused(bad: str) -> None:
    """As in any transaction. A statement that cannot even be read takes its BEGIN with it, and must not free the rest."""
    with transaction.atomic():
        with pytest.raises(DatabaseError):
            execute(bad)
        with pytest.raises(DatabaseError, match="transaction is aborted"):
            execute("INSERT INTO seen VALUES (1)")
        transaction.set_rollback(True)
    assert session().is_idle
    assert committed() == 0
    execute("INSERT INTO seen VALUES (2)")
    assert committed() == 1


def test_what_the_driver_refuses_to_send_has_begun_nothing() -> None:
    with transaction.atomic():
        with pytest.raises(ValueError, match="NUL"):
            execute("INSERT INTO seen SELECT length(%s)", ["\0"])
        assert session().is_idle
        execute("INSERT INTO seen VALUES (1)")
        assert committed() == 0
    assert committed() == 1


def test_a_commit_that_is_refused_leaves_nothing_behind() -> None:
    def twice() -> None:
        with transaction.atomic():
            execute("INSERT INTO seen VALUES (1), (1)")

    with pytest.raises(IntegrityError):
        twice()
    assert session().is_idle
    assert committed() == 0
    execute("INSERT INTO seen VALUES (1)")
    assert committed() == 1


def test_a_session_that_the_server_ends_in_between_keeps_nothing() -> None:
    def lose() -> None:
        with transaction.atomic():
            execute("INSERT INTO seen VALUES (1)")
            elsewhere("SELECT pg_terminate_backend(%s, 5000)", session().info.backend_pid)
            execute("INSERT INTO seen VALUES (2)")

    with pytest.raises((DatabaseError, InterfaceError)):
        lose()
    assert committed() == 0
    with transaction.atomic():
        execute("INSERT INTO seen VALUES (3)")
        assert committed() == 0
    assert committed() == 1


def test_transactions_may_be_managed_by_hand() -> None:
    transaction.set_autocommit(False)
    try:
        execute("INSERT INTO seen VALUES (1)")
        transaction.rollback()
        execute("INSERT INTO seen VALUES (2)")
        assert committed() == 0
        transaction.commit()
        assert committed() == 1
        execute("INSERT INTO seen VALUES (3)")
        assert committed() == 1
        with pytest.raises(ProgrammingError, match="a transaction is open"):
            transaction.set_autocommit(True)
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)
    assert (number(), committed()) == ((2,), 1)


def test_a_snapshot_cannot_begin_late() -> None:
    with transaction.atomic():
        execute("SELECT 1")
        with pytest.raises(Exception, match="no transaction is about to begin"):
            cast(Any, connection).begin_snapshot()


def test_who_looks_at_what_was_asked_sees_no_begin() -> None:
    with transaction.atomic(), session().cursor() as cursor:
        for _ in range(2):
            cursor.execute("SELECT %s", ["BEGIN; x"])
            assert cursor.query == b"SELECT 'BEGIN; x'"
