"""Emptying the test database between tests that commit.

Django's flush truncates every table and makes content types and permissions anew: hundreds of milliseconds, for tables of
which most are empty already. Here only what holds rows is emptied, and what migrating made of the models stays.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.core.management import call_command
from django.db import connection

# Known from the models alone: no test changes them.
KEPT = {"django_content_type", "auth_permission"}

# As a replica does it: no foreign key is looked up, and no trigger keeps a history from being deleted. Deleting a few rows is
# much quicker than truncating; a table that has grown large is truncated.
EMPTY = """
    DO $$
    DECLARE place regclass; is_filled boolean; is_large boolean;
    BEGIN
        SET LOCAL session_replication_role = replica;
        FOREACH place IN ARRAY ARRAY[{names}]::regclass[] LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', place) INTO is_filled;
            is_large = pg_relation_size(place) > 1000000;
            IF is_filled OR is_large THEN
                EXECUTE format(CASE WHEN is_large THEN 'TRUNCATE %s CASCADE' ELSE 'DELETE FROM %s' END, place);
            END IF;
        END LOOP;
    END $$
"""


@contextmanager
def audit_unlocked() -> Iterator[None]:
    """The audit can be truncated meanwhile, which its triggers refuse otherwise."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent ENABLE TRIGGER USER")


@cache
def _statement() -> str:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return EMPTY.format(names=", ".join(f"'{name}'" for name in sorted(names) if name not in KEPT))


def empty_tables() -> bool:
    """Empty all tables of the models. Returns False, and does nothing, where the database's user may not do it this way."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW is_superuser")
        if cursor.fetchone() != ("on",):
            return False
        cursor.execute(_statement())
    return True


def empty_all() -> None:
    """Empty all tables of the models, whatever the database's user may do."""
    if not empty_tables():
        with audit_unlocked():
            call_command("flush", interactive=False, verbosity=0)
