"""Emptying the test database between tests that commit.

Django's flush truncates every table and makes content types and permissions anew: hundreds of milliseconds, for tables of
which most are empty already. Here only what holds rows is emptied, and what migrating made of the models stays.

Django then closes the connection, so that no test meets what another one has set. A new one knows nothing of the tables, and
finding all that out again costs PostgreSQL more than most tests do; so the one there is forgets what was set instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

from django.core.management import call_command
from django.db import Error, connection

from apps.core.prepared import Prepared

# Known from the models alone: no test changes them.
KEPT = {"django_content_type", "auth_permission"}

# A table that has grown larger is truncated; deleting a few rows is much quicker.
LARGE_BYTES = 1_000_000

# What a session may keep from one statement to the next, but for plans and prepared statements, which follow what changes.
FORGET = "RESET ALL; SELECT pg_advisory_unlock_all(); UNLISTEN *; CLOSE ALL; DISCARD TEMP"


@contextmanager
def audit_unlocked() -> Iterator[None]:
    """The audit can be truncated meanwhile, which its triggers refuse otherwise."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent ENABLE TRIGGER USER")


@cache
def _left_over() -> Prepared:
    """Brings whether the user may do as a replica does, and the statements that empty what is not empty.

    One statement costs less than looking into each table by itself.
    """
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    each = ", ".join(
        f"CASE WHEN pg_relation_size('{name}'::regclass) > {LARGE_BYTES} THEN 'TRUNCATE {name} CASCADE' "
        f"WHEN EXISTS (SELECT FROM {name}) THEN 'DELETE FROM {name}' END"
        for name in sorted(names)
        if name not in KEPT
    )
    return Prepared("left_over", f"SELECT current_setting('is_superuser') = 'on', array_remove(ARRAY[{each}], NULL)")


def empty_tables() -> bool:
    """Empty all tables of the models. Returns False, and does nothing, where the database's user may not do it this way."""
    ((may_do_it, statements),) = _left_over().rows()
    if may_do_it and statements:
        with connection.cursor() as cursor:
            # As a replica does it: no foreign key is looked up, and no trigger keeps a history from being deleted.
            cursor.execute("; ".join(["SET LOCAL session_replication_role = replica", *statements]))
    return bool(may_do_it)


def empty_all() -> None:
    """Empty all tables of the models, whatever the database's user may do."""
    if not empty_tables():
        with audit_unlocked():
            call_command("flush", interactive=False, verbosity=0)


def renew_session() -> None:
    """Let the session be as a new one. It is closed where it is broken, or in the middle of something."""
    session = connection.connection
    if session is None:
        return
    is_at_rest = connection.get_autocommit() and not session.closed and session.is_idle and session.opening is None
    if is_at_rest and session.proviso is None and not connection.run_on_commit:
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute(FORGET)
            connection.errors_occurred = False
            return
    connection.close()
