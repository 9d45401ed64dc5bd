"""Which columns the rows of a list are read with: those that the fields asked for below it show.

    SETS = ColumnSets(lambda: {"title": ("title",), "host": ("host__id",), "displayName": ("host__first_name",)}, relation="host")
    SETS.below(info)                    ("title",) where nothing but titles is asked for

What is told is by the name of a field, wherever below the list the name stands: what other types call alike only has more read
than is needed. Where a name stands that it does not tell of, everything is read that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from apps.core.columns import EVERYTHING, Columns
from schema.core.selections import asked_below

# Each different set of columns is a statement of its own: clients have few.
MOST_SETS = 32


class ColumnSets:
    """The sets of columns that a list is read with, `most` at most. `told` says by the name of a field what it is shown from.

    Of the rows of `relation`, read beside each, nothing is read where the field of that name is not asked for.
    """

    def __init__(self, told: Callable[[], Mapping[str, Columns]], *, relation: str) -> None:
        self.most = MOST_SETS
        self.sets: set[Columns] = set()
        self._told = told
        self._relation = relation
        self.of = lru_cache(maxsize=512)(self._of)

    def below(self, info: Any) -> Columns:
        """What has to be read of each row for the fields that are asked for below the one that is resolved."""
        return self.of(asked_below(info))

    def forget(self) -> None:
        """Begin with no sets."""
        self.sets.clear()
        self.of.cache_clear()

    def _of(self, names: frozenset[str]) -> Columns:
        needed: set[str] = set()
        known = self._told()
        for name in names:
            columns = known.get(name)
            if columns is None:
                return EVERYTHING
            needed.update(columns)
        if self._relation not in names:
            needed = {column for column in needed if not column.startswith(f"{self._relation}__")}
        return self._one_of_few(tuple(sorted(needed)))

    def _one_of_few(self, columns: Columns) -> Columns:
        """The columns, or more, so that there never are more than so many sets of them."""
        if columns in self.sets or len(self.sets) < self.most:
            self.sets.add(columns)
            return columns
        wider = [each for each in self.sets if set(columns) <= set(each)]
        return min(wider, key=len, default=EVERYTHING)
