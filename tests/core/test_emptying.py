"""Tests that commit leave nothing to the next one."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import TransactionTestCase

from apps.listings.models import Listing
from tests.emptying import KEPT, empty_tables, renew_session
from tests.recipes import MAKE, make_host
from tests.serving import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


def test_all_tables_are_emptied_small_ones_and_large_ones() -> None:
    host = make_host()
    for make in MAKE.values():
        make(host=host)
    Listing.objects.bulk_create(
        Listing(host=host, kind="EVENT", title=str(number), description="x" * 1000, price_minor=1, currency="EUR")
        for number in range(2000)
    )

    emptied = empty_tables()

    with connection.cursor() as cursor:
        cursor.execute("SHOW is_superuser")
        assert emptied == (cursor.fetchone() == ("on",))
    if emptied:
        tables = [model for model in apps.get_models() if model._meta.db_table not in KEPT]
        assert [model for model in tables if model._default_manager.exists()] == []


LEFT = """
    SELECT current_setting('enable_seqscan'), current_setting('holdfast.set_by_a_test', true),
      to_regclass('pg_temp.made_by_a_test') IS NULL,
      (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
      (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_cursors WHERE is_holdable)
"""


def one(sql: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row: tuple[Any, ...] = cursor.fetchone()
        return row


def test_a_session_forgets_what_was_set_in_it() -> None:
    (pid,) = one("SELECT pg_backend_pid()")
    with connection.cursor() as cursor:
        cursor.execute(
            "SET enable_seqscan = off; SET holdfast.set_by_a_test = 'over'; CREATE TEMPORARY TABLE made_by_a_test (number int)"
        )
        cursor.execute("LISTEN left_over; SELECT pg_advisory_lock(42)")
        cursor.execute("DECLARE left_over CURSOR WITH HOLD FOR SELECT 1")
    assert one(LEFT) == ("off", "over", False, 1, 1, 1)

    renew_session()

    setting, left, *others = one(LEFT)
    assert (setting, left or "", others) == ("on", "", [True, 0, 0, 0])
    assert one("SHOW join_collapse_limit") != ("8",), "what it was opened with is still so"
    assert one("SELECT pg_backend_pid()") == (pid,)


def test_a_session_in_the_middle_of_something_is_closed() -> None:
    one("SELECT 1")
    transaction.set_autocommit(False)
    one("SELECT 1")
    renew_session()
    assert connection.connection is None


def test_a_session_that_is_broken_is_closed() -> None:
    (pid,) = one("SELECT pg_backend_pid()")
    assert elsewhere("SELECT pg_terminate_backend(%s, 5000)", pid)
    renew_session()
    assert connection.connection is None


def test_a_session_is_renewed_before_the_next_test_and_stays() -> None:
    (pid,) = one("SELECT pg_backend_pid()")
    with connection.cursor() as cursor:
        cursor.execute("SET holdfast.set_by_a_test = 'over'")
    between: Any = TransactionTestCase()
    between._post_teardown()
    assert one("SELECT pg_backend_pid(), coalesce(current_setting('holdfast.set_by_a_test', true), '')") == (pid, "")
