"""Pages of a query set by keyset: the next page begins after the key of the last row, never at an OFFSET.

    slice_ = read_slice(Review.objects.filter(listing=listing), keys("-created_at", "-id"), limit=20)
    slice_.rows, slice_.has_more
    read_slice(..., after=key_of(slice_.rows[-1], keys("-created_at", "-id")), limit=20)

A key is a field or annotation of the row, `-` for descending. The last key must be unique, or rows would be lost
between pages. Nulls come last in either direction: say `Key("rating", descending=True, nullable=True)`. A computed key
must be float8, not float4: what PostgreSQL prints of a float4 is not what it compares with.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from operator import attrgetter
from typing import Any, Generic, TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, Model, Q, QuerySet, Value, Window
from django.db.models.expressions import OrderBy
from django.db.models.functions import RowNumber
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an order."""

    name: str
    descending: bool = False
    nullable: bool = False

    def order(self, *, backwards: bool) -> OrderBy:
        """The ORDER BY term; backwards it is the exact reverse, so nulls come first there."""
        descending = self.descending != backwards
        nulls: dict[str, bool] = {}
        if self.nullable:
            nulls = {"nulls_first": True} if backwards else {"nulls_last": True}
        expression = F(self.name)
        return expression.desc(**nulls) if descending else expression.asc(**nulls)

    def term(self, *, backwards: bool) -> str:
        """The same in SQL, for a table with a column of the key's name."""
        falling = self.descending != backwards
        nulls = (" NULLS FIRST" if backwards else " NULLS LAST") if self.nullable else ""
        return f'"{self.name}" {"DESC" if falling else "ASC"}{nulls}'

    def equal(self, value: Any) -> Q:
        return Q(**{f"{self.name}__isnull": True}) if value is None else Q(**{self.name: value})

    def beyond(self, value: Any, *, backwards: bool) -> Q | None:
        """Rows whose key comes strictly after the value in the direction of travel; None when there can be none."""
        if value is None:
            # Nulls are the end of the order: after them nothing, before them everything else.
            return Q(**{f"{self.name}__isnull": False}) if backwards else None
        found = Q(**{f"{self.name}__{'lt' if self.descending != backwards else 'gt'}": value})
        return found | Q(**{f"{self.name}__isnull": True}) if self.nullable and not backwards else found


def keys(*names: str) -> tuple[Key, ...]:
    """Keys that are never null, from names as `order_by` takes them."""
    return tuple(Key(name.removeprefix("-"), descending=name.startswith("-")) for name in names)


def key_of(row: Any, order: Sequence[Key]) -> tuple[Any, ...]:
    """The row's place in the order. A name may follow relations with `__`."""
    return key_reader(order)(row)


def key_reader(order: Sequence[Key]) -> Callable[[Any], tuple[Any, ...]]:
    """`key_of` for many rows of one order."""
    read = attrgetter(*(key.name.replace("__", ".") for key in order))
    # Of one name it gives the value itself.
    return read if len(order) > 1 else lambda row: (read(row),)


def _value(row: Any, name: str) -> Any:
    for part in name.split("__"):
        row = getattr(row, part)
    return row


class RowBeyond(Func):
    """Whether the keys, taken as one row, come after the place or before it: what an index over them begins at."""

    output_field = BooleanField()

    def __init__(self, names: Sequence[str], place: Sequence[Any], *, falling: bool) -> None:
        values = (each if hasattr(each, "resolve_expression") else Value(each) for each in place)
        super().__init__(*(F(name) for name in names), *values)
        self.falling = falling

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_: Any, **__: Any) -> tuple[str, Any]:
        parts = [compiler.compile(source) for source in self.get_source_expressions()]
        half = len(parts) // 2
        left, right = (", ".join(sql for sql, _ in side) for side in (parts[:half], parts[half:]))
        return f"({left}) {'<' if self.falling else '>'} ({right})", [each for _, own in parts for each in own]

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, self.falling)


def _runs(order: Sequence[Key]) -> list[list[Key]]:
    """The keys in groups that one comparison of rows can answer: of one direction, none of them nullable."""
    numbered = groupby(enumerate(order), lambda item: (item[1].descending, item[0] if item[1].nullable else -1))
    return [[key for _, key in group] for _, group in numbered]


def beyond(order: Sequence[Key], place: Sequence[Any], *, backwards: bool = False) -> Q:
    """The condition of rows strictly after the place, or before it when backwards."""
    if len(order) != len(place):
        raise ValueError("A place has one value for each key.")
    condition = Q()
    same = Q()
    runs = _runs(order)
    at = 0
    for run in runs:
        values = place[at : at + len(run)]
        at += len(run)
        further: Q | None
        if len(run) == 1:
            further = run[0].beyond(values[0], backwards=backwards)
        else:
            further = Q(RowBeyond([key.name for key in run], values, falling=run[0].descending != backwards))
        if further is not None:
            condition |= same & further
        for key, value in zip(run, values, strict=True):
            same &= key.equal(value)
    if not condition:
        return Q(pk__in=())
    first, value = order[0], place[0]
    if len(runs) > 1 and not first.nullable and value is not None:
        # Says nothing new, but an index range scan starts from it where it cannot from the alternatives.
        condition &= Q(**{f"{first.name}__{'lte' if first.descending != backwards else 'gte'}": value})
    return condition


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """Rows in the order asked for. `has_more` tells whether there are further rows in the direction of travel."""

    rows: list[Row]
    has_more: bool


def read_slice(
    rows: QuerySet[Row],
    order: Sequence[Key],
    *,
    limit: int,
    place: Sequence[Any] | None = None,
    backwards: bool = False,
    first_of: Callable[[QuerySet[Row], int], list[Any]] | None = None,
) -> Slice[Row]:
    """At most `limit` rows after the place; backwards those before it, the nearest. One query, of one row more than the
    limit; after a place in an order of several directions it may be two.

    `first_of` reads that many rows of a query set in its order, where slicing it is not how to do so.
    """
    first_of = first_of or _first_of
    rows_in_order = rows.order_by(*(key.order(backwards=backwards) for key in order))
    if place is None:
        return slice_of(first_of(rows_in_order, limit + 1), limit, backwards)
    found: list[Any] = []
    for stretch in stretches(order):
        if len(found) <= limit:
            condition = beyond_in(stretch, order, place, backwards=backwards)
            found += first_of(rows_in_order.filter(condition), limit + 1 - len(found))
    return slice_of(found, limit, backwards)


class Stretch(Enum):
    """A part of what lies after a place, itself in order."""

    ALL = "all of it"
    HERE = "what has the first keys of the place"
    FURTHER = "what comes after those keys"


def stretches(order: Sequence[Key]) -> tuple[Stretch, ...]:
    """In which parts the rows after a place are read, one after the other.

    Apart, either begins in an index at its first row; together, one would read all that has the first keys in common.
    """
    head = _runs(order)[0]
    if len(head) == len(order) or any(key.nullable for key in head):
        return (Stretch.ALL,)
    return (Stretch.HERE, Stretch.FURTHER)


def beyond_in(stretch: Stretch, order: Sequence[Key], place: Sequence[Any], *, backwards: bool) -> Q:
    """The condition of rows of that part."""
    if stretch is Stretch.ALL:
        return beyond(order, place, backwards=backwards)
    head = _runs(order)[0]
    if stretch is Stretch.FURTHER:
        return beyond(head, place[: len(head)], backwards=backwards)
    here = Q()
    for key, value in zip(head, place, strict=False):
        here &= key.equal(value)
    return here & beyond(order[len(head) :], place[len(head) :], backwards=backwards)


def _first_of(rows: QuerySet[Row], count: int) -> list[Any]:
    return list(rows[:count])


def slice_of(found: list[Row], limit: int, backwards: bool) -> Slice[Row]:
    kept = found[:limit]
    if backwards:
        kept.reverse()
    return Slice(kept, len(found) > limit)


def exists_beyond(
    rows: QuerySet[Row], order: Sequence[Key], place: Sequence[Any], *, backwards: bool, including: bool = False
) -> bool:
    """Whether a row lies after the place (before it when backwards), with `including` also at it."""
    return rows.filter(from_on(order, place, backwards=backwards, including=including)).order_by().exists()


def from_on(order: Sequence[Key], place: Sequence[Any], *, backwards: bool, including: bool) -> Q:
    """The condition of rows after the place (before it when backwards), with `including` also of the one at it."""
    condition = beyond(order, place, backwards=backwards)
    if including:
        here = Q()
        for key, value in zip(order, place, strict=True):
            here &= key.equal(value)
        condition |= here
    return condition


def read_slices(
    rows: QuerySet[Row],
    order: Sequence[Key],
    *,
    parent: str,
    parents: Iterable[Any],
    limit: int,
    place: Sequence[Any] | None = None,
    backwards: bool = False,
) -> dict[Any, Slice[Row]]:
    """The same slice for each of many parents, in one query. `parent` is the column that names a row's parent."""
    wanted = list(parents)
    rows = rows.filter(**{f"{parent}__in": wanted})
    if place is not None:
        rows = rows.filter(beyond(order, place, backwards=backwards))
    terms = [key.order(backwards=backwards) for key in order]
    numbered = rows.annotate(keyset_number=Window(RowNumber(), partition_by=[F(parent)], order_by=terms)).filter(
        keyset_number__lte=limit + 1
    )
    found: dict[Any, list[Row]] = {each: [] for each in wanted}
    for row in numbered.order_by(F(parent), F("keyset_number")):
        found[_value(row, parent)].append(row)
    return {each: slice_of(its, limit, backwards) for each, its in found.items()}
