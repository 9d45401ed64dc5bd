"""Reads that are declared as query sets, compiled to SQL once for each shape, and then only filled in.

    def _listings(kinds: frozenset[str], *, ids: Parameter) -> QuerySet[Listing]:
        return with_kinds(Listing.objects.filter(OneOf("pk", ids)), kinds)

    LISTINGS = Read(_listings, ids=INTEGERS)

    rows = LISTINGS.rows(frozenset({"PROPERTY"}), ids=[1, 2, 3])

What comes positionally is the shape: it decides what the query looks like, so it has few values. What comes by name are
values: they are sent with the compiled text. A declaration must treat every value alike, as it sees only where the value goes.

The rows stand in for instances of the model: the same attributes, relations that were selected along, and the properties and
methods of the class. They have slots instead of fields, cannot be saved, and never ask the database for what was not read:
that is an AttributeError, or NotRead for a column. A range has only its `lower` and `upper`.

The compiled text is a prepared statement (`apps.core.prepared`). COMPILED_READS=off takes the plain way instead: the query
set itself, and instances of the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField, RangeField
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
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler

from apps.core.prepared import PLACE, Prepared, literal
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


class Slot(NamedTuple):
    """The place of a value in a compiled statement."""

    name: str


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


class Text(NamedTuple):
    """One shape of a read: its text with the places of values, of which these are used, and what its answer is made of.

    `fields` say what each column of the answer is. Without a layout rows are tuples.
    """

    sql: str
    types: dict[str, str]
    fields: list[Field[Any, Any]]
    layout: Layout | None


def text_of(rows: QuerySet[Any], types: dict[str, Type], *, is_limited: bool) -> Text:
    """The text of a declared query set, whose places have these types, with one for the limit where it has one."""
    compiler = rows.query.get_compiler(connection=connection)
    sql, given = compiler.as_sql()
    layout = None
    fields = [expression.output_field for expression, _, _ in compiler.select]
    # What is read as values comes as tuples.
    if compiler.klass_info is not None and issubclass(rows._iterable_class, ModelIterable):
        sql, layout, fields = _rows_of(compiler, sql)
    # The constants of a shape stand in its text: a partial index is of use only where its condition is known.
    values = iter(given)
    text = re.sub("%s", lambda _: written(next(values)), sql)
    if is_limited:
        text += f" LIMIT %({LIMIT})s"
    used = set(PLACE.findall(text))
    named = {place: type_.name for place, type_ in {LIMIT: INTEGER, **types}.items() if place in used}
    return Text(text, named, fields, layout)


class Compiled:
    """One shape of a read: its statement and what makes rows of the answer."""

    __slots__ = ("_read", "_statement")

    def __init__(
        self,
        name: str,
        rows: QuerySet[Any],
        *,
        types: dict[str, Type],
        is_limited: bool,
        of_parents: bool,
        is_one: bool,
    ) -> None:
        text, named, fields, layout = text_of(rows, types, is_limited=is_limited)
        if of_parents:
            # So the rows of each parent are found by an index in their order, and no more of them than are wanted.
            owners = (
                f"(SELECT (%({PARENTS})s)[1] AS id) AS parent" if is_one else f"unnest(%({PARENTS})s) AS parent (id)"
            )
            text = f"SELECT found.* FROM {owners} CROSS JOIN LATERAL ({text}) AS found"  # noqa: S608 - our own words
            named = {**named, PARENTS: INTEGERS.name}
        self._read: Reader = list if layout is None else reader(layout, len(fields))
        self._statement = Prepared(name, text, **named)

    def read(self, values: dict[str, Any]) -> list[Any]:
        """The rows with these values in their places."""
        return self._read(self._statement.rows(**values))


def written(value: Any) -> str:
    """A parameter as it stands in the text: as the place of a value, or as itself."""
    return f"%({value.name})s" if isinstance(value, Slot) else literal(value)


def _rows_of(compiler: SQLCompiler, sql: str) -> tuple[str, Layout, list[Field[Any, Any]]]:
    """The statement with ranges read as their bounds, how rows are made of its answer, and what each column of that is."""
    for expression, (column, _), _alias in compiler.select:
        if isinstance(expression.output_field, RangeField):
            # The list of what is selected comes first in a statement.
            sql = sql.replace(column, bounds_of(column), 1)
    return sql, *layout_of(compiler)


def bounds_of(column: str) -> str:
    """What is selected of a range: two values."""
    return f"lower({column}), upper({column})"


def layout_of(compiler: SQLCompiler) -> tuple[Layout, list[Field[Any, Any]]]:
    """How rows are made of what a compiled query set of a model selects, each range as its bounds, and what each column is."""
    # Where the value of each selected expression stands in the answer.
    places: list[int] = []
    ranges: set[int] = set()
    fields: list[Field[Any, Any]] = []
    converters = compiler.get_converters([selected[0] for selected in compiler.select])
    for expression, _, _alias in compiler.select:
        places.append(len(fields))
        field: Any = expression.output_field
        if isinstance(field, RangeField):
            ranges.add(len(fields))
            field = field.base_field
            fields.append(field)
        fields.append(field)
    by_place = {places[index]: _converter(*found) for index, found in converters.items()}
    assert compiler.klass_info is not None
    layout = _layout(compiler, compiler.klass_info, places, ranges, by_place)
    for name, index in compiler.annotation_col_map.items():
        layout.columns.append((name, places[index]))
    return layout, fields


def _layout(
    compiler: SQLCompiler,
    info: dict[str, Any],
    places: list[int],
    ranges: set[int],
    converters: dict[int, Callable[[Any], Any]],
) -> Layout:
    layout = Layout(info["model"], ranges=ranges, converters=converters)
    for index in info["select_fields"]:
        target = compiler.select[index][0].target
        layout.columns.append((target.attname, places[index]))
    for related in info.get("related_klass_infos", ()):
        relation = related["field"]
        name = relation.remote_field.get_accessor_name() if related["reverse"] else relation.name
        layout.relations.append((name, _layout(compiler, related, places, ranges, converters)))
    return layout


def _converter(chain: list[Callable[..., Any]], expression: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        for each in chain:
            value = each(value, expression, connection)
        return value

    return convert


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

    def _of(self, shape: tuple[Hashable, ...], *, is_limited: bool, of_parents: bool = False, is_one: bool) -> Compiled:
        key = (shape, is_limited, of_parents, is_one)
        compiled = self._compiled.get(key)
        if compiled is None:
            connection.ensure_connection()
            # Of whose rows are read for parents, only those may be one.
            places = self._places(is_one=is_one and not of_parents)
            if of_parents:
                places["parent"] = Parent()
            rows = self._declare(*shape, **places)
            compiled = self._compiled[key] = Compiled(
                self.name,
                rows,
                types=self._types,
                is_limited=is_limited,
                of_parents=of_parents,
                is_one=is_one,
            )
        return compiled

    def text(
        self,
        shape: tuple[Hashable, ...],
        *,
        is_limited: bool,
        is_one: bool = False,
        of: Mapping[str, Parent] | None = None,
    ) -> Text:
        """The text of a shape, as a part of a larger statement. `of` are the places whose values a row beside it has."""
        connection.ensure_connection()
        rows = self._declare(*shape, **{**self._places(is_one=is_one), **(of or {})})
        return text_of(rows, self._types, is_limited=is_limited)

    def _places(self, *, is_one: bool) -> dict[str, Any]:
        return {name: Parameter(Slot(name), type_, is_one=is_one) for name, type_ in self._types.items()}
