"""The connection to PostgreSQL. Each statement that a request sends beside its own costs as much as a small answer."""

import re
import select
import time
from collections.abc import Mapping
from datetime import timezone
from functools import partial
from threading import get_ident
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from django.db.transaction import Atomic

from apps.core.postgres.alone import stands_alone
from apps.core.postgres.literals import filled
from apps.core.postgres.session import BEGIN_SNAPSHOT, Cursor, Proviso, Session

# A connection that was silent for longer may have been forgotten on the way without a word.
TRUSTED_SECONDS = 30.0
# What stands for a transaction that nothing else begins and ends.
OUTERMOST = Atomic(DEFAULT_DB_ALIAS, savepoint=True, durable=False)
OPTION = re.compile(r"-c ([\w.]+)=(\S+)")


class DatabaseWrapper(PostgreSQL):
    """Django's own, with four differences.

    A connection that was in use a moment ago is taken for usable unless the server has hung up, which is known without asking
    it. A transaction, or a snapshot, begins with its first statement, in one message. `rows` carries out a statement in a third
    of the time that a cursor takes to do it. And a pool in front of PostgreSQL (DATABASE_POOLER), which passes no options on, is
    dealt with: one of sessions is told by statement what the options say; one of transactions must have told each of its
    connections, which is looked at.
    """

    # Django's, of which its types do not tell.
    health_check_done: bool
    _thread_ident: int

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._answered_at = 0.0
        self._proviso: Proviso | None = None

    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        if settings.DATABASE_POOLER != "none":
            parameters.pop("options", None)
        return {**parameters, "connection_factory": Session, "cursor_factory": Cursor}

    def _set_autocommit(self, autocommit: bool) -> None:
        with self.wrap_database_errors:
            self.connection.set_manual(not autocommit)

    def init_connection_state(self) -> None:
        """Raises ImproperlyConfigured where a pool lends a connection that was not told what ours have to be told."""
        super().init_connection_state()
        if settings.DATABASE_POOLER == "session":
            self._tell_session()
        elif settings.DATABASE_POOLER == "transaction" and (untold := self.untold_options()):
            raise ImproperlyConfigured(
                f"DATABASE_POOLER is transaction, and the pool's connections have {untold}; docs/growth.md says how it is told."
            )

    def untold_options(self) -> str:
        """Which of the options the connection does not have, as "jit=on instead of off"; empty where it has them all."""
        wanted = self._options()
        # PostgreSQL says both in its own words (300s is 5min), and nothing stays set: the statement is a transaction.
        each = "coalesce(current_setting(%s, true), ''), set_config(%s, %s, true)"
        given = [part for name, value in wanted for part in (name, name, value)]
        with self.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join([each] * len(wanted))}", given)
            said = cursor.fetchone()
        pairs = zip(wanted, said[::2], said[1::2], strict=True)
        return ", ".join(
            f"{name}={has or 'nothing'} instead of {right}" for (name, _), has, right in pairs if has != right
        )

    def _tell_session(self) -> None:
        wanted = self._options()
        with self.cursor() as cursor:
            each = ", ".join(["set_config(%s, %s, false)"] * len(wanted))
            cursor.execute(f"SELECT {each}", [part for option in wanted for part in option])

    def _options(self) -> list[tuple[str, str]]:
        return OPTION.findall(self.settings_dict["OPTIONS"]["options"])

    def connect(self) -> None:
        super().connect()
        if self._proviso is not None and not self._proviso.holds:
            self.connection.proviso = self._proviso

    def provide(self, proviso: Proviso | None) -> None:
        """Carry nothing out any more unless this holds, which is found out with the next statement; None: let it be."""
        self._proviso = proviso
        if self.connection is not None:
            self.connection.proviso = proviso

    def confirm(self) -> None:
        """Find out now whether what was provided holds, where no statement has told. Raises ProvisoFailed, and DatabaseError where
        that cannot be found out.
        """
        if self._proviso is not None and not self._proviso.holds:
            session = self.session()
            with self.wrap_database_errors:
                session.confirm()

    def begin_snapshot(self) -> None:
        """The transaction that is open, and has read nothing yet, sees one moment. Its end is the end of that."""
        self.connection.open_with(BEGIN_SNAPSHOT)

    def begin_alone(self) -> bool:
        """Begin a transaction of one statement at most, of which the server is told nothing: another one raises NotAlone.

        To Django it is one like any other, but costs a tenth. Returns False, and begins none, where transactions are managed by
        hand. `end_alone` is to follow.
        """
        self.session()
        if not self.autocommit:
            return False
        self.connection.open_alone(stands_alone)
        self.commit_on_exit, self.needs_rollback, self.autocommit = True, False, False
        self.in_atomic_block = True
        self.atomic_blocks.append(OUTERMOST)
        return True

    def end_alone(self, *, is_done: bool) -> bool:
        """End it; what was to be done after a commit is done if it `is_done`. Returns whether another statement was refused.

        Raises InterfaceError where the server has ended the session.
        """
        self.atomic_blocks.pop()
        is_done = is_done and not self.needs_rollback
        self.in_atomic_block = self.needs_rollback = False
        if self.closed_in_transaction:
            self.connection = None
            return False
        self.autocommit = True
        with self.wrap_database_errors:
            was_refused: bool = self.connection.close_alone()
        if self.run_on_commit:
            if was_refused or not is_done:
                self.run_on_commit = []
            else:
                self.run_and_clear_commit_hooks()
        return was_refused

    @property
    def sent(self) -> int:
        """How many statements were sent on this connection."""
        sent: int = getattr(self.connection, "sent", 0)
        return sent

    def session(self) -> Any:
        """The driver's connection. One that broke between two requests is opened anew, as for a cursor."""
        if self.connection is None or not self.health_check_done:
            self.close_if_health_check_failed()
            self.ensure_connection()
        return self.connection

    def _commit(self) -> None:
        # Django's, without what it does for a log that nobody keeps.
        if self.queries_logged or self.connection is None:
            super()._commit()  # type: ignore[misc]
            return
        with self.wrap_database_errors:
            self.connection.commit()

    def rows(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """What a statement brings, all of it; nothing where it brings nothing.

        Whoever looks at statements (`execute_wrappers`, a log of them) sees it like any other, and it fails like any other.
        """
        session = self.session()
        if self.queries_logged:
            with self.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else []
        if self._thread_ident != get_ident():
            self.validate_thread_sharing()
        if self.needs_rollback:
            self.validate_no_broken_transaction()
        with self.wrap_database_errors:
            bare = session.cursor()
            # The session's zone is UTC, so that this gives the one object that says so, without a line of Python.
            bare.tzinfo_factory = timezone
            execute: Any = _execute
            for wrapper in reversed(self.execute_wrappers):
                execute = partial(wrapper, execute)
            execute(sql, values, False, {"connection": self, "cursor": bare})
            return bare.fetchall() if bare.description else []

    def is_usable(self) -> bool:
        now = time.monotonic()
        if now - self._answered_at < TRUSTED_SECONDS and not _has_something_to_say(self.connection):
            return True
        if super().is_usable():
            self._answered_at = now
            return True
        return False

    def _close(self) -> None:
        self._answered_at = 0.0
        super()._close()  # type: ignore[misc]


def _execute(sql: str, values: Mapping[str, Any], _many: bool, context: Mapping[str, Any]) -> None:
    cursor = context["cursor"]
    # What it does is asked of the text without its values, which is the same each time.
    cursor.template = sql
    cursor.execute(filled(sql, values, cursor))


def _has_something_to_say(session: Any) -> bool:
    """Whether the server sent something unasked, which is how it says that it hangs up, or the line is dead."""
    if session is None or session.closed:
        return True
    poll = select.poll()
    poll.register(session.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
