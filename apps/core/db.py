"""Transactions: opened by actions alone, required by the steps below them."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connection, transaction

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
