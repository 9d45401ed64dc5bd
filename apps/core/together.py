"""Rows of several tables, written by one statement: all of them, or none where the first of them finds no place.

    HOLD = Together(
        "hold",
        Claim(
            "claimed AS (INSERT INTO ... ON CONFLICT DO NOTHING RETURNING id)",
            "SELECT claimed.id FROM (SELECT) AS always LEFT JOIN claimed ON true",
            key="bigint",
        ),
        Part(Bill, is_keyed=True),
        Part(BookingLine),
    )
    HOLD.write({"key": 5}, [bill], lines)           (5,), or (None,) and nothing is written

What one transaction adds to several tables needs no journey for each of them. The tables' columns are those of the models, so
that a column which a model gets is written by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, models

from apps.core.db import require_transaction
from apps.core.prepared import Prepared, type_of

NUMBERS: frozenset[type] = frozenset({int, type(None)})
TEXTS: frozenset[type] = frozenset({str, type(None)})
# Values of these types go into these fields as they are.
PLAIN: dict[type[Any], frozenset[type]] = {
    models.BigAutoField: NUMBERS,
    models.BigIntegerField: NUMBERS,
    models.BooleanField: frozenset({bool, type(None)}),
    models.CharField: TEXTS,
    models.EmailField: TEXTS,
    models.ForeignKey: NUMBERS,
    models.OneToOneField: NUMBERS,
    models.PositiveIntegerField: NUMBERS,
    models.PositiveSmallIntegerField: NUMBERS,
    models.TextField: TEXTS,
}


class Column(NamedTuple):
    """A place of the statement, the field that fills it, and the types whose values go there as they are."""

    place: str
    field: Any
    plain: frozenset[type]


class Claim:
    """What comes first and decides: the body of a WITH, in which a query called `claimed` finds one row or none.

    `answer` is the whole statement's, one row; its first column is null where `claimed` has found nothing. `types` are those
    of the places in both.
    """

    def __init__(self, body: str, answer: str, **types: str) -> None:
        self.body = body
        self.answer = answer
        self.types = types


@dataclass(frozen=True, slots=True)
class Part:
    """Any number of rows of a model. `is_keyed`: they bring their primary keys with them; else the database makes them."""

    model: type[models.Model]
    is_keyed: bool = False


class Together:
    """The claim, and the rows that are written where it has found something."""

    def __init__(self, name: str, claim: Claim, *parts: Part) -> None:
        self._name = name
        self._claim = claim
        self._parts = parts
        self._compiled: tuple[Prepared, list[list[Column]]] | None = None

    def write(self, claimed: Mapping[str, Any], *rows: Sequence[models.Model]) -> tuple[Any, ...]:
        """Write the rows of each part. Returns the claim's answer; where it begins with null nothing was written.

        A step of a transaction. Raises IntegrityError for rows that the tables refuse.
        """
        require_transaction()
        if self._compiled is None:
            self._compiled = self._compile()
        statement, columns = self._compiled
        # Asked for each value: the proxy would look up whose connection it is each time.
        own = connections[DEFAULT_DB_ALIAS]
        values = dict(claimed)
        for named, instances in zip(columns, rows, strict=True):
            for place, field, plain in named:
                prepared = [field.pre_save(instance, True) for instance in instances]
                if any(value.__class__ not in plain for value in prepared):
                    prepared = [field.get_db_prep_save(value, own) for value in prepared]
                values[place] = prepared
        (answer,) = statement.rows(**values)
        if answer[0] is not None:
            for instances in rows:
                for instance in instances:
                    instance._state.adding = False
                    instance._state.db = own.alias
        return answer

    def _compile(self) -> tuple[Prepared, list[list[Column]]]:
        queries, types = [self._claim.body], dict(self._claim.types)
        columns = []
        for number, part in enumerate(self._parts):
            named = [
                Column(f"part{number}_{field.column}", field, PLAIN.get(type(field), frozenset()))
                for field in _written(part)
            ]
            types |= {place: f"{type_of(field)}[]" for place, field, _ in named}
            names = ", ".join(f'"{field.column}"' for _, field, _ in named)
            row = ", ".join(f'row."{field.column}"' for _, field, _ in named)
            places = ", ".join(f"%({place})s" for place, _, _ in named)
            queries.append(
                f'part{number} AS (INSERT INTO "{part.model._meta.db_table}" ({names}) '  # noqa: S608 - names of our models
                f"SELECT {row} FROM claimed, unnest({places}) AS row ({names}))"
            )
            columns.append(named)
        text = f"WITH {', '.join(queries)} {self._claim.answer}"
        return Prepared(self._name, text, **types), columns


def _written(part: Part) -> Iterable[Any]:
    """The columns that a row brings; the others are the database's own."""
    for field in part.model._meta.concrete_fields:
        if type_of(field).endswith("[]"):
            raise ValueError(f"{field} is an array, and arrays of arrays do not come apart into rows")
        is_own = field.generated or field.has_db_default() or (field.primary_key and not part.is_keyed)
        if not is_own:
            yield field
