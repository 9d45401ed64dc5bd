"""Statements that are made once for each shape: the same rows in all ways, and no more of them kept than is good."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from apps.core import shapes
from apps.core.prepared import meant
from apps.core.reads import INTEGER, WORD
from apps.core.shapes import Places, Put, Shaped, Statement
from apps.users.models import User
from tests.recipes import make_user

pytestmark = pytest.mark.django_db


def _named(role: str, places: Places) -> QuerySet[Any]:
    rows = User.objects.filter(role=role)
    if "name" in places:
        rows = rows.filter(first_name=places["name"])
    return rows.order_by("pk").values_list("pk")


def _written(role: str, places: Places) -> Statement | None:
    if role == "NOBODY":
        return None
    sql, values = _named(role, places).query.sql_with_params()
    return f"SELECT *, '100%%' FROM ({sql}) AS named LIMIT %s", (*values, places["limit"].value)


@pytest.fixture(params=["server", "text", "off"])
def mode(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    settings.COMPILED_READS = request.param != "off"
    settings.PREPARED_STATEMENTS = request.param == "server"
    monkeypatch.setattr(shapes, "PREPARED_AFTER", 0)
    return str(request.param)


def _kept() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'of_test%%'")
        return int(cursor.fetchone()[0])


def test_values_go_where_the_declaration_had_them(mode: str) -> None:
    shaped = Shaped("of_test", _written, is_steady=lambda *_: True)
    ada, bob = make_user(first_name="100% 'Ada' %s"), make_user(first_name="Bob")
    limit, before = Put(5, INTEGER), _kept()
    assert shaped.rows(("GUEST",), {"name": Put("100% 'Ada' %s", WORD), "limit": limit}) == [(ada.pk, "100%")]
    assert shaped.rows(("GUEST",), {"name": Put("Bob", WORD), "limit": limit}) == [(bob.pk, "100%")]
    assert shaped.rows(("HOST",), {"name": Put("Bob", WORD), "limit": limit}) == []
    assert shaped.rows(("GUEST",), {"name": Put("Bob", WORD), "limit": Put(0, INTEGER)}) == []
    # Without a name it is another one.
    assert shaped.rows(("GUEST",), {"limit": limit}) == [(ada.pk, "100%"), (bob.pk, "100%")]
    assert shaped.rows(("NOBODY",), {"limit": limit}) == []
    assert (_kept() > before) == (mode == "server")


def test_what_can_find_nothing_asks_nothing(mode: str) -> None:
    shaped = Shaped("of_test", lambda places: User.objects.filter(pk__in=[]).values_list("pk"))
    with CaptureQueriesContext(connection) as queries:
        assert shaped.rows((), {"name": Put("Ada", WORD)}) == []
        assert shaped.rows((), {"name": Put("Bob", WORD)}) == []
    assert len(queries) == 0


def test_it_is_declared_once_for_each_shape_and_the_names_in_it(settings: Settings) -> None:
    settings.COMPILED_READS = True
    declared: list[tuple[str, ...]] = []

    def declare(role: str, places: Places) -> QuerySet[Any]:
        declared.append((role, *places))
        return _named(role, places)

    shaped = Shaped("of_test", declare)
    for name in ("Ada", "Bob"):
        for role in ("GUEST", "HOST"):
            shaped.rows((role,), {})
            shaped.rows((role,), {"name": Put(name, WORD)})
    assert declared == [("GUEST",), ("GUEST", "name"), ("HOST",), ("HOST", "name")]


def test_who_asks_for_ever_other_shapes_does_not_make_it_grow(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COMPILED_READS = True
    monkeypatch.setattr(shapes, "MOST_TEXTS", 3)
    declared: list[str] = []

    def declare(role: str, places: Places) -> QuerySet[Any]:
        declared.append(role)
        return _named(role, places)

    shaped = Shaped("of_test", declare)
    for role in "abc":
        shaped.rows((role,), {})
    # What was asked for last stays longest.
    for role in ("a", "d", "a", "b"):
        shaped.rows((role,), {})
    assert declared == ["a", "b", "c", "d", "b"]
    assert len(shaped._made) == 3


def test_it_is_prepared_where_one_plan_is_right_and_it_comes_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COMPILED_READS = settings.PREPARED_STATEMENTS = True
    monkeypatch.setattr(shapes, "PREPARED_AFTER", 2)
    monkeypatch.setattr(shapes, "MOST_PREPARED", 1)
    shaped = Shaped("of_test", _named, is_steady=lambda role, places: role != "HOST")
    before = _kept()

    def sent(role: str) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            for _ in range(4):
                shaped.rows((role,), {"name": Put("Ada", WORD)})
        return [query["sql"].partition(" ")[0] for query in queries]

    assert sent("GUEST") == ["SELECT", "SELECT", "EXECUTE", "EXECUTE"]
    assert sent("HOST") == ["SELECT"] * 4
    # No connection keeps plans without end.
    assert sent("STAFF") == ["SELECT"] * 4
    assert _kept() == before + 1


def test_caches_see_what_is_carried_out(mode: str) -> None:
    shaped = Shaped("of_test", _named, is_steady=lambda *_: True)
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(meant(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        shaped.rows(("GUEST",), {"name": Put("Ada", WORD)})
    assert ['"users_user"' in sql for sql in seen] == [True]


def test_a_statement_that_the_connection_lost_is_prepared_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COMPILED_READS = settings.PREPARED_STATEMENTS = True
    monkeypatch.setattr(shapes, "PREPARED_AFTER", 0)
    shaped = Shaped("of_test", _named, is_steady=lambda *_: True)
    user = make_user(first_name="Ada")
    asked = {"name": Put("Ada", WORD)}
    assert shaped.rows(("GUEST",), asked) == [(user.pk,)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'of_test%' ORDER BY prepare_time DESC")
        cursor.execute(f"DEALLOCATE {cursor.fetchone()[0]}")
    with pytest.raises(DatabaseError, match="does not exist"), transaction.atomic():
        shaped.rows(("GUEST",), asked)
    assert shaped.rows(("GUEST",), asked) == [(user.pk,)]
