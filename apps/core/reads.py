"""Reads that are declared as query sets, compiled to SQL once for each shape, and then only filled in.

    def _listings(kinds: frozenset[str], *, ids: Parameter) -> QuerySet[Listing]:
        return with_kinds(Listing.objects.filter(OneOf("pk", ids)), kinds)

    LISTINGS = Read(_listings, ids=INTEGERS)

    rows = LISTINGS.rows(frozenset({"PROPERTY"}), ids=[1, 2, 3])

What comes positionally is the shape: it decides what the query looks like, so it has few values. What comes by name are
values: they are sent with the compiled text. A declaration must treat every value alike, as it sees only where the value goes.

The rows stand in for instances of the model: the same attributes, relations that were selected along, and the properties and
methods of the class. They have slots instead of fields, cannot be saved, and never ask the database for what was not read:
that is an AttributeError, or NotRead for a column. A range has only its `lower` and `upper`. Who needs what Django brings asks
for `instances`: the same to the last attribute, but for prefetches.

The compiled text is a prepared statement (`apps.core.prepared`). COMPILED_READS=off takes the plain way instead: the query
set itself, and instances of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BigIntegerField,
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    Expression,
    F,
    Field,
    FloatField,
    Func,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.sql.compiler import SQLCompiler

from apps.core.compiling import Slot, Text, text_of
from apps.core.instances import instances_of
from apps.core.prepared import Prepared
from apps.core.rows import Layout, reader

Found = TypeVar("Found")
# From what the driver returned to what the caller gets.
Reader = Callable[[Sequence[tuple[Any, ...]]], list[Any]]

# Beside what a declaration names: how many rows at most, and of whom.
LIMIT = "limit"
PARENTS = "parents"


@dataclass(frozen=True, slots=True)
class Type:
    """What a value is: to Django, and by its name in PostgreSQL."""

    name: str
    field: Field[Any, Any]

    def slot(self, name: str) -> Slot:
        """The place of such a value."""
        return Slot(name, self.name)


INTEGER = Type("bigint", BigIntegerField())
INTEGERS = Type("bigint[]", ArrayField(BigIntegerField()))
WORD = Type("text", TextField())
TEXTS = Type("text[]", ArrayField(TextField()))
TSQUERY = Type("tsquery", TextField())
INSTANT = Type("timestamptz", DateTimeField())
DAY = Type("date", DateField())
NUMBER = Type("numeric", DecimalField())
REAL = Type("double precision", FloatField())
REALS = Type("double precision[]", ArrayField(FloatField()))


class Parameter(Value):
    """A value of a read, or the place where it will be. It is cast, so that its type is the column's: a bigint and no int."""

    def __init__(self, value: Any, type_: Type, *, is_one: bool = False) -> None:
        """`is_one`: an array of one element."""
        super().__init__(value, output_field=type_.field)
        self.type = type_
        self.is_one = is_one

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return f"%s::{self.type.name}", [self.value]


class Parent(Expression):
    """In a read for many parents at once: the key of the parent that its rows are found for, which is in this column."""

    def __init__(self, column: str = "id") -> None:
        super().__init__(output_field=BigIntegerField())
        self.column = column

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return f'"parent"."{self.column}"', []


class OneOf(Func):
    """The condition that a column is one of the values of an array.

    Of an array of one it compares with that one: PostgreSQL keeps the plan of a statement only where it looks no worse than
    one made for the values, and of an array that it does not know yet it expects ten. With that of the parent it compares
    as it is.
    """

    template = "(%(expressions)s)"
    output_field = BooleanField()
    conditional = True

    def __init__(self, column: str, values: Parameter | Parent) -> None:
        element = "%(expressions)s"
        if isinstance(values, Parameter):
            element = "(%(expressions)s)[1]" if values.is_one else "ANY (%(expressions)s)"
        super().__init__(F(column), Func(values, template=element), arg_joiner=" = ")


class Compiled:
    """One shape of a read: its statement and what makes the caller's rows of the answer."""

    __slots__ = ("_read", "_statement")

    def __init__(self, name: str, text: Text, make: Callable[[Layout, int], Reader], after: Prepared | None) -> None:
        statement = Prepared(name, text.sql, **text.types)
        self._statement = statement if after is None else statement.after(after)
        self._read: Reader = list if text.layout is None else make(text.layout, len(text.fields))

    def read(self, values: dict[str, Any]) -> list[Any]:
        """The rows with these values in their places."""
        return self._read(self._statement.rows(**values))


def _of_parents(text: Text, *, is_one: bool) -> Text:
    """The rows of each parent, found by an index in their order, and no more of them than are wanted."""
    owners = f"(SELECT (%({PARENTS})s)[1] AS id) AS parent" if is_one else f"unnest(%({PARENTS})s) AS parent (id)"
    return text._replace(
        sql=f"SELECT found.* FROM {owners} CROSS JOIN LATERAL ({text.sql}) AS found",  # noqa: S608 - our own words
        types={**text.types, PARENTS: INTEGERS.name},
    )


class Read(Generic[Found]):
    """A read that is declared by a function from a shape and places of values to a query set."""

    def __init__(self, declare: Callable[..., QuerySet[Any]], **types: Type) -> None:
        self.name = declare.__name__.strip("_")
        self._declare = declare
        self._types = types
        self._compiled: dict[Hashable, Compiled] = {}

    def query_set(self, *shape: Hashable, **values: Any) -> QuerySet[Any]:
        """The read in the plain way, for what is to be asked of it besides."""
        return self._declare(*shape, **{name: Parameter(values[name], self._types[name]) for name in self._types})

    def rows(self, *shape: Hashable, limit: int | None = None, **values: Any) -> list[Found]:
        """What is found, at most `limit`. With a limit, the declaration says an order."""
        if not settings.COMPILED_READS:
            found = self.query_set(*shape, **values)
            return list(found if limit is None else found[:limit])
        if limit is not None:
            values[LIMIT] = limit
        is_one = all(len(value) == 1 for value in values.values() if isinstance(value, list))
        return self._of(shape, is_limited=limit is not None, is_one=is_one).read(values)

    def rows_of(self, parents: Sequence[int], *shape: Hashable, limit: int, **values: Any) -> list[Found]:
        """At most `limit` for each of the parents. The declaration takes `parent`, the key of one of them, and says an order.

        Not for the plain way.
        """
        compiled = self._of(shape, is_limited=True, of_parents=True, is_one=len(parents) == 1)
        return compiled.read({**values, LIMIT: limit, PARENTS: list(parents)})

    def instances(self, *shape: Hashable, after: Prepared | None = None, **values: Any) -> list[Found]:
        """What is found, as instances of the model: for who changes them, or hands them on as what they are.

        `after` is a statement to be carried out just before, with values for its own places: see `Prepared.after`.
        """
        if not settings.COMPILED_READS:
            if after is not None:
                after.rows(**values)
            return list(self.query_set(*shape, **values))
        key = (shape, after, instances_of)
        compiled = self._compiled.get(key)
        if compiled is None:
            text = self.text(shape, splits_ranges=False)
            compiled = self._compiled[key] = Compiled(self.name, text, instances_of, after)
        return compiled.read(values)

    def _of(self, shape: tuple[Hashable, ...], *, is_limited: bool, of_parents: bool = False, is_one: bool) -> Compiled:
        key = (shape, is_limited, of_parents, is_one)
        compiled = self._compiled.get(key)
        if compiled is None:
            if of_parents:
                # Of whose rows are read for parents, only those may be one.
                text = _of_parents(self.text(shape, is_limited=is_limited, of={"parent": Parent()}), is_one=is_one)
            else:
                text = self.text(shape, is_limited=is_limited, is_one=is_one)
            compiled = self._compiled[key] = Compiled(self.name, text, reader, None)
        return compiled

    def text(
        self,
        shape: tuple[Hashable, ...] = (),
        *,
        is_limited: bool = False,
        is_one: bool = False,
        of: Mapping[str, Parent] | None = None,
        splits_ranges: bool = True,
    ) -> Text:
        """The text of a shape, as a part of a larger statement. `of` are the places whose values a row beside it has."""
        connection.ensure_connection()
        places = {name: Parameter(type_.slot(name), type_, is_one=is_one) for name, type_ in self._types.items()}
        text = text_of(self._declare(*shape, **{**places, **(of or {})}), splits_ranges=splits_ranges)
        if not is_limited:
            return text
        return text._replace(sql=f"{text.sql} LIMIT %({LIMIT})s", types={**text.types, LIMIT: INTEGER.name})
