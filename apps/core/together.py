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

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from operator import attrgetter
from typing import Any, NamedTuple

from django.contrib.postgres.fields import DateTimeRangeField
from django.db import DEFAULT_DB_ALIAS, connections, models
from psycopg2.extras import DateTimeTZRange

from apps.core.db import end_with_it, require_transaction
from apps.core.prepared import Prepared, literal, type_of

# Behind a COMMIT nothing can be asked that might fail. The answer is noted in the session before, where a statement that
# plans and locks nothing finds it.
NOTE = "holdfast.answer"
NOTED = f"SELECT set_config('{NOTE}', row_to_json(answer)::text, false) FROM ({{answer}}) AS answer"  # noqa: S608 - a name of ours
# In the place of a form: the field itself prepares the value.
UNKNOWN: Any = object()


class Forms(dict[type[Any], Callable[[Any], Any] | None]):
    """How values of these classes are sent to a column; None: as they are. What is not here is the field's to prepare."""

    def __missing__(self, kind: type[Any]) -> Callable[[Any], Any] | None:
        # Members of enumerations, that is: as the text that they are.
        return str.__str__ if str in self and issubclass(kind, str) else UNKNOWN


def _instant(value: datetime) -> str:
    # What has no zone is as wrong here as anywhere; the type of the place would take it for UTC.
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.isoformat()


def _period(value: DateTimeTZRange) -> Any:
    if value.lower is None or value.upper is None or value._bounds != "[)":
        return value
    return f"[{_instant(value.lower)},{_instant(value.upper)})"


NUMBERS = Forms({int: None, type(None): None})
TEXTS = Forms({str: None, type(None): None})
# By the exact class of the field: one that is derived of it may prepare its values in another way.
FORMS: dict[type[Any], Forms] = {
    models.BigAutoField: NUMBERS,
    models.BigIntegerField: NUMBERS,
    models.BooleanField: Forms({bool: None, type(None): None}),
    models.CharField: TEXTS,
    models.DateField: Forms({date: date.isoformat, type(None): None}),
    models.DateTimeField: Forms({datetime: _instant, type(None): None}),
    DateTimeRangeField: Forms({DateTimeTZRange: _period, type(None): None}),
    models.EmailField: TEXTS,
    models.ForeignKey: NUMBERS,
    models.OneToOneField: NUMBERS,
    models.PositiveIntegerField: NUMBERS,
    models.PositiveSmallIntegerField: NUMBERS,
    models.TextField: TEXTS,
}


class Column(NamedTuple):
    """A place of the statement, the field that fills it, how its value is taken of a row, and how it is sent."""

    place: str
    field: Any
    value_of: Callable[[Any], Any]
    forms: Forms


class Rows(Enum):
    """How many rows a part has. The fewer there may be, the less there is to say of them."""

    ANY = "any"
    AT_MOST_ONE = "at most one"
    ONE = "one"


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
    rows: Rows = Rows.ANY
    untouched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What a part is in the statement. `given` is the place that says whether there is the row of `Rows.AT_MOST_ONE`."""

    query: str
    types: dict[str, str]
    columns: list[Column]
    constants: list[tuple[str, Any]]
    given: str


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
        has been committed when it returns. Raises IntegrityError for rows that the tables refuse, ValueError for more or fewer
        than a part has, and where something is not untouched.
        """
        require_transaction()
        if self._compiled is None:
            self._compiled = self._compile()
        statement, ending, compiled = self._compiled
        # Asked for each value: the proxy would look up whose connection it is each time.
        own = connections[DEFAULT_DB_ALIAS]
        values = dict(claimed)
        for part, known, instances in zip(self._parts, compiled, rows, strict=True):
            for name, constant in known.constants:
                for instance in instances:
                    if getattr(instance, name) != constant:
                        raise ValueError(f"{name} of a {part.model.__name__} is not {constant!r}")
            if part.rows is Rows.ANY:
                for place, field, value_of, forms in known.columns:
                    values[place] = [_sent(value_of(each), forms, field, own) for each in instances]
            elif len(instances) == 1:
                instance = instances[0]
                for place, field, value_of, forms in known.columns:
                    value = value_of(instance)
                    # Most is sent as it is, and a call would take longer than to see that.
                    values[place] = value if forms[value.__class__] is None else _sent(value, forms, field, own)
            elif part.rows is Rows.AT_MOST_ONE and not instances:
                values |= dict.fromkeys(known.types)
            else:
                raise ValueError(f"{part.rows.value} {part.model.__name__} is written, not {len(instances)}")
            if known.given:
                values[known.given] = bool(instances)
        if ends_unit:
            end_with_it()
            ((said,),) = ending.rows(**values)
            answer = tuple(value for _, value in json.loads(said, object_pairs_hook=list))
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
        types = dict(self._claim.types)
        for part in parts:
            types |= part.types
        body = f"WITH {', '.join([self._claim.body, *(part.query for part in parts)])}"
        whole = Prepared(self._name, f"{body} {self._claim.answer}", **types)
        ending = Prepared(f"{self._name}_at_last", f"{body} {NOTED.format(answer=self._claim.answer)}", **types)
        return whole, ending.ending_with(f"SHOW {NOTE}"), parts


def _sent(value: Any, forms: Forms, field: Any, own: Any) -> Any:
    """The value as it is sent for the field."""
    form = forms[value.__class__]
    if form is None:
        return value
    return field.get_db_prep_save(value, own) if form is UNKNOWN else form(value)


def _compile_part(title: str, part: Part) -> _Compiled:
    fields = {field.name: field for field in _written(part)}
    columns, constants, names, values = [], [], [], []
    types = {}
    for name, field in fields.items():
        names.append(f'"{field.column}"')
        if name in part.untouched:
            constant = field.get_default()
            constants.append((field.attname, constant))
            prepared = literal(field.get_db_prep_save(constant, connections[DEFAULT_DB_ALIAS]))
            values.append(f"CAST({prepared} AS {type_of(field)})")
            continue
        column = Column(f"{title}_{field.column}", field, _reading(field), FORMS.get(type(field), Forms()))
        columns.append(column)
        types[column.place] = type_of(field) if part.rows is not Rows.ANY else f"{type_of(field)}[]"
        values.append(f'row."{field.column}"' if part.rows is Rows.ANY else f"%({column.place})s")
    unknown = set(part.untouched) - fields.keys()
    if unknown:
        raise ValueError(f"{part.model.__name__} writes no {', '.join(sorted(unknown))}")
    source, given = "claimed", ""
    if part.rows is Rows.ANY:
        places = ", ".join(f"%({column.place})s" for column in columns)
        source += (
            f", unnest({places}) AS row ({', '.join(f'{chr(34)}{column.field.column}{chr(34)}' for column in columns)})"
        )
    elif part.rows is Rows.AT_MOST_ONE:
        given = f"{title}_is_given"
        types[given] = "boolean"
        source += f" WHERE %({given})s"
    table = part.model._meta.db_table
    query = f'{title} AS (INSERT INTO "{table}" ({", ".join(names)}) SELECT {", ".join(values)} FROM {source})'  # noqa: S608 - names of our models
    return _Compiled(query, types, columns, constants, given)


def _reading(field: Any) -> Callable[[Any], Any]:
    """How the value of the field is taken of a row that is new."""
    is_dated = isinstance(field, models.DateField) and not (field.auto_now or field.auto_now_add)
    if is_dated or type(field).pre_save is models.Field.pre_save:
        return attrgetter(field.attname)
    return lambda instance: field.pre_save(instance, True)


def _written(part: Part) -> Iterable[Any]:
    """The columns that a row brings; the others are the database's own."""
    for field in part.model._meta.concrete_fields:
        if type_of(field).endswith("[]"):
            raise ValueError(f"{field} is an array, and arrays of arrays do not come apart into rows")
        is_own = field.generated or field.has_db_default() or (field.primary_key and not part.is_keyed)
        if not is_own:
            yield field
