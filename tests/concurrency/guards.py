"""Guards taken away, for the twins: calls without row locks, brought to where it hurts, and tables without a rule."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection
from django.test import override_settings

from tests.emptying import audit_unlocked, empty_tables
from tests.serving import at_once, eventually

Result = TypeVar("Result")
Call = Callable[[], Result]

ROW_LOCK = re.compile(
    r'\s+FOR (?:NO KEY |KEY )?(?:UPDATE|SHARE)(?: OF "?\w+"?(?:, "?\w+"?)*)?(?: NOWAIT| SKIP LOCKED)?'
)
# What makes a write a compare-and-swap: it names the state that it was decided upon.
STATUS_SWAP = re.compile(r' AND "bookings_booking"\."status" = %s(?=\))')
WRITES = ("INSERT", "UPDATE", "DELETE", "WITH")
WRITTEN = re.compile(r'\b(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)')
PATIENCE_SECONDS = 300.0


class _Meeting:
    """Nobody goes on before all have come or gone home."""

    def __init__(self, parties: int) -> None:
        self._left = parties
        self._changed = threading.Condition()

    def arrive(self) -> None:
        self.leave()
        with self._changed:
            self._changed.wait_for(lambda: self._left <= 0, PATIENCE_SECONDS)

    def leave(self) -> None:
        with self._changed:
            self._left -= 1
            self._changed.notify_all()


class _Pause:
    """Runs a call without row locks, and `pause` once before its first write, or once that `is_written`."""

    def __init__(
        self, pause: Callable[[], object], *, table: str, locks_of: str, without_swap: bool, is_written: bool = False
    ) -> None:
        self._pause = pause
        self._table = table
        self._locks_of = locks_of
        self._without_swap = without_swap
        self._is_written = is_written
        self.has_paused = False

    def run(self, call: Callable[[], Result]) -> Result | str:
        try:
            with connection.execute_wrapper(self._execute):
                return call()
        except (IntegrityError, OperationalError) as error:
            return type(error).__name__

    def _execute(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        # Several may go in one message.
        parts = sql.split("; ")
        if self._is_written:
            # Nobody is to commit before all have written: the transaction ends by itself afterwards.
            parts = [part for part in parts if part != "COMMIT"]
        text = "; ".join(ROW_LOCK.sub("", part) if self._locks_of in part else part for part in parts)
        head = text.lstrip()
        if self._without_swap and head.startswith('UPDATE "bookings_booking"'):
            text = STATUS_SWAP.sub(" AND %s IS NOT NULL", text)
        if (
            not self.has_paused
            and head.startswith(WRITES)
            and any(self._table in name for name in WRITTEN.findall(head))
        ):
            self.has_paused = True
            if self._is_written:
                result = execute(text, params, many, context)
                self._pause()
                return result
            self._pause()
        return execute(text, params, many, context)


def unguarded(
    calls: Sequence[Call[Result]], *, table: str = "", without_swap: bool = False, is_written: bool = False
) -> list[Result | str]:
    """Run the calls at once without any row lock; none writes, to a table named like `table`, before all have read.

    `is_written`: none goes on before all have written. For calls that read in the statement that writes.
    `without_swap`: the status of a booking is written whatever it was. A call that the database stops answers with the name
    of its error.
    """
    meeting = _Meeting(len(calls))

    def alone(call: Call[Result]) -> Call[Result | str]:
        def run() -> Result | str:
            pause = _Pause(meeting.arrive, table=table, locks_of="", without_swap=without_swap, is_written=is_written)
            try:
                return pause.run(call)
            finally:
                if not pause.has_paused:
                    meeting.leave()

        return run

    with whole_texts():
        return at_once([alone(call) for call in calls])


def overtaken(
    slow: Call[Result], fast: Call[Result], *, table: str = "", without_swap: bool = True
) -> tuple[Result | str, Result | str]:
    """Run `slow` without row locks, and all of `fast` between what it reads and what it writes. What both answered."""
    answers: list[Result | str] = []

    def overtake() -> None:
        answers.extend(at_once([fast]))

    with whole_texts():
        answer = _Pause(overtake, table=table, locks_of="", without_swap=without_swap).run(slow)
    return answer, answers[0]


def met_halfway(slow: Call[Result], fast: Call[Result], *, locks_of: str) -> tuple[Result | str, Result | str]:
    """Run `slow` without the row locks of a table. Before it writes there, `fast` begins and goes on until it must wait.

    What both answered; a deadlock is answered with "OperationalError".
    """

    def in_thread() -> Result | str:
        try:
            return fast()
        except OperationalError as error:
            return type(error).__name__
        finally:
            connection.close()

    with whole_texts(), ThreadPoolExecutor() as pool:
        begun = []

        def begin() -> None:
            begun.append(pool.submit(in_thread))
            eventually(somebody_waits, "the other one waits")

        answer = _Pause(begin, table=locks_of, locks_of=locks_of, without_swap=False).run(slow)
        return answer, begun[0].result()


@contextmanager
def whole_texts() -> Iterator[None]:
    """Every statement is sent whole, so that its locks can be taken out of it."""
    with override_settings(PREPARED_STATEMENTS=False):
        yield


def somebody_waits() -> bool:
    """Whether a transaction of this database waits for another."""
    # Not pg_stat_activity: a transaction sees that as it was when it first looked. Who waits for a row has its table locked,
    # which says of which database it is.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks AS waiting JOIN pg_locks AS held USING (pid) WHERE NOT waiting.granted"
            " AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        return bool(cursor.fetchone() == (True,))


def definition(table: str, constraint: str) -> tuple[str, str]:
    """The statements that drop a constraint, or a unique index, and make it again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [constraint])
        found = cursor.fetchone()
        if found is None:
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [constraint])
            (text,) = cursor.fetchone()
            return f"DROP INDEX {constraint}", text
    return (
        f"ALTER TABLE {table} DROP CONSTRAINT {constraint}",
        f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {found[0]}",
    )


@contextmanager
def without(*rules: tuple[str, str]) -> Iterator[None]:
    """The schema without these (table, constraint). Afterwards they are back, and all rows are gone."""
    statements = [definition(table, constraint) for table, constraint in rules]
    with connection.cursor() as cursor:
        for drop, _ in statements:
            cursor.execute(drop)
    try:
        yield
    finally:
        if not empty_tables():
            with audit_unlocked():
                call_command("flush", interactive=False, verbosity=0)
        with connection.cursor() as cursor:
            for _, restore in statements:
                cursor.execute(restore)
