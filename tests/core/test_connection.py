"""Connections cost no more round trips than they have to, and a dead one is never used."""

from collections.abc import Iterator
from typing import cast

import pytest
from django.core.signals import request_started
from django.db import DEFAULT_DB_ALIAS, connection, connections

from apps.core.db import one_snapshot
from apps.core.postgres.base import TRUSTED_SECONDS, DatabaseWrapper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wrapper() -> Iterator[DatabaseWrapper]:
    """The connection at the beginning of a request that others came before."""
    wrapper = cast(DatabaseWrapper, connections[DEFAULT_DB_ALIAS])
    wrapper.ensure_connection()
    assert wrapper.is_usable()
    yield wrapper
    wrapper.close()


def asked(wrapper: DatabaseWrapper) -> int:
    """How many statements its session has carried out so far, as the server counts them by its last one."""
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT extract(epoch FROM query_start) * 1000000 FROM pg_stat_activity WHERE pid = %s",
                [wrapper.connection.info.backend_pid],
            )
            return int(cursor.fetchone()[0])
    finally:
        other.close()


def test_one_that_answered_a_moment_ago_is_not_asked_again(wrapper: DatabaseWrapper) -> None:
    before = asked(wrapper)
    assert wrapper.is_usable()
    assert asked(wrapper) == before


def test_one_that_was_silent_for_long_is_asked(wrapper: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asked(wrapper)
    monkeypatch.setattr(wrapper, "_answered_at", wrapper._answered_at - TRUSTED_SECONDS)
    assert wrapper.is_usable()
    assert asked(wrapper) > before


def test_one_that_the_server_ended_is_given_up(wrapper: DatabaseWrapper) -> None:
    pid = wrapper.connection.info.backend_pid
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            assert cursor.fetchone() == (True,)
    finally:
        other.close()
    assert not wrapper.is_usable()
    request_started.send(sender=None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    assert wrapper.connection.info.backend_pid != pid


def test_a_snapshot_in_which_nothing_is_read_asks_nothing(wrapper: DatabaseWrapper) -> None:
    before = asked(wrapper)
    with one_snapshot():
        pass
    assert asked(wrapper) == before


def test_the_last_statement_of_a_snapshot_is_its_commit(wrapper: DatabaseWrapper) -> None:
    with one_snapshot(), wrapper.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("repeatable read",)
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [wrapper.connection.info.backend_pid])
            assert cursor.fetchone() == ("COMMIT",)
    finally:
        other.close()
    with wrapper.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)
