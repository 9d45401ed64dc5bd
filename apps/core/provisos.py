"""Preconditions of a request, checked by PostgreSQL in front of its first statement: if one fails, nothing is carried out.

    STANDS = Condition("caller_stands", "SELECT 1 FROM users_session WHERE id = %(session)s AND ended_at IS NULL", session="bigint")

    with provided(Proviso(STANDS, STANDS.given(session=5))):
        ...                                             what is sent first is sent behind the condition, in the same message

PostgreSQL carries a message out in its order and drops the rest of it at the first failure. So a condition that fails where it
does not hold costs no round trip of its own, and keeps out everything that would come behind it: reading, locks and writing.
"""

from __future__ import annotations

from django.conf import settings
from psycopg2 import DatabaseError
from psycopg2.errors import InvalidSqlStatementName, InvalidTextRepresentation

from apps.core.postgres.session import ProvisoFailed, Session
from apps.core.prepared import Prepared

# What PostgreSQL is made to stumble over; it says so in the words of its language, but for these.
SIGN = "holdfast: the proviso does not hold"


class Condition(Prepared):
    """A statement that fails unless `text` brings a row; whatever is a row of it may be."""

    def __init__(self, name: str, text: str, /, **types: str) -> None:
        # What is counted is known to nobody beforehand, so that nothing is worked out when the statement is planned.
        found = f"SELECT CASE WHEN count(*) > 0 THEN '1' ELSE '{SIGN}' END::integer FROM ({text}) AS found"  # noqa: S608 - our own words
        super().__init__(name, found, **types)

    def given(self, **values: int) -> str:
        """The values as they are sent: whole numbers, also where a place is a text. Raises ValueError for any other."""
        return ", ".join(f"'{int(values[place])}'" for place in self.places)


class Proviso:
    """A condition with what it is `given`. Good for one time.

    It is due until a message that brought it was carried out; `holds` from then on. Once it `has_failed` it fails again.
    """

    __slots__ = ("_condition", "_given", "has_failed", "holds")

    def __init__(self, condition: Condition, given: str) -> None:
        self._condition = condition
        self._given = given
        self.holds = False
        self.has_failed = False

    def text(self, session: Session) -> str:
        """What asks for it on this session. Raises ProvisoFailed where the answer is known, and what the driver raises."""
        if self.has_failed:
            raise ProvisoFailed
        return f"EXECUTE {self._condition.told_to(session)} ({self._given})"

    def look_at(self, error: DatabaseError, session: Session) -> None:
        """Look at how a message failed that brought it. Raises ProvisoFailed if it was because of this."""
        if isinstance(error, InvalidTextRepresentation) and SIGN in str(error):
            self.has_failed = True
            raise ProvisoFailed from error
        if isinstance(error, InvalidSqlStatementName):
            self._condition.unknown_to(session, error)


def is_possible() -> bool:
    """Whether statements go out as they have to for it: prepared, on sessions that are this process's own."""
    return bool(settings.COMPILED_READS and settings.PREPARED_STATEMENTS and settings.DATABASE_POOLER == "none")
