"""Transactions: opened by actions and by whole readings, required by the steps below them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from django.db import transaction

from apps.core.faults import fault_point
from apps.core.postgres.base import DatabaseWrapper
from apps.core.postgres.own import own_connection
from apps.core.postgres.session import NotAlone, Proviso

Args = ParamSpec("Args")
Result = TypeVar("Result")

# Of a habit: what one more statement than was expected costs, in readings that were spared a transaction; how sure to be before
# one is spared; and how soon to think better of it.
COST, ENOUGH, MOST, LEAST = 8, 3, 64, -64


class _Unit:
    """A unit of work that is open. `endings` are left to do before it commits; `may_end_early`: see `may_end_with_it`."""

    __slots__ = ("database", "endings", "has_ended", "may_end_early", "name")

    def __init__(self, name: str, *, may_end_early: bool) -> None:
        self.name = name
        # To find out whose connection it is takes longer than to look at it.
        self.database = own_connection()
        self.may_end_early = may_end_early
        self.endings: list[Callable[[], object]] = []
        self.has_ended = False


_unit: ContextVar[_Unit | None] = ContextVar("unit", default=None)


class Undecided(Exception):
    """The statement that ended its unit of work has written nothing, and there is more to try: the action is called again."""


def unit_of_work(action: Callable[Args, Result]) -> Callable[Args, Result]:
    """The action runs in one durable transaction: outermost, so that what it says it did is committed when it returns.

    Raises RuntimeError when a transaction is open already.
    """

    def work(unit: _Unit, args: Any, kwargs: Any) -> Result:
        with transaction.atomic(durable=True):
            token = _unit.set(unit)
            try:
                result = action(*args, **kwargs)
                while unit.endings:
                    unit.endings.pop(0)()
            finally:
                # What is done after the commit is outside, and must not leave anything for an end that has been.
                _unit.reset(token)
            if not unit.has_ended:
                fault_point(f"{unit.name}.written")
        fault_point(f"{unit.name}.committed")
        return result

    @wraps(action)
    def run(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        try:
            return work(_Unit(action.__name__, may_end_early=True), args, kwargs)
        except Undecided:
            return work(_Unit(action.__name__, may_end_early=False), args, kwargs)

    return run


def may_end_with_it() -> bool:
    """Whether the next statement may bring the COMMIT of the unit of work with it: nothing is left to be done behind it.

    For a statement that is the action's last, and before which the action has written nothing: should it find nothing to do,
    that is committed. It may raise Undecided then, and the action is called once more, in a transaction that ends as always.
    """
    unit = _unit.get()
    # With a savepoint the end of the transaction is somebody else's: a test's.
    if unit is None or not unit.may_end_early or unit.has_ended or unit.endings:
        return False
    return not unit.database.savepoint_ids


def end_with_it() -> None:
    """Say that the next statement brings the COMMIT. Raises RuntimeError where it may not."""
    unit = _unit.get()
    if unit is None or not may_end_with_it():
        raise RuntimeError("something is left to be done before the unit of work may end")
    fault_point(f"{unit.name}.written")
    unit.has_ended = True


def at_end(ending: Callable[[], object]) -> bool:
    """Have it called when the unit of work has done everything else, in its transaction; once for all who said so before.

    For what nobody reads before the commit, and is written at once with the rest of its kind. Returns whether there is a unit
    of work; where there is none, it is for the caller to do it now.
    """
    unit = _unit.get()
    if unit is None:
        return False
    if unit.has_ended:
        raise RuntimeError("the unit of work has been committed")
    if ending not in unit.endings:
        unit.endings.append(ending)
    return True


def require_transaction() -> None:
    """Raises RuntimeError outside a transaction: a ledger step alone would leave half a fact behind."""
    unit = _unit.get()
    database = own_connection() if unit is None else unit.database
    if not database.in_atomic_block:
        raise RuntimeError("a ledger step was called outside a unit of work")


def is_in_transaction() -> bool:
    """Whether a transaction is open: what is read here may be what nobody else sees yet."""
    return own_connection().in_atomic_block


@contextmanager
def provided(proviso: Proviso) -> Iterator[None]:
    """Nothing of the block reaches the database unless the proviso holds, and it does not end before that is known.

    It goes with the block's first statement, and is asked for at the end where there was none. Raises ProvisoFailed, also in the
    midst of the block, and DatabaseError where it cannot be found out. Not within another one.
    """
    database = own_connection()
    database.provide(proviso)
    try:
        yield
    except Exception:
        database.confirm()
        raise
    else:
        database.confirm()
    finally:
        database.provide(None)


def confirm() -> None:
    """Find out now whether what was `provided` holds, before something is done outside of the database. Raises ProvisoFailed."""
    own_connection().confirm()


class Habit:
    """How many statements the same reading has taken of late: whether one is likely to be enough for it."""

    __slots__ = ("_trust",)

    def __init__(self) -> None:
        self._trust = 0

    @property
    def is_of_one(self) -> bool:
        return self._trust >= ENOUGH

    def note(self, statements: int) -> None:
        """Take one more reading into account."""
        self._trust = min(MOST, self._trust + 1) if statements <= 1 else max(LEAST, self._trust - COST)


class Reading(Protocol):
    """Calls what reads, maybe twice, and returns what it returned at last."""

    def __call__(self, read: Callable[[], Result], habit: Habit | None = None) -> Result: ...


def of_one_moment(read: Callable[[], Result], habit: Habit | None = None) -> Result:
    """What `read` returns, all of whose statements see the database as it was at one moment.

    One statement does so by itself. Where that is the habit, the first one is sent without a transaction; a second one is not
    sent: NotAlone ends `read`, which is then called anew, in a snapshot. So with a habit it must leave nothing behind that counts
    when it is called again, and let NotAlone pass. What no other read may be sent twice or out of a transaction, such as writes
    and locks, has the snapshot always.
    """
    database = own_connection()
    if database.in_atomic_block:
        return read()
    if habit is not None and habit.is_of_one and not database.queries_logged and database.begin_alone():
        try:
            result = _read_alone(database, read)
        except NotAlone:
            habit.note(2)
        else:
            habit.note(1)
            return result
    with one_snapshot():
        before = database.sent
        result = read()
        if habit is not None:
            habit.note(database.sent - before)
        return result


def _read_alone(database: DatabaseWrapper, read: Callable[[], Result]) -> Result:
    """What `read` returns, of one statement. Raises NotAlone where there was to be another one, whatever became of that."""
    is_done = False
    try:
        result = read()
        is_done = True
        return result
    finally:
        if database.end_alone(is_done=is_done):
            raise NotAlone


@contextmanager
def one_snapshot() -> Iterator[None]:
    """All statements of the block see the database as it was at the first of them. For answers put together from many.

    Costs nothing where nothing is read: the transaction begins with the first statement. Inside a transaction that is open
    already it is a part of that one.
    """
    database = own_connection()
    if database.in_atomic_block:
        yield
        return
    database.close_if_health_check_failed()
    database.ensure_connection()
    with transaction.atomic():
        database.begin_snapshot()
        yield
