"""Which statements are sent without a transaction: those that only read."""

from typing import Any, cast

import pytest
from django.db import connection

from apps.core.postgres.alone import stands_alone
from apps.core.prepared import Prepared

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "is_alone"),
    [
        ("SELECT 1", True),
        ("  (select updated_at, deleted_at FROM x) UNION SELECT 2", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("VALUES (1)", True),
        ("SELECT 1; SELECT 2", False),
        ("SELECT * FROM x FOR UPDATE", False),
        ("SELECT * FROM x for no key update of x", False),
        ("WITH a AS (DELETE FROM x RETURNING 1) SELECT * FROM a", False),
        ("SELECT nextval('x')", False),
        ("SELECT set_config('a', 'b', true)", False),
        ("SELECT pg_advisory_xact_lock(1)", False),
        ("SELECT 1 INTO x", False),
        ("INSERT INTO x VALUES (1)", False),
        ("SAVEPOINT x", False),
        ("SET LOCAL jit = off", False),
        ("EXECUTE unknown_1 ()", False),
        ("EXPLAIN SELECT 1", False),
    ],
)
def test_only_what_reads_stands_alone(text: str, is_alone: bool) -> None:
    assert stands_alone(text) is is_alone


def test_of_what_is_prepared_the_text_is_looked_at() -> None:
    database = cast(Any, connection)
    reading = Prepared("reading", "SELECT count(*) FROM core_idempotencykey")
    locking = Prepared("locking", "SELECT 1 FROM core_idempotencykey FOR UPDATE")
    both = Prepared("both", "SELECT count(*) FROM core_idempotencykey").after(reading)
    assert [each.text(database).startswith("EXECUTE") for each in (reading, locking, both)] == [True] * 3
    assert [stands_alone(each.text(database)) for each in (reading, locking, both)] == [True, False, False]


def test_no_function_of_the_database_sees_a_moment_of_its_own() -> None:
    """A VOLATILE one would: each of its statements has a snapshot of its own, outside of a transaction that has one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT proname FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND provolatile = 'v' AND prorettype <> 'trigger'::regtype
              AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
            """
        )
        assert cursor.fetchall() == []
