"""Bringing the database to the code while people use it.

Nearly every change of a table waits until nobody reads it, and whoever comes after that waits behind it: one forgotten
transaction would stop the product. So a migration gives up its place in the line after a few seconds, and comes again.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

# lock_not_available, deadlock_detected.
COMES_AGAIN = frozenset({"55P03", "40P01"})
CONCURRENTLY = re.compile(
    r"^\s*(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\s+\w+)\s+CONCURRENTLY\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
    r'"?(?P<name>\w+)',
    re.IGNORECASE,
)
# What an index that was not finished leaves behind: it costs every write and answers nothing.
UNFINISHED = """
    SELECT 1 FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relname = %s AND NOT indisvalid AND relnamespace = current_schema()::regnamespace
"""
OLDEST = """
    SELECT pid, state, floor(extract(epoch FROM now() - xact_start))::bigint, application_name FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 5
"""


def is_locked_out(error: BaseException) -> bool:
    """Whether the database refused a statement because others hold what it needs: nothing was done, and it may come again."""
    return isinstance(error, OperationalError) and getattr(error.__cause__, "pgcode", None) in COMES_AGAIN


@contextmanager
def short_waits(connection: BaseDatabaseWrapper, *, seconds: float) -> Iterator[None]:
    """No statement of the block waits longer than that for a lock, but for indexes that are built or dropped concurrently.

    Those wait for every transaction that is open, and keep nobody waiting meanwhile. What an earlier try left unfinished of one
    is dropped before it is built again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{round(seconds * 1000)}ms"])
    try:
        with connection.execute_wrapper(_patient_where_it_blocks_nobody):
            yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


def _patient_where_it_blocks_nobody(
    execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: dict[str, Any]
) -> Any:
    built = CONCURRENTLY.match(str(sql))
    if built is None:
        return execute(sql, parameters, many, context)
    # The bare cursor below: these are no statements of the migration.
    with context["connection"].connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        (before,) = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
        try:
            if str(sql).lstrip().upper().startswith("CREATE"):
                cursor.execute(UNFINISHED, [built["name"]])
                if cursor.fetchone():
                    logger.warning("index %s was not finished the last time and is built anew", built["name"])
                    cursor.execute(f'DROP INDEX CONCURRENTLY "{built["name"]}"')
            return execute(sql, parameters, many, context)
        finally:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [before])


def oldest_transactions(connection: BaseDatabaseWrapper) -> list[str]:
    """Who may be in the way: the transactions open for longest, each in some words that hold nothing of its data."""
    with connection.cursor() as cursor:
        cursor.execute(OLDEST)
        return [
            f"process {pid} ({state}, open for {seconds} s{', ' + name if name else ''})"
            for pid, state, seconds, name in cursor.fetchall()
        ]
