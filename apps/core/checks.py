"""Checks of what stands between us and PostgreSQL, with `manage.py migrate` and `manage.py check --database default`."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, connections

from apps.core.postgres.base import DatabaseWrapper

HINT = "docs/growth.md says what a pool has to be told, and .env.example what DATABASE_POOLER is to be."


def check_pooler(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Errors where a pool is in between that DATABASE_POOLER does not tell of. A database that is away is no error here."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        if settings.DATABASE_POOLER == "transaction":
            # Each connection looks for itself when it is made.
            continue
        given = connections[alias]
        if not isinstance(given, DatabaseWrapper):
            continue
        with closing(given.copy()) as one, closing(given.copy()) as other:
            try:
                if _backend(one) == _backend(other):
                    problem = "Two connections are one session of PostgreSQL: a pool lends them for a transaction."
                    found.append(Error(problem, hint=HINT, id="core.E001"))
                elif untold := one.untold_options():
                    problem = f"A pool passes no options on: a connection has {untold}."
                    found.append(Error(problem, hint=HINT, id="core.E002"))
            except DatabaseError:
                continue
    return found


def _backend(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (number,) = cursor.fetchone()
    return int(number)
