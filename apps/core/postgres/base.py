"""The connection to PostgreSQL. Each statement that a request sends beside its own costs as much as a small answer."""

import select
import time
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from psycopg2.extensions import ISOLATION_LEVEL_DEFAULT, ISOLATION_LEVEL_REPEATABLE_READ

# A connection that was silent for longer may have been forgotten on the way without a word.
TRUSTED_SECONDS = 30.0


class DatabaseWrapper(PostgreSQL):
    """Django's own, with two differences.

    A connection that was in use a moment ago is taken for usable unless the server has hung up, which is known without asking
    it. And the isolation of a snapshot is given back while its transaction ends, when that takes no statement.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._answered_at = 0.0

    def begin_snapshot(self) -> None:
        """The transaction that is open, and has read nothing yet, sees one moment. Its end is the end of that."""
        # Without a statement of its own: it goes with the BEGIN that the first statement brings.
        self.connection.isolation_level = ISOLATION_LEVEL_REPEATABLE_READ

    def is_usable(self) -> bool:
        now = time.monotonic()
        if now - self._answered_at < TRUSTED_SECONDS and not _has_something_to_say(self.connection):
            return True
        if super().is_usable():
            self._answered_at = now
            return True
        return False

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._end_snapshot()

    def _rollback(self) -> None:
        super()._rollback()  # type: ignore[misc]
        self._end_snapshot()

    def _close(self) -> None:
        self._answered_at = 0.0
        super()._close()  # type: ignore[misc]

    def _end_snapshot(self) -> None:
        session = self.connection
        if session is not None and not session.closed and session.isolation_level == ISOLATION_LEVEL_REPEATABLE_READ:
            session.isolation_level = ISOLATION_LEVEL_DEFAULT


def _has_something_to_say(session: Any) -> bool:
    """Whether the server sent something unasked, which is how it says that it hangs up, or the line is dead."""
    if session is None or session.closed:
        return True
    poll = select.poll()
    poll.register(session.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
