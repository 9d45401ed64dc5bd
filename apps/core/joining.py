"""Late joins: the rows of a model behind the keys that a statement finds, in the same statement.

    joined(("SELECT id, price_minor FROM ... ORDER BY price_minor LIMIT 20", ()), ("id", "price_minor"), cards)

The statement says which rows there are and in which order; the query set says what is read of each, and of the rows beside it
(`select_related`, `only`). These are looked up by their keys for the statement's rows alone, one after the other: so they keep
its order, and no table is read as a whole however many rows the planner expects.
"""

# ruff: noqa: S608
# The names put into statements are those of models and of ourselves; values stay parameters.

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.postgres.fields import RangeField
from django.db import connection
from django.db.models import Field, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from apps.core.compiling import bounds_of, layout_of
from apps.core.rows import reader
from apps.core.shapes import Reading, Statement


def selected(rows: QuerySet[Any]) -> list[str]:
    """The lookups of all columns that a query set of a model reads: `title`, `host__first_name`."""
    compiler = _compiled(rows)
    return [name for name, _ in _named(compiler, compiler.klass_info or {})]


def joined(found: Statement, names: Sequence[str], rows: QuerySet[Any]) -> Reading:
    """The statement that reads, for each row of what is found, a row of the query set's model.

    `names` are those of the columns of what is found, in their order, with the key of the model among them. What the query set
    reads and is among them, by its lookup, is taken from there. What it does not read becomes an attribute of the row.
    """
    sql, values = found
    compiler = _compiled(rows)
    info = compiler.klass_info
    assert info is not None, "the query set is one of models"
    joins = _Joins(compiler, names)
    joins.add(info, "", f'page."{info["model"]._meta.pk.attname}"')
    columns = [bounds_of(column) if is_range else column for column, is_range in joins.columns()]
    layout, fields = layout_of(compiler)
    width = len(fields)
    read = {name for name, _ in layout.columns}
    for name in names:
        if "__" not in name and name not in read:
            columns.append(f'page."{name}"')
            layout.columns.append((name, width))
            width += 1
    text = f"SELECT {', '.join(columns)} FROM ({sql}) AS page{''.join(joins.laterals)}"
    return Reading(text, values, reader(layout, width))


def _compiled(rows: QuerySet[Any]) -> SQLCompiler:
    compiler: SQLCompiler = rows.query.get_compiler(connection=connection)
    # Only then does it know what is selected.
    compiler.as_sql()
    return compiler


def _named(compiler: SQLCompiler, info: dict[str, Any], prefix: str = "") -> list[tuple[str, int]]:
    """The lookup of each column, and its index in what is selected."""
    found = [(prefix + compiler.select[index][0].target.attname, index) for index in info["select_fields"]]
    for related in info.get("related_klass_infos", ()):
        found += _named(compiler, related, f"{prefix}{_relation(related)}__")
    return found


def _relation(related: dict[str, Any]) -> str:
    relation = related["field"]
    return str(relation.remote_field.get_accessor_name() if related["reverse"] else relation.name)


class _Joins:
    """Where each selected column is read: in what is found, or in a table that is joined to it."""

    def __init__(self, compiler: SQLCompiler, names: Collection[str]) -> None:
        self.laterals: list[str] = []
        self._compiler = compiler
        self._names = frozenset(names)
        self._columns: dict[int, str] = {}

    def columns(self) -> list[tuple[str, bool]]:
        """In the order of the selection; with whether each is a range."""
        return [
            (self._columns[index], isinstance(expression.output_field, RangeField))
            for index, (expression, _, _alias) in enumerate(self._compiler.select)
        ]

    def add(
        self, info: dict[str, Any], prefix: str, key: str, *, by: Field[Any, Any] | None = None, may_lack: bool = False
    ) -> None:
        """The row of the model whose column `by`, its key unless said, is `key`; `may_lack`: there may be none."""
        alias = f"{prefix}row"
        lacking = []
        places = {}
        for index in info["select_fields"]:
            field = self._compiler.select[index][0].target
            if prefix + field.attname in self._names:
                column = f'page."{prefix}{field.attname}"'
            else:
                column = f'"{alias}"."{field.column}"'
                lacking.append(f'"{field.column}"')
            self._columns[index] = places[field] = column
        if lacking:
            options = info["model"]._meta
            condition = f'"{(by or options.pk).column}" = {key}'
            row = f'LATERAL (SELECT {", ".join(lacking)} FROM "{options.db_table}" WHERE {condition} OFFSET 0) AS "{alias}"'
            self.laterals.append(f" LEFT JOIN {row} ON true" if may_lack else f" CROSS JOIN {row}")
        for related in info.get("related_klass_infos", ()):
            relation, name = related["field"], f"{prefix}{_relation(related)}__"
            if related["reverse"]:
                self.add(related, name, places[relation.target_field], by=relation, may_lack=True)
            else:
                self.add(related, name, places[relation], by=relation.target_field, may_lack=may_lack or relation.null)
