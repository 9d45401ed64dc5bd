"""Dynamic statements, whose text hangs on what is asked: made once for each shape, and then only filled in.

    def _page(order: str, /, values: Places) -> QuerySet[Listing]:
        rows = Listing.objects.order_by(order)
        return rows.filter(city=values["city"]) if "city" in values else rows

    PAGE = Shaped("page", _page)

    PAGE.rows(("price",), {"city": Put("Bonn", WORD)})

A declaration sees the shape and which values there are, but never a value: only the place where it goes. So what was made for
the shape and these names holds for all values. It gives a query set, or the text and parameters of a statement that query
sets are parts of (with what makes rows of its answer, if it is to make any), or None where nothing can be found.

The text is sent with its values in it, and PostgreSQL plans for exactly these: how many a city has decides how a page of it is
found. Where that makes no difference (`is_steady`) it becomes a prepared statement (`apps.core.prepared`), planned once.

COMPILED_READS=off declares and compiles with every request.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from apps.core.compiling import placed
from apps.core.prepared import Prepared
from apps.core.reads import Parameter, Reader, Type

# Texts that are kept, some kilobytes each: who asks for ever other combinations makes them anew, and nothing grows.
MOST_TEXTS = 512
# Each connection keeps a plan of each that is prepared: only what comes again and again becomes one.
MOST_PREPARED = 64
PREPARED_AFTER = 5


class Put(NamedTuple):
    """A value that is asked for, and the type of its place."""

    value: Any
    type: Type


Puts = Mapping[str, Put]
Places = Mapping[str, Parameter]
Statement = tuple[str, Sequence[Any]]


class Reading(NamedTuple):
    """A statement, and what makes rows of its answer."""

    text: str
    values: Sequence[Any]
    read: Reader


# What a declaration gives: a query set, a statement that query sets are parts of, that with what makes rows of its answer, or
# None where nothing can be found.
Declared = QuerySet[Any] | Statement | Reading | None


def filled(puts: Puts) -> Places:
    """The places with the values in them."""
    return {name: Parameter(value, type_) for name, (value, type_) in puts.items()}


class _Made:
    """One statement: its text, or that of a prepared one once it has been asked for often."""

    __slots__ = ("is_steady", "prepared", "read", "text", "types", "uses")

    def __init__(self, statement: Reading, *, is_steady: bool) -> None:
        sql, values, self.read = statement
        self.text, self.types = placed(sql, values)
        self.is_steady = is_steady
        self.uses = 0
        self.prepared: Prepared | None = None


def _never(*shape: Any) -> bool:
    return False


class Shaped:
    """The statements of one declaration. `name` is for whoever reads the logs.

    `is_steady` tells of a shape with its places whether one plan is right for whatever values.
    """

    def __init__(
        self,
        name: str,
        declare: Callable[..., Declared],
        *,
        is_steady: Callable[..., bool] = _never,
    ) -> None:
        self.name = name
        self._declare = declare
        self._is_steady = is_steady
        self._made: OrderedDict[Hashable, _Made | None] = OrderedDict()
        self._prepared = 0
        self._lock = threading.Lock()

    def rows(self, shape: tuple[Hashable, ...], puts: Puts) -> list[Any]:
        """What the statement returns: tuples, or the rows that are made of them."""
        if not settings.COMPILED_READS:
            statement = _statement(self._declare(*shape, filled(puts)))
            return [] if statement is None else statement.read(_rows(statement.text, statement.values))
        made = self._of(shape, puts)
        if made is None:
            return []
        values = {name: put[0] for name, put in puts.items()}
        if not made.is_steady or not self._is_prepared(made):
            return made.read(_rows(made.text, values))
        assert made.prepared is not None
        return made.read(made.prepared.rows(**values))

    def _of(self, shape: tuple[Hashable, ...], puts: Puts) -> _Made | None:
        key = (shape, tuple(puts))
        try:
            made = self._made[key]
            self._made.move_to_end(key)
        except KeyError:
            places: Places = {name: Parameter(type_.slot(name), type_) for name, (_, type_) in puts.items()}
            connection.ensure_connection()
            statement = _statement(self._declare(*shape, places))
            made = None
            if statement is not None:
                made = _Made(statement, is_steady=self._is_steady(*shape, places))
            with self._lock:
                self._made[key] = made
                while len(self._made) > MOST_TEXTS:
                    self._made.popitem(last=False)
        return made

    def _is_prepared(self, made: _Made) -> bool:
        if made.prepared is None:
            made.uses += 1
            if made.uses > PREPARED_AFTER:
                with self._lock:
                    if made.prepared is None and self._prepared < MOST_PREPARED:
                        self._prepared += 1
                        made.prepared = Prepared(self.name, made.text, **made.types)
        return made.prepared is not None


def _statement(declared: Declared) -> Reading | None:
    if isinstance(declared, Reading) or declared is None:
        return declared
    if not isinstance(declared, QuerySet):
        return Reading(*declared, _as_they_are)
    try:
        return Reading(*declared.query.sql_with_params(), _as_they_are)
    except EmptyResultSet:
        return None


def _as_they_are(found: Sequence[tuple[Any, ...]]) -> Any:
    return found


def _rows(sql: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
