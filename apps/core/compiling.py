"""Query sets compiled to the text of a statement: with places for the values that it is given each time, constants in the text,
and how rows are made of its answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.contrib.postgres.fields import RangeField
from django.db import connection
from django.db.models import Field, QuerySet
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler

from apps.core.postgres.own import own_connection
from apps.core.rows import Layout

LENGTH = re.compile(r"\([0-9, ]+\)")


class Slot(NamedTuple):
    """The place of a value in a compiled statement, and the value's type by its name in PostgreSQL."""

    name: str
    type: str


class Text(NamedTuple):
    """The text of a statement with named places, of these types, and what its answer is made of.

    `fields` say what each column of the answer is. Without a layout rows are tuples.
    """

    sql: str
    types: dict[str, str]
    fields: list[Field[Any, Any]]
    layout: Layout | None


def text_of(rows: QuerySet[Any], *, splits_ranges: bool = True) -> Text:
    """The text of a query set that has slots among its values. A range is read as its bounds, or as it is."""
    compiler = rows.query.get_compiler(connection=connection)
    sql, values = compiler.as_sql()
    layout = None
    fields = [expression.output_field for expression, _, _ in compiler.select]
    # What is read as values comes as tuples.
    if compiler.klass_info is not None and issubclass(rows._iterable_class, ModelIterable):
        layout, fields = layout_of(compiler, splits_ranges=splits_ranges)
        if layout.ranges:
            sql = _with_bounds(compiler, sql)
    return Text(*placed(sql, values), fields, layout)


def placed(sql: str, values: Sequence[Any]) -> tuple[str, dict[str, str]]:
    """The text with a named place for each slot among the values and with all others in it, and the types of the places.

    The planner can see of a constant in the text that a partial index fits it.
    """
    left, types = iter(values), {}

    def put(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%%"
        value = next(left)
        if not isinstance(value, Slot):
            return literal(value)
        types[value.name] = value.type
        return f"%({value.name})s"

    return re.sub("%%|%s", put, sql), types


def literal(constant: Any) -> str:
    """A value as a part of a text."""
    with own_connection().session().cursor() as cursor:
        text: str = cursor.mogrify("%s", [constant]).decode()
    return text.replace("%", "%%")


def type_of(field: Field[Any, Any]) -> str:
    """The PostgreSQL type of a column without its length: a value that is too long is refused, not cut."""
    return LENGTH.sub("", str(field.db_type(connection)))


def _with_bounds(compiler: SQLCompiler, sql: str) -> str:
    for expression, (column, _), _alias in compiler.select:
        if isinstance(expression.output_field, RangeField):
            # The list of what is selected comes first in a statement.
            sql = sql.replace(column, bounds_of(column), 1)
    return sql


def bounds_of(column: str) -> str:
    """What is selected of a range: two values."""
    return f"lower({column}), upper({column})"


def layout_of(compiler: SQLCompiler, *, splits_ranges: bool = True) -> tuple[Layout, list[Field[Any, Any]]]:
    """How rows are made of what a compiled query set of a model selects, and what each column is.

    A range is two columns, its bounds, or one.
    """
    # Where the value of each selected expression stands in the answer.
    places: list[int] = []
    ranges: set[int] = set()
    fields: list[Field[Any, Any]] = []
    converters = compiler.get_converters([selected[0] for selected in compiler.select])
    for expression, _, _alias in compiler.select:
        places.append(len(fields))
        field: Any = expression.output_field
        if splits_ranges and isinstance(field, RangeField):
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
