"""Inserts into several tables by one statement: all of their rows, or none where the first of them finds no place.

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

What one transaction adds to several tables needs no round trip for each of them. The tables' columns are those of the models, so
that a column which a model gets is written by itself. The rows of a part are sent as one JSON text: to send each value by itself
takes the driver longer than all the rest, and PostgreSQL as long as to read the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any

import orjson
from django.contrib.postgres.fields import DateTimeRangeField
from django.db import DEFAULT_DB_ALIAS, connections, models
from psycopg2.extras import DateTimeTZRange, Json, Range

from apps.core.compiling import literal, type_of
from apps.core.db import end_with_it, require_transaction
from apps.core.postgres.own import own_connection
from apps.core.prepared import Prepared

# Behind a COMMIT nothing can be asked that might fail. The answer is noted in the session before, where a statement that
# plans and locks nothing finds it.
NOTE = "holdfast.answer"
NOTED = f"SELECT set_config('{NOTE}', row_to_json(answer)::text, false) FROM ({{answer}}) AS answer"  # noqa: S608 - a name of ours
# Column by column, for two may have one name.
ANSWER = json.JSONDecoder(object_pairs_hook=list)
# The name of a column, and what its value is put down as.
Change = tuple[str, Callable[[Any], Any]]
# In the place of a form: the field itself prepares the value.
UNKNOWN: Any = object()


class Forms(dict[type[Any], Callable[[Any], Any] | None]):
    """What is put into the text for values of these classes; None: they themselves. What is not here is the field's to prepare."""

    def __missing__(self, kind: type[Any]) -> Callable[[Any], Any] | None:
        # Members of enumerations, that is: as the text that they are.
        return str.__str__ if str in self and issubclass(kind, str) else UNKNOWN


def _instant(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    # What has no zone is as wrong here as anywhere; the type of the column would take it for UTC.
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC)


def _period(value: Range) -> str:
    if value.isempty:
        return "empty"
    lower, upper = ("" if end is None else _instant(end).isoformat() for end in (value.lower, value.upper))
    return f"{value._bounds[0]}{lower},{upper}{value._bounds[1]}"


NUMBERS = Forms({int: None, type(None): None})
TEXTS = Forms({str: None, type(None): None})
# By the exact class of the field: one that is derived of it may prepare its values in another way.
FORMS: dict[type[Any], Forms] = {
    models.BigAutoField: NUMBERS,
    models.BigIntegerField: NUMBERS,
    models.BooleanField: Forms({bool: None, type(None): None}),
    models.CharField: TEXTS,
    models.DateField: Forms({date: None, type(None): None}),
    models.DateTimeField: Forms({datetime: _instant, type(None): None}),
    DateTimeRangeField: Forms({DateTimeTZRange: _period, type(None): None}),
    models.DecimalField: Forms({Decimal: str, type(None): None}),
    models.EmailField: TEXTS,
    models.ForeignKey: NUMBERS,
    models.JSONField: Forms({dict: None, list: None, type(None): None}),
    models.OneToOneField: NUMBERS,
    models.PositiveIntegerField: NUMBERS,
    models.PositiveSmallIntegerField: NUMBERS,
    models.TextField: TEXTS,
}


class Columns:
    """The columns that rows of a model bring, and how they are put down."""

    def __init__(self, fields: Sequence[Any]) -> None:
        self.fields = fields
        self._names = [field.column for field in fields]
        self._values_of = _all_of([field.attname for field in fields])
        self._made = [(place, field) for place, field in enumerate(fields) if _is_made(field)]
        # By the classes of a row's values, for those are mostly the same: what is put down in another form, and in which.
        self._changes: dict[tuple[type[Any], ...], list[Change]] = {}

    def text(self, rows: Sequence[models.Model]) -> str:
        """The rows, which are new, as they are sent. Raises ValueError and TypeError for what has no place in a text."""
        return orjson.dumps(
            [self._put_down(row) for row in rows], default=_unwrapped, option=orjson.OPT_NON_STR_KEYS
        ).decode()

    def _put_down(self, row: models.Model) -> dict[str, Any]:
        values = self._values_of(row)
        if self._made:
            fresh = list(values)
            for place, field in self._made:
                fresh[place] = field.pre_save(row, True)
            values = tuple(fresh)
        classes = tuple(map(type, values))
        changes = self._changes.get(classes)
        if changes is None:
            changes = self._changes[classes] = self._changes_of(classes)
        put = dict(zip(self._names, values, strict=True))
        for name, form in changes:
            put[name] = form(put[name])
        return put

    def _changes_of(self, classes: Sequence[type[Any]]) -> list[Change]:
        changes = []
        for field, kind in zip(self.fields, classes, strict=True):
            form = _forms(field)[kind]
            if form is not None:
                changes.append((field.column, partial(_prepared, field) if form is UNKNOWN else form))
        return changes


class Constants:
    """What the columns hold that are said to be untouched, by the attributes of a row: of these nothing is sent."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self._wanted = tuple(values.values())
        self._values_of = _all_of(list(values))

    def check(self, rows: Sequence[models.Model]) -> None:
        """Raises ValueError for a row that holds something else."""
        for row in rows:
            if self._values_of(row) != self._wanted:
                self._refuse(row)

    def _refuse(self, row: models.Model) -> None:
        for name, constant in self._values.items():
            if getattr(row, name) != constant:
                raise ValueError(f"{name} of a {type(row).__name__} is not {constant!r}")


def _all_of(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives these attributes of an object, together."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda row: tuple(getattr(row, name) for name in names)


class Claim:
    """What comes first and decides: the body of a WITH, in which a query called `claimed` finds one row or none.

    `answer` is the whole statement's, one row of numbers and texts; its first column is null where `claimed` has found nothing.
    `types` are those of the places in both.
    """

    def __init__(self, body: str, answer: str, **types: str) -> None:
        self.body = body
        self.answer = answer
        self.types = types


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a model. `is_keyed`: they bring their primary keys with them; else the database makes them.

    `untouched` names fields that are in every row what the model makes of them when nobody says anything: the statement knows
    their value, and nothing is sent.
    """

    model: type[models.Model]
    is_keyed: bool = False
    untouched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What a part is in the statement; `place` is where its rows go."""

    query: str
    place: str
    columns: Columns
    constants: Constants


class Together:
    """The claim, and the rows that are written where it has found something."""

    def __init__(self, name: str, claim: Claim, *parts: Part) -> None:
        self._name = name
        self._claim = claim
        self._parts = parts
        self._compiled: tuple[Prepared, Prepared, list[_Compiled]] | None = None

    def write(
        self, claimed: Mapping[str, Any], *rows: Sequence[models.Model], ends_unit: bool = False
    ) -> tuple[Any, ...]:
        """Write the rows of each part. Returns the claim's answer; where it begins with null nothing was written.

        A step of a transaction; with `ends_unit` it brings the COMMIT of the unit of work with it (see `may_end_with_it`), and
        has been committed when it returns. Raises IntegrityError for rows that the tables refuse, ValueError where something is
        not untouched.
        """
        require_transaction()
        if self._compiled is None:
            self._compiled = self._compile()
        statement, ending, compiled = self._compiled
        own = own_connection()
        values = dict(claimed)
        for known, instances in zip(compiled, rows, strict=True):
            known.constants.check(instances)
            values[known.place] = known.columns.text(instances)
        if ends_unit:
            end_with_it()
            ((said,),) = ending.rows(**values)
            answer = tuple(value for _, value in ANSWER.decode(said))
        else:
            (answer,) = statement.rows(**values)
        if answer[0] is not None:
            for instances in rows:
                for instance in instances:
                    instance._state.adding = False
                    instance._state.db = own.alias
        return answer

    def _compile(self) -> tuple[Prepared, Prepared, list[_Compiled]]:
        parts = [_compile_part(f"part{number}", part) for number, part in enumerate(self._parts)]
        types = {**self._claim.types, **{part.place: "json" for part in parts}}
        body = f"WITH {', '.join([self._claim.body, *(part.query for part in parts)])}"
        whole = Prepared(self._name, f"{body} {self._claim.answer}", **types)
        ending = Prepared(f"{self._name}_at_last", f"{body} {NOTED.format(answer=self._claim.answer)}", **types)
        return whole, ending.ending_with(f"SHOW {NOTE}"), parts


def _prepared(field: Any, value: Any) -> Any:
    return field.get_db_prep_save(value, own_connection())


def _unwrapped(prepared: Any) -> Any:
    """What a field prepared for the driver. Raises TypeError for what has no place in a text."""
    if isinstance(prepared, Decimal):
        return str(prepared)
    if isinstance(prepared, Range):
        return _period(prepared)
    if isinstance(prepared, Json):
        return json.loads(prepared.dumps(prepared.adapted))
    raise TypeError(f"a {type(prepared).__name__} cannot be sent")


def _compile_part(title: str, part: Part) -> _Compiled:
    fields = {field.name: field for field in _written(part)}
    constants: dict[str, Any] = {}
    brought, names, values, given = [], [], [], []
    for name, field in fields.items():
        names.append(f'"{field.column}"')
        if name in part.untouched:
            constant = field.get_default()
            constants[field.attname] = constant
            prepared = literal(field.get_db_prep_save(constant, connections[DEFAULT_DB_ALIAS]))
            values.append(f"CAST({prepared} AS {type_of(field)})")
            continue
        brought.append(field)
        values.append(f'row."{field.column}"')
        given.append(f'"{field.column}" {type_of(field)}')
    unknown = set(part.untouched) - fields.keys()
    if unknown:
        raise ValueError(f"{part.model.__name__} writes no {', '.join(sorted(unknown))}")
    table, place = part.model._meta.db_table, f"{title}_rows"
    query = f"""{title} AS (
        INSERT INTO "{table}" ({", ".join(names)})
        SELECT {", ".join(values)} FROM claimed, json_to_recordset(%({place})s) AS row ({", ".join(given)})
    )"""  # noqa: S608 - names of our models
    return _Compiled(query, place, Columns(brought), Constants(constants))


def _forms(field: Any) -> Forms:
    # One that has an encoder makes of its values what that makes of them.
    return Forms() if getattr(field, "encoder", None) else FORMS.get(type(field), Forms())


def _is_made(field: Any) -> bool:
    """Whether the field makes its value when a row is written."""
    if isinstance(field, models.DateField):
        return bool(field.auto_now or field.auto_now_add)
    return type(field).pre_save is not models.Field.pre_save


def _written(part: Part) -> Iterable[Any]:
    """The columns that a row brings; the others are the database's own."""
    for field in part.model._meta.concrete_fields:
        is_own = field.generated or field.has_db_default() or (field.primary_key and not part.is_keyed)
        if not is_own:
            yield field
