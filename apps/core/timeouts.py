"""Time-outs of PostgreSQL: how long it lets a session of ours wait, and how it says that it waited in vain.

What is refused so is rolled back whole, and may be tried again as it was.
"""

from dataclasses import dataclass

from django.db import DatabaseError, connections

# lock_not_available, query_canceled, deadlock_detected, serialization_failure.
CANCELED = "57014"
IN_VAIN = frozenset({"55P03", CANCELED, "40P01", "40001"})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The longest time in seconds of one statement, of the wait for one lock, and of a transaction that does nothing."""

    statement: int
    lock: int
    idle_transaction: int

    def options(self) -> str:
        """As a session is told when it begins."""
        return (
            f"-c statement_timeout={self.statement}s -c lock_timeout={self.lock}s"
            f" -c idle_in_transaction_session_timeout={self.idle_transaction}s"
        )


def bound_sessions(timeouts: Timeouts, *, alias: str = "default") -> None:
    """Every session that this process opens from now on waits no longer than that."""
    options = connections.settings[alias]["OPTIONS"]
    options["options"] = f"{options['options']} {timeouts.options()}"


def waited_in_vain(error: BaseException | None) -> bool:
    """Whether the database gave up waiting, or one of two who waited for each other: nothing was written."""
    return _code_of(error) in IN_VAIN


def took_too_long(error: BaseException | None) -> bool:
    """Whether it was the statement itself for which there was not time enough, and no lock."""
    return _code_of(error) == CANCELED


def _code_of(error: BaseException | None) -> str | None:
    return getattr(error.__cause__, "pgcode", None) if isinstance(error, DatabaseError) else None
