"""Prepared statements: the same answers as texts that are sent whole, and planned once for each connection."""

from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from django.db import DataError, NotSupportedError, OperationalError, connection, transaction
from pytest_django.fixtures import Settings

from apps.core.prepared import Prepared, meant

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DOUBLE = Prepared("double", "SELECT %(number)s * 2, '100%%', %(number)s", number="integer")
BARE = Prepared("bare", "SELECT 1, '%%'")


@pytest.fixture(params=["prepared", "whole"])
def _way(request: pytest.FixtureRequest, settings: Settings) -> None:
    settings.PREPARED_STATEMENTS = request.param == "prepared"


def prepared_here(statement: Prepared) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name = %s", [statement.name])
        (count,) = cursor.fetchone()
        return int(count)


@pytest.mark.usefixtures("_way")
def test_each_place_gets_its_value_and_percents_stay() -> None:
    assert DOUBLE.rows(number=21) == [(42, "100%", 21)]
    assert DOUBLE.row(number=None) == (None, "100%", None)
    assert BARE.rows() == [(1, "%")]


@pytest.mark.usefixtures("_way")
def test_values_have_the_types_that_were_said() -> None:
    with pytest.raises(DataError), transaction.atomic():
        DOUBLE.rows(number=2**40)
    with pytest.raises(DataError), transaction.atomic():
        DOUBLE.rows(number="1); DROP TABLE users_user; --")
    assert DOUBLE.row(number=1) == (2, "100%", 1)


def test_a_connection_is_told_once(settings: Settings) -> None:
    once = Prepared("once", "SELECT %(number)s", number="integer")
    settings.PREPARED_STATEMENTS = False
    assert once.row(number=1) == (1,)
    assert prepared_here(once) == 0

    settings.PREPARED_STATEMENTS = True
    assert [once.row(number=number) for number in range(3)] == [(0,), (1,), (2,)]
    assert prepared_here(once) == 1


def test_what_was_rolled_back_is_still_prepared() -> None:
    undone = Prepared("undone", "SELECT %(number)s", number="integer")
    with transaction.atomic():
        undone.row(number=1)
        transaction.set_rollback(True)
    assert undone.row(number=2) == (2,)


@pytest.mark.django_db(transaction=True)
def test_every_connection_is_told_for_itself() -> None:
    found: list[tuple[object, ...] | None] = []

    def ask() -> None:
        found.append(DOUBLE.row(number=len(found)))
        # The next one is another connection of the same thread.
        connection.close()
        found.append(DOUBLE.row(number=len(found)))
        connection.close()

    for _ in range(2):
        thread = Thread(target=ask)
        thread.start()
        thread.join()
    assert found == [(0, "100%", 0), (2, "100%", 1), (4, "100%", 2), (6, "100%", 3)]


@pytest.mark.django_db(transaction=True)
def test_a_column_that_a_migration_widens_is_asked_for_anew() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE widened (name varchar(5)); INSERT INTO widened VALUES ('abc')")
    statement = Prepared("widened", "SELECT name FROM widened")
    assert statement.rows() == [("abc",)]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE widened ALTER name TYPE varchar(9)")
    assert statement.rows() == [("abc",)]

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE widened ALTER name TYPE varchar(20)")
    # In a transaction the one that met it first is lost, and no other.
    with pytest.raises(NotSupportedError), transaction.atomic():
        statement.rows()
    with transaction.atomic():
        assert statement.rows() == [("abc",)]
    connection.close()


def test_who_looks_at_texts_sees_what_is_carried_out() -> None:
    sent: list[str] = []

    def look(execute: Any, sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(look):
        Prepared("seen", "SELECT %(number)s FROM users_user", number="integer").rows(number=1)
    assert [meant(text) for text in sent] == ["SELECT $1 FROM users_user"]
    assert meant("SELECT 1") == "SELECT 1"


def test_two_of_one_name_are_two() -> None:
    one, other = Prepared("same", "SELECT 1"), Prepared("same", "SELECT 2")
    assert (one.row(), other.row()) == ((1,), (2,))


@pytest.mark.parametrize(("text", "types"), [("SELECT %(a)s", {}), ("SELECT 1", {"a": "integer"})])
def test_places_and_types_must_fit(text: str, types: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="places and types differ in a"):
        Prepared("unfit", text, **types)


@pytest.mark.usefixtures("_way")
def test_one_behind_another_goes_in_the_same_message() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE told (number integer)")
    tell = Prepared("tell", "INSERT INTO told VALUES (%(number)s)", number="integer")
    count = Prepared("count", "SELECT count(*), '%%', %(number)s + %(more)s FROM told", number="integer", more="bigint")
    both = count.after(tell)
    sent: list[str] = []

    def look(execute: Any, sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(look):
        # The second sees what the first has done.
        assert [both.row(number=1, more=2) for _ in range(2)] == [(1, "%", 3), (2, "%", 3)]
    assert len(sent) == 2
    assert all("INSERT INTO told" in meant(text) and "FROM told" in meant(text) for text in sent)
    # Each alone is what it was.
    assert (count.row(number=1, more=1), tell.rows(number=1)) == ((2, "%", 2), [])
    assert both.row(number=1, more=1) == (4, "%", 2)


@pytest.mark.usefixtures("_way")
def test_of_two_in_one_message_the_second_does_not_survive_the_first() -> None:
    fail = Prepared("fail", "SELECT 1 / %(number)s", number="integer")
    both = Prepared("insert", "INSERT INTO told VALUES (1)").after(fail)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE told (number integer)")
    with pytest.raises(DataError), transaction.atomic():
        both.rows(number=0)
    both.rows(number=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM told")
        assert cursor.fetchall() == [(1,)]


def test_who_is_said_before_several_keeps_its_name() -> None:
    """Another thread may be about to say it by the name that it has."""
    first = Prepared("first", "SELECT 1")
    name = first.name
    both = [Prepared("second", f"SELECT {number}").after(first) for number in (2, 3)]
    assert first.name == name
    assert [each.row() for each in both] == [(2,), (3,)]
    assert prepared_here(first) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lost", ["first", "second"])
def test_of_two_in_one_message_the_one_that_is_known_is_not_told_again(lost: str) -> None:
    parts = {"first": Prepared("first", "SELECT 1"), "second": Prepared("second", "SELECT 2")}
    both = parts["second"].after(parts["first"])
    assert both.row() == (2,)
    with connection.cursor() as cursor:
        cursor.execute(f"DEALLOCATE {parts['first'].name if lost == 'first' else both.name}")
    with pytest.raises(OperationalError, match="does not exist"):
        both.row()
    assert [both.row() for _ in range(2)] == [(2,), (2,)]
