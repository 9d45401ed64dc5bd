"""The connection of whoever asks: Django's of this thread, which a request finds once.

    with found_once():
        own_connection()            each time the same, without looking whether the thread has an event loop of its own

To look costs two microseconds, and a request needs its connection eight times.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, cast

from django.db import DEFAULT_DB_ALIAS, connections

if TYPE_CHECKING:
    from apps.core.postgres.base import DatabaseWrapper

_found: ContextVar[DatabaseWrapper | None] = ContextVar("connection", default=None)


def own_connection() -> DatabaseWrapper:
    """The connection to the database that belongs to this thread."""
    return _found.get() or cast("DatabaseWrapper", connections[DEFAULT_DB_ALIAS])


class found_once:  # noqa: N801 - a block
    """A block of one thread in which its connection is not looked for again."""

    __slots__ = ("_token",)
    _token: Token[DatabaseWrapper | None]

    def __enter__(self) -> DatabaseWrapper:
        database = own_connection()
        self._token = _found.set(database)
        return database

    def __exit__(self, *_: object) -> None:
        _found.reset(self._token)
