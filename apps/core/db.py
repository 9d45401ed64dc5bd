"""Transactions: opened by actions and by whole readings, required by the steps below them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from django.db import connection, transaction

from apps.core.faults import fault_point
from apps.core.postgres.base import DatabaseWrapper

Args = ParamSpec("Args")
Result = TypeVar("Result")

# What is left to do before the unit of work that is open commits; None where none is.
_endings: ContextVar[list[Callable[[], object]] | None] = ContextVar("endings", default=None)


def unit_of_work(action: Callable[Args, Result]) -> Callable[Args, Result]:
    """The action runs in one durable transaction: outermost, so that what it says it did is committed when it returns.

    Raises RuntimeError when a transaction is open already.
    """

    @wraps(action)
    def run(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        with transaction.atomic(durable=True):
            endings: list[Callable[[], object]] = []
            token = _endings.set(endings)
            try:
                result = action(*args, **kwargs)
                while endings:
                    endings.pop(0)()
            finally:
                # What is done after the commit is outside, and must not leave anything for an end that has been.
                _endings.reset(token)
            fault_point(f"{action.__name__}.written")
        fault_point(f"{action.__name__}.committed")
        return result

    return run


def at_end(ending: Callable[[], object]) -> bool:
    """Have it called when the unit of work has done everything else, in its transaction; once for all who said so before.

    For what nobody reads before the commit, and is written at once with the rest of its kind. Returns whether there is a unit
    of work; where there is none, it is for the caller to do it now.
    """
    endings = _endings.get()
    if endings is None:
        return False
    if ending not in endings:
        endings.append(ending)
    return True


def require_transaction() -> None:
    """Raises RuntimeError outside a transaction: a ledger step alone would leave half a fact behind."""
    if not connection.in_atomic_block:
        raise RuntimeError("a ledger step was called outside a unit of work")


def is_in_transaction() -> bool:
    """Whether a transaction is open: what is read here may be what nobody else sees yet."""
    return connection.in_atomic_block


@contextmanager
def one_snapshot() -> Iterator[None]:
    """All statements of the block see the database as it was at the first of them. For answers put together from many.

    Costs nothing where nothing is read: the transaction begins with the first statement. Inside a transaction that is open
    already it is a part of that one.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with transaction.atomic():
        cast(DatabaseWrapper, connection).begin_snapshot()
        yield
