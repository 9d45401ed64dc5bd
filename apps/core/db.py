"""Transactions: opened by actions and by whole readings, required by the steps below them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import connection, transaction
from psycopg2 import InterfaceError, OperationalError
from psycopg2.extensions import ISOLATION_LEVEL_DEFAULT, ISOLATION_LEVEL_REPEATABLE_READ

from apps.core.faults import fault_point

Args = ParamSpec("Args")
Result = TypeVar("Result")


def unit_of_work(action: Callable[Args, Result]) -> Callable[Args, Result]:
    """The action runs in one durable transaction: outermost, so that what it says it did is committed when it returns.

    Raises RuntimeError when a transaction is open already.
    """

    @wraps(action)
    def run(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        with transaction.atomic(durable=True):
            result = action(*args, **kwargs)
            fault_point(f"{action.__name__}.written")
        fault_point(f"{action.__name__}.committed")
        return result

    return run


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
    session = connection.connection
    try:
        with transaction.atomic():
            # Without a statement of its own: it goes with the BEGIN that the first statement brings.
            session.isolation_level = ISOLATION_LEVEL_REPEATABLE_READ
            yield
    finally:
        _restore(session)


def _restore(session: Any) -> None:
    """Give a connection its isolation back, or give it up: nobody may get one that broke or reads the past."""
    if not session.closed:
        try:
            session.isolation_level = ISOLATION_LEVEL_DEFAULT
        except (InterfaceError, OperationalError):
            connection.close()
