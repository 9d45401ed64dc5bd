"""Which map sections hold a place: asked for each event, so it must not look at every section there is.

The map is cut into square tiles on levels from 0, a tile of 360 degrees, downwards; each level halves the side. A section
is filed under the few tiles that cover it on the finest level where a few do. A place lies in one tile of each level, so
that finding the sections around it is a handful of look-ups, and only the sections nearby are compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import floor
from typing import Generic, TypeVar

from apps.listings.search import Box

LEVELS = 16
MOST_TILES = 16
WORLD = 360.0

Item = TypeVar("Item")
Tile = tuple[int, int, int]


def holds(box: Box, latitude: float, longitude: float) -> bool:
    """Whether the place is in the section or on its rim. Longitudes -180 and 180 are the same meridian."""
    if not box.south <= latitude <= box.north:
        return False
    return any(
        box.west <= each <= box.east if box.west <= box.east else each >= box.west or each <= box.east
        for each in ({longitude, -longitude} if abs(longitude) == WORLD / 2 else {longitude})
    )


def _spans(box: Box) -> list[tuple[float, float]]:
    """The section's longitudes, split where it crosses the antimeridian and widened to both names of that meridian."""
    half = WORLD / 2
    if box.west > box.east:
        return [(box.west, half), (-half, box.east)]
    spans = [(box.west, box.east)]
    if box.west == -half:
        spans.append((half, half))
    if box.east == half:
        spans.append((-half, -half))
    return spans


def _tile(level: int, latitude: float, longitude: float) -> Tile:
    side = WORLD / (1 << level)
    return level, floor(latitude / side), floor(longitude / side)


def tiles_of(box: Box) -> list[Tile]:
    """At most a few tiles that together cover the section."""
    covering: list[Tile] = []
    for level in range(LEVELS):
        tiles: set[Tile] = set()
        for west, east in _spans(box):
            _, low, left = _tile(level, box.south, west)
            _, high, right = _tile(level, box.north, east)
            if (high - low + 1) * (right - left + 1) > MOST_TILES:
                return covering
            tiles |= {(level, row, column) for row in range(low, high + 1) for column in range(left, right + 1)}
        if covering and len(tiles) > MOST_TILES:
            return covering
        covering = sorted(tiles)
    return covering


class MapIndex(Generic[Item]):
    """Sections with what belongs to each."""

    def __init__(self) -> None:
        self._filed: dict[Tile, dict[Item, Box]] = {}

    def add(self, box: Box, item: Item) -> None:
        for tile in tiles_of(box):
            self._filed.setdefault(tile, {})[item] = box

    def remove(self, box: Box, item: Item) -> None:
        for tile in tiles_of(box):
            filed = self._filed.get(tile, {})
            filed.pop(item, None)
            if not filed:
                self._filed.pop(tile, None)

    def around(self, latitude: float, longitude: float) -> Iterator[Item]:
        """What belongs to the sections that hold the place."""
        for level in range(LEVELS):
            for item, box in self._filed.get(_tile(level, latitude, longitude), {}).items():
                if holds(box, latitude, longitude):
                    yield item
