"""Nested reads: rows that come along with those of another read, in its statement, since a round trip is most of a small answer.

    reviews = SHOWN.along(limit=10, by="pk")
    rows = read_along(LISTINGS, Sight.ANYBODY, None, along=[reviews], ids=[4], viewer_id=None)
    reviews.found                                               {4: [the eleven newest reviews of listing 4]}

Of each row it brings those whose place has the value of the row's attribute `by`, as the declaration orders them and at most
`limit`. They are collected into JSON, a list for each, and made into the same rows as the read itself makes.

It is for what is known to be asked for. Where nothing came (`found` is None) the read is asked by itself: with
COMPILED_READS=off, and when so many mixtures are prepared already that further ones would be a burden on each connection.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.db.models import Field

from apps.core.compiling import Text, type_of
from apps.core.prepared import PLACE, Prepared
from apps.core.reads import LIMIT, Parent, Read, Reader
from apps.core.rows import Layout, decoded, key_name, reader

Found = TypeVar("Found")

# Each is kept as a plan by each connection: see `apps.core.shapes`.
MOST_PREPARED = 128
# PostgreSQL gives a function no more arguments.
MOST_COLUMNS = 100

# What JSON says of a value of each type in PostgreSQL's own words, and how it becomes what the driver would have given. Of what
# JSON has no sort of its own, the text is told.
PLAIN = frozenset({"bigint", "integer", "smallint", "boolean", "varchar", "text", "varchar[]", "text[]", "bigint[]"})
DECODERS: dict[str, Callable[[Any], Any]] = {
    "timestamp with time zone": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    # A whole number comes without its point.
    "double precision": float,
}
AS_TEXT: dict[str, Callable[[Any], Any]] = {"numeric": Decimal, "jsonb": str}


class Along:
    """A read that is to come along with another one, and afterwards what it brought, by the value of `by`.

    `place` is that of its values which the parent's row has.
    """

    __slots__ = ("by", "found", "key", "limit", "place", "read", "shape", "values")

    def __init__(
        self, read: Read[Any], *shape: Hashable, by: str, place: str, limit: int | None = None, **values: Any
    ) -> None:
        self.read = read
        self.shape = shape
        self.by = by
        self.place = place
        self.limit = limit
        self.values = values if limit is None else {**values, LIMIT: limit}
        self.key = (read, shape, by, place, limit is not None)
        self.found: dict[Any, list[Any]] | None = None


def read_along(
    read: Read[Found], *shape: Hashable, along: Sequence[Along], limit: int | None = None, **values: Any
) -> list[Found]:
    """The rows of the read, as `Read.rows` gives them; what comes along with them is `found` in each of `along` then."""
    if not along or not settings.COMPILED_READS:
        return read.rows(*shape, limit=limit, **values)
    is_one = all(len(value) == 1 for value in values.values() if isinstance(value, list))
    key = (read, shape, limit is not None, is_one, *(each.key for each in along))
    both = _compiled.get(key)
    if both is None:
        if len(_compiled) >= MOST_PREPARED:
            return read.rows(*shape, limit=limit, **values)
        both = _compiled[key] = _Both(read, shape, along, is_limited=limit is not None, is_one=is_one)
    if limit is not None:
        values[LIMIT] = limit
    return both.read(along, values)


class _Both:
    """The statement of a read with others along."""

    __slots__ = ("_bys", "_children", "_names", "_read", "_statement", "_width")

    def __init__(
        self, read: Read[Any], shape: tuple[Hashable, ...], along: Sequence[Along], *, is_limited: bool, is_one: bool
    ) -> None:
        text = read.text(shape, is_limited=is_limited, is_one=is_one)
        assert text.layout is not None, "what others come along with are rows of a model"
        places = dict(text.layout.columns)
        types = dict(text.types)
        self._width = len(text.fields)
        self._bys = [places[key_name(text.layout.model) if each.by == "pk" else each.by] for each in along]
        self._names: list[list[tuple[str, str]]] = []
        self._children: list[Reader] = []
        parts = []
        for number, (each, by) in enumerate(zip(along, self._bys, strict=True)):
            of = {each.place: Parent(f"c{by}")}
            own = each.read.text(each.shape, is_limited=each.limit is not None, of=of)
            # Two that come along may have places of one name.
            self._names.append([(name, f"{name}_{number}") for name in own.types])
            types |= {renamed: own.types[name] for name, renamed in self._names[-1]}
            parts.append(_collected(own, number))
            self._children.append(_reader_of(own))
        columns = ", ".join(f"c{index}" for index in range(self._width))
        sql = f"SELECT parent.*, {', '.join(parts)} FROM ({text.sql}) AS parent ({columns})"  # noqa: S608 - our own words
        self._read = reader(text.layout, self._width + len(along))
        self._statement = Prepared("_with_".join([read.name, *(each.read.name for each in along)]), sql, **types)

    def read(self, along: Sequence[Along], values: dict[str, Any]) -> list[Any]:
        for each, names in zip(along, self._names, strict=True):
            for name, renamed in names:
                values[renamed] = each.values[name]
        rows = self._statement.rows(**values)
        for index, (each, by, read) in enumerate(zip(along, self._bys, self._children, strict=True), self._width):
            each.found = {row[by]: [] if row[index] is None else read(orjson.loads(row[index])) for row in rows}
        return self._read(rows)


_compiled: dict[Hashable, _Both] = {}


def _collected(own: Text, number: int) -> str:
    """The rows of a read as one JSON list of lists; null where there are none."""
    if len(own.fields) > MOST_COLUMNS:
        raise ValueError(f"Rows of {len(own.fields)} columns cannot come along: {MOST_COLUMNS} is the most.")
    columns = [f"c{index}" for index in range(len(own.fields))]
    told = [
        f"{column}::text" if type_of(field) in AS_TEXT else column
        for column, field in zip(columns, own.fields, strict=True)
    ]
    text = PLACE.sub(lambda found: f"%({found[1]}_{number})s", own.sql)
    # As text, so that the driver does not read it in its own way.
    return f"(SELECT json_agg(json_build_array({', '.join(told)})) FROM ({text}) AS found ({', '.join(columns)}))::text"  # noqa: S608 - our own words


def _reader_of(own: Text) -> Reader:
    """What makes of those lists what the read makes of the driver's tuples."""
    decoders = {index: decoder for index, field in enumerate(own.fields) if (decoder := _decoder(field)) is not None}
    if own.layout is not None:
        return reader(_decoding(own.layout, decoders), len(own.fields))
    names: dict[str, Any] = {}
    values = [f"v{index}" for index in range(len(own.fields))]
    made = [decoded(index, decoders, names) for index in range(len(own.fields))]
    exec(f"def read(found):\n    return [({', '.join(made)},) for {', '.join(values)}, in found]\n", names)  # noqa: S102 - numbers
    read: Reader = names["read"]
    return read


def _decoding(layout: Layout, decoders: dict[int, Callable[[Any], Any]]) -> Layout:
    relations = [(name, _decoding(inner, decoders)) for name, inner in layout.relations]
    return Layout(layout.model, layout.columns, layout.ranges, relations, layout.converters, decoders)


def _decoder(field: Field[Any, Any]) -> Callable[[Any], Any] | None:
    """Raises TypeError for a column of whose type it is not known how JSON says it."""
    type_ = type_of(field)
    if type_ in PLAIN:
        return None
    decoder = DECODERS.get(type_) or AS_TEXT.get(type_)
    if decoder is None:
        raise TypeError(f"A {type_} cannot come along.")
    return None if decoder is str else decoder
