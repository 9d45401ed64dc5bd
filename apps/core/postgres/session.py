"""A session with PostgreSQL whose transactions begin with their first statement, in one message.

The driver sends BEGIN by itself and waits for the answer before it sends what was to be done. Here it is left in autocommit
mode, in which it sends nothing of its own, and BEGIN goes in front of the first statement. PostgreSQL carries both out one
after the other, and what fails after BEGIN leaves the transaction failed, as if they had come one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from psycopg2 import DatabaseError, ProgrammingError
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INERROR, connection, cursor
from psycopg2.sql import Composable

BEGIN = "BEGIN"
BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ"
# In the place of an opening: the last statement brought the COMMIT with it, and nothing may come behind it.
ENDED = ""
# Of a transaction that may have one statement: what it opens with before that, after it, and when more was wanted.
ALONE, SENT, REFUSED = "alone", "sent", "refused"
LONELY = frozenset({ALONE, SENT, REFUSED})


class NotAlone(BaseException):
    """A transaction that may have one statement was to have another one, which was not sent.

    No Exception, lest what answers for failures takes it for one.
    """


class ProvisoFailed(BaseException):
    """What had to be so is not, and nothing of what was sent behind it was carried out.

    No Exception, for the same reason.
    """


class Proviso(Protocol):
    """What has to be so: see `apps.core.provisos`."""

    holds: bool

    def text(self, session: Session) -> str: ...

    def look_at(self, error: DatabaseError, session: Session) -> None: ...


class Cursor(cursor):
    """Brings the BEGIN and the proviso that are due. `template`: what is carried out without its values, where they are in it."""

    template: str | None = None
    _brought = ""

    @property
    def query(self) -> Any:
        """What was asked last, without what went in front of it."""
        sent = super().query
        return sent and sent.removeprefix(self._brought.encode())

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - the driver's name for it
        session: Any = self.connection
        opening = session.opening
        if session.proviso is not None and opening != ENDED and not session.only_goes_back(query):
            self._execute_behind(session.proviso, query, vars)
            return
        if opening is None:
            session.sent += 1
            super().execute(query, vars)
            return
        if opening in LONELY:
            session.admit(self.template or query, is_plain=self.name is None)
            super().execute(query, vars)
            return
        if self.name is not None or opening == ENDED:
            session.begin()
            super().execute(query, vars)
            return
        try:
            super().execute(self._behind(f"{opening}; ", query), vars)
        except DatabaseError as error:
            if error.pgcode is None or session.closed or not session.is_idle:
                raise
            # It was refused before anything of it was carried out, for it cannot be read: then it is to fail where it stands.
            session.begin()
            super().execute(query, vars)
        finally:
            session.sent += 1
            session.note_beginning()

    def _execute_behind(self, proviso: Proviso, query: Any, vars: Any) -> None:  # noqa: A002
        session: Any = self.connection
        opening = session.opening
        if self.name is not None:
            # What cannot bring it.
            session.confirm()
            self.execute(query, vars)
            return
        is_alone = opening in LONELY
        if is_alone:
            session.admit(self.template or query, is_plain=True)
        try:
            before = f"{opening}; " if opening and not is_alone else ""
            super().execute(self._behind(f"{before}{proviso.text(session)}; ", query), vars)
        except DatabaseError as error:
            proviso.look_at(error, session)
            if not before or error.pgcode is None or session.closed or not session.is_idle:
                raise
            # As without a proviso.
            session.begin()
            session.confirm()
            super().execute(query, vars)
        else:
            session.note_that_it_holds()
        finally:
            session.sent += not is_alone
            session.note_beginning()

    def _behind(self, brought: str, query: Any) -> Any:
        text = query.as_string(self) if isinstance(query, Composable) else query
        self._brought = brought
        return brought.encode() + text if isinstance(text, bytes) else brought + text

    def executemany(self, query: Any, vars_list: Any) -> None:
        self._begin()
        super().executemany(query, vars_list)

    def callproc(self, procname: Any, parameters: Any = ()) -> Any:
        self._begin()
        return super().callproc(procname, parameters)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self._begin()
        super().copy_expert(sql, file, size)

    def copy_from(self, file: Any, table: str, *arguments: Any, **options: Any) -> None:
        self._begin()
        super().copy_from(file, table, *arguments, **options)

    def copy_to(self, file: Any, table: str, *arguments: Any, **options: Any) -> None:
        self._begin()
        super().copy_to(file, table, *arguments, **options)

    def _begin(self) -> None:
        session: Any = self.connection
        session.confirm()
        session.sent += 1
        if session.opening is not None:
            session.begin()


class Session(connection):
    """`opening` is what the next statement brings with it, None inside a transaction and where each stands for itself.

    `sent` counts statements, but for what ends transactions and prepares others; what needs a BEGIN of its own counts twice.

    `proviso` is what nothing is carried out without, until it was found to hold: it goes in front of the next statement, whatever
    that is, and where it fails ProvisoFailed is raised, then and for each statement after it.
    """

    opening: str | None = None
    proviso: Proviso | None = None
    sent = 0
    _may_be_alone: Callable[[str], bool]
    _is_manual = False
    _is_left_alone = False

    @property
    def is_idle(self) -> bool:
        """Whether the server says that no transaction is open."""
        return bool(self.get_transaction_status() == TRANSACTION_STATUS_IDLE)

    def set_manual(self, is_manual: bool) -> None:
        """Whether statements are parts of transactions that end with `commit` or `rollback`, or stand for themselves.

        Raises ProgrammingError inside a transaction, InterfaceError where the session has ended.
        """
        if not self._is_left_alone:
            # In this mode the driver begins and ends nothing.
            self.autocommit = True
            self._is_left_alone = True
        if self.closed:
            # The driver's own word for it.
            self.cursor()
        if not self.is_idle:
            raise ProgrammingError("a transaction is open")
        self._is_manual = is_manual
        self.opening = BEGIN if is_manual else None

    def open_with(self, opening: str) -> None:
        """Let the transaction that has not begun yet begin so. Raises ProgrammingError where it has."""
        if not self.opening:
            raise ProgrammingError("no transaction is about to begin")
        self.opening = opening

    def open_alone(self, may_be_alone: Callable[[str], bool]) -> None:
        """Carry out one statement, and none that cannot be alone: whatever else is to be sent raises NotAlone, until `close_alone`.

        Raises ProgrammingError inside a transaction, and where one is about to begin.
        """
        if self.opening is not None or not self.is_idle:
            raise ProgrammingError("a transaction is open")
        self.opening = ALONE
        self._may_be_alone = may_be_alone

    def close_alone(self) -> bool:
        """Let each statement stand for itself again. Returns whether one was refused. Raises InterfaceError where the session has
        ended.
        """
        opening, self.opening = self.opening, None
        if self.closed:
            # The driver's own word for it.
            self.cursor()
        return opening == REFUSED

    def admit(self, query: Any, *, is_plain: bool) -> None:
        """Let a statement be the one. Raises NotAlone."""
        if self.opening == ALONE and is_plain and isinstance(query, str) and self._may_be_alone(query):
            self.opening = SENT
            self.sent += 1
            return
        self.opening = REFUSED
        raise NotAlone

    def only_goes_back(self, query: Any) -> bool:
        """Whether the statement does no more than to mend a transaction that has failed, in which nothing else can be done."""
        if self.get_transaction_status() != TRANSACTION_STATUS_INERROR:
            return False
        return isinstance(query, str) and query.startswith("ROLLBACK TO SAVEPOINT ") and ";" not in query

    def confirm(self) -> None:
        """Find out now, by itself, whether the proviso holds that is due. Raises ProvisoFailed."""
        proviso = self.proviso
        if proviso is None:
            return
        try:
            self._say(proviso.text(self))
        except DatabaseError as error:
            proviso.look_at(error, self)
            raise
        self.note_that_it_holds()

    def note_that_it_holds(self) -> None:
        """Take the proviso for found out."""
        proviso, self.proviso = self.proviso, None
        if proviso is not None:
            proviso.holds = True

    def begin(self) -> None:
        """Begin now, for what cannot bring the BEGIN with it.

        Raises ProgrammingError where the transaction has ended, NotAlone where it is to have one statement.
        """
        if self.opening == ENDED:
            raise ProgrammingError("the transaction has been committed with its last statement")
        if self.opening in LONELY:
            self.opening = REFUSED
            raise NotAlone
        opening, self.opening = self.opening, None
        if opening is not None:
            self.sent += 1
            try:
                self._say(opening)
            finally:
                if not self.closed and self.is_idle:
                    self.opening = opening

    def prepare(self, text: str) -> None:
        """Carry out a PREPARE. It reads nothing, so that it does not count, and may go before what is alone and any proviso."""
        if self.opening in LONELY or self.proviso is not None:
            self._say(text)
            return
        with self.cursor() as own:
            own.execute(text)
        self.sent -= 1

    def note_beginning(self) -> None:
        """Take the transaction for begun, if the server says so."""
        if not self.closed and not self.is_idle:
            self.opening = None

    def note_end(self) -> None:
        """Take the transaction for committed by its last statement: until `commit` or `rollback` nothing more is carried out."""
        if self._is_manual and self.is_idle:
            self.opening = ENDED

    def commit(self) -> None:
        self._end("COMMIT")

    def rollback(self) -> None:
        self._end("ROLLBACK")

    def _end(self, word: str) -> None:
        try:
            if self.closed or not self.is_idle:
                self.opening = None
                self._say(word)
        finally:
            self.opening = BEGIN if self._is_manual else None

    def _say(self, word: str) -> None:
        with self.cursor(cursor_factory=cursor) as own:
            own.execute(word)
