"""Rows into tables in bulk: copied into a temporary table, from where one statement writes what is new or different.

The names put into the statements are those of our own models; values travel by COPY.
"""
# ruff: noqa: S608

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from django.db import connection, models

from apps.core.db import require_transaction

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class Written:
    """Keys of rows that were inserted and of rows that were changed; those that were the same are in neither."""

    inserted: set[Any]
    changed: set[Any]


def as_copied(value: Any) -> str:
    """A value in the text form of COPY."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(ESCAPES)
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, list):
        quoted = ('"' + str(item).replace("\\", "\\\\").replace('"', '\\"') + '"' for item in value)
        return ("{" + ",".join(quoted) + "}").translate(ESCAPES)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, int | float | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be copied")


def copied(table: str, like: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A temporary table of those columns with those rows, which the end of the transaction drops."""
    require_transaction()
    names = ", ".join(columns)
    content = io.StringIO()
    for row in rows:
        content.write("\t".join(map(as_copied, row)))
        content.write("\n")
    content.seek(0)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
        cursor.execute(
            f"CREATE TEMP TABLE {table} ON COMMIT DROP AS SELECT {names} FROM {like._meta.db_table} WITH NO DATA"
        )
        cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN", content)


def insert_missing(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    key: Sequence[str],
    condition: str,
) -> None:
    """Insert the rows whose key is not there; `condition` is that of the partial unique index on it."""
    copied("staged", model, columns, rows)
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({names}) SELECT {names} FROM staged ORDER BY {', '.join(key)} "
            f"ON CONFLICT ({', '.join(key)}) WHERE {condition} DO NOTHING"
        )


def upsert(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    key: Sequence[str],
    condition: str = "",
    only_new: Sequence[str] = (),
    stamped: str = "",
    answer: str,
) -> Written:
    """Insert the rows; where `key` is there already, write the columns that are no key, if any of them differs.

    `condition` is that of a partial unique index on the key. Columns `only_new` are written on insert alone; `stamped`
    is written along but makes no difference by itself. `answer` is the column that tells the rows apart.
    """
    if not rows:
        return Written(set(), set())
    table = model._meta.db_table
    copied("staged", model, columns, rows)
    compared = [name for name in columns if name not in key and name not in only_new and name != stamped]
    written = [*compared, stamped] if stamped else compared
    names = ", ".join(columns)
    statement = f"INSERT INTO {table} ({names}) SELECT {names} FROM staged ORDER BY {', '.join(key)} "
    statement += f"ON CONFLICT ({', '.join(key)}) {f'WHERE {condition}' if condition else ''} DO UPDATE SET "
    statement += ", ".join(f"{name} = excluded.{name}" for name in written)
    statement += f" WHERE ({', '.join(f'{table}.{name}' for name in compared)}) IS DISTINCT FROM "
    statement += f"({', '.join(f'excluded.{name}' for name in compared)}) RETURNING {answer}, (xmax = 0)"
    with connection.cursor() as cursor:
        cursor.execute(statement)
        returned = cursor.fetchall()
    return Written(
        inserted={name for name, is_new in returned if is_new},
        changed={name for name, is_new in returned if not is_new},
    )
