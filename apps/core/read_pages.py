"""Keyset pages of compiled reads: of one list, or of the lists of many parents in one statement.

    def _reviews() -> QuerySet[Review]:
        return Review.objects.filter(hidden_at=None)

    REVIEWS = ReadPages(_reviews, keys("-created_at", "-id"), (INSTANT, INTEGER), parent="listing_id")

    REVIEWS.slices([1, 2], limit=10)            the ten newest of each
    REVIEWS.along(limit=10)                     the same for whatever listing it comes along with (`apps.core.along`)

What a page is, and which order it may have, is said in `apps.core.keyset`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db.models import Model, QuerySet

from apps.core.along import Along, read_along
from apps.core.keyset import Key, Slice, beyond, read_slices, slice_of
from apps.core.reads import Read, Type

Row = TypeVar("Row", bound=Model)


class ReadPages(Generic[Row]):
    """Pages of what a function declares, in an order whose keys have these types and are never null.

    The declaration takes a shape and the places of values, as that of Read does, and gives the rows of all parents in no
    order yet. `parent` is the attribute that names a row's parent.
    """

    def __init__(
        self,
        declare: Callable[..., QuerySet[Row]],
        order: Sequence[Key],
        key_types: Sequence[Type],
        *,
        parent: str = "",
        **types: Type,
    ) -> None:
        self.parent = parent
        self.order = tuple(order)
        self._declare = declare
        self._places = [f"place_{index}" for index in range(len(self.order))]
        places = dict(zip(self._places, key_types, strict=True))
        # By whether the page begins at a place: what it does not have needs no value.
        self._reads: dict[bool, Read[Row]] = {
            False: Read(self._whole, **types),
            True: Read(self._beyond, **types, **places),
        }

    def _whole(self, backwards: bool, *shape: Hashable, parent: Any = None, **values: Any) -> QuerySet[Row]:
        return self._ordered(self._declare(*shape, **values), backwards, parent)

    def _beyond(self, backwards: bool, *shape: Hashable, parent: Any = None, **values: Any) -> QuerySet[Row]:
        place = [values.pop(name) for name in self._places]
        rows = self._declare(*shape, **values).filter(beyond(self.order, place, backwards=backwards))
        return self._ordered(rows, backwards, parent)

    def _ordered(self, rows: QuerySet[Row], backwards: bool, parent: Any) -> QuerySet[Row]:
        if parent is not None:
            rows = rows.filter(**{self.parent: parent})
        return rows.order_by(*(key.order(backwards=backwards) for key in self.order))

    def query_set(self, *shape: Hashable, **values: Any) -> QuerySet[Row]:
        """The whole list in the plain way, for what is to be asked of it besides: how many, whether there is more."""
        return self._reads[False].query_set(False, *shape, **values).order_by()

    def slice(
        self,
        *shape: Hashable,
        limit: int,
        place: Sequence[Any] | None = None,
        backwards: bool = False,
        along: Sequence[Along] = (),
        **values: Any,
    ) -> Slice[Row]:
        """At most `limit` rows after the place; backwards those before it, the nearest. One statement, with all of `along`."""
        read = self._reads[place is not None]
        placed = self._placed(place)
        found = read_along(read, backwards, *shape, along=along, limit=limit + 1, **placed, **values)
        return slice_of(found, limit, backwards)

    def along(self, *shape: Hashable, limit: int, by: str = "pk", **values: Any) -> Along:
        """The first of each parent's rows, to come along with the parent. `first_slices` are what came."""
        return Along(self._reads[False], False, *shape, by=by, place="parent", limit=limit + 1, **values)

    def slices(
        self,
        parents: Iterable[int],
        *shape: Hashable,
        limit: int,
        place: Sequence[Any] | None = None,
        backwards: bool = False,
        **values: Any,
    ) -> dict[int, Slice[Row]]:
        """The same for each of the parents, in one statement."""
        wanted = list(dict.fromkeys(parents))
        if not settings.COMPILED_READS:
            return read_slices(
                self.query_set(*shape, **values),
                self.order,
                parent=self.parent,
                parents=wanted,
                limit=limit,
                place=place,
                backwards=backwards,
            )
        placed = self._placed(place)
        read = self._reads[place is not None]
        by_parent: dict[int, list[Row]] = {each: [] for each in wanted}
        for row in read.rows_of(wanted, backwards, *shape, limit=limit + 1, **placed, **values):
            by_parent[getattr(row, self.parent)].append(row)
        # A join promises no order, even if it keeps that of its parts.
        for rows in by_parent.values():
            for key in reversed(self.order):
                rows.sort(key=attrgetter(key.name), reverse=key.descending != backwards)
        return {each: slice_of(rows, limit, backwards) for each, rows in by_parent.items()}

    @staticmethod
    def first_slices(found: dict[int, list[Row]], *, limit: int) -> dict[int, Slice[Row]]:
        """As `slices`, of what came along with the parents."""
        return {parent: slice_of(rows, limit, False) for parent, rows in found.items()}

    def _placed(self, place: Sequence[Any] | None) -> dict[str, Any]:
        return {} if place is None else dict(zip(self._places, place, strict=True))
