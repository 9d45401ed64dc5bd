"""Places: inside a map section, and within a great-circle distance.

A place is a point on a sphere of radius 1 (`unit_sphere` in the database); the straight line between two points, the chord,
grows with the great-circle distance, so that an index can walk listings in the exact order of their distance, across
poles and the antimeridian.
"""

from dataclasses import dataclass
from math import asin, ceil, cos, degrees, log2, pi, radians, sin
from typing import NamedTuple

from django.db.models import BooleanField, F, FloatField, Func, Q, TextField, Value
from django.db.models.expressions import Combinable

from apps.listings.search import Box, Near

EARTH_RADIUS_KM = 6371.0

# Bounds are drawn a little too wide: what is exactly on the rim must not be lost to rounding.
SLACK = 1e-9
EVERYWHERE = Box(south=-90.0, west=-180.0, north=90.0, east=180.0)


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a statement."""

    latitude: Combinable
    longitude: Combinable


@dataclass(frozen=True, slots=True)
class Rims:
    """The rims of a map section in a statement, and on which side of the antimeridian they are (`sides_of`)."""

    south: Combinable
    west: Combinable
    north: Combinable
    east: Combinable
    sides: "Sides"


class Sides(NamedTuple):
    """Whether a map section crosses the antimeridian, and whether it begins there."""

    is_crossing: bool
    has_meridian: bool


def sides_of(box: Box) -> Sides:
    """What the condition of lying in the section looks like."""
    return Sides(is_crossing=box.west > box.east, has_meridian=box.west == -180.0 and box.east < 180.0)


def _sphere(latitude: Combinable, longitude: Combinable) -> Func:
    return Func(latitude, longitude, function="unit_sphere", output_field=FloatField())


def _place(near: Point) -> Func:
    return _sphere(near.latitude, near.longitude)


def chord_to(near: Point) -> Func:
    """The straight line from a listing to the point, on the sphere of radius 1; null without coordinates."""
    return Func(
        _sphere(F("latitude"), F("longitude")),
        _place(near),
        template="(%(expressions)s)",
        arg_joiner=" <-> ",
        output_field=FloatField(),
    )


def distance_km_to(near: Point) -> Func:
    """The great-circle distance from a listing to the point, in kilometres. Of no meaning without coordinates."""
    return Func(
        chord_to(near),
        template=f"({2 * EARTH_RADIUS_KM!r} * asin(least(1.0, %(expressions)s / 2.0)))",
        output_field=FloatField(),
    )


def within(near: Point, radius_km: Combinable) -> Q:
    """The condition of being at most that far away, the rim included; never true without coordinates."""
    reached = Func(
        distance_km_to(near),
        radius_km,
        template="(%(expressions)s)",
        arg_joiner=" <= ",
        output_field=BooleanField(),
    )
    return Q(latitude__isnull=False) & Q(reached)


def chord_of(near: Near) -> float:
    """The straight line to the rim of the circle, a little too long."""
    return 2 * sin(min(near.radius_km / EARTH_RADIUS_KM, pi) / 2) * (1 + SLACK) + SLACK


def reached(near: Point, chord: Combinable) -> Q:
    """A condition that all `within` the chord fulfil, for the index that walks away from the place: there it ends.

    The planner would take the index of `around` for the cheaper one: that a city's listings share latitude and longitude,
    both, it cannot know.
    """
    return Q(
        Func(
            _sphere(F("latitude"), F("longitude")),
            Func(_place(near), chord, Value(3), function="cube_enlarge"),
            template="(%(expressions)s)",
            arg_joiner=" <@ ",
            output_field=BooleanField(),
        )
    )


def _point(longitude: Combinable, latitude: Combinable) -> Func:
    return Func(longitude, latitude, function="point", output_field=TextField())


def lies_in(rectangle: Combinable) -> Q:
    """The condition of lying in a rectangle of longitudes and latitudes, a `box` in the database, its rim included."""
    return Q(
        Func(
            _point(F("longitude"), F("latitude")),
            rectangle,
            template="(%(expressions)s)",
            arg_joiner=" <@ ",
            output_field=BooleanField(),
        )
    )


def inside(rims: Rims) -> Q:
    """Listings in the map section, its rim included. Longitudes -180 and 180 are the same meridian."""
    rows = Q(latitude__gte=rims.south, latitude__lte=rims.north)
    if rims.sides.is_crossing:
        return rows & (Q(longitude__gte=rims.west) | Q(longitude__lte=rims.east))
    columns = Q(longitude__gte=rims.west, longitude__lte=rims.east)
    # The database keeps that meridian as 180.
    return rows & (columns | Q(longitude=180.0) if rims.sides.has_meridian else columns)


def rectangles(box: Box) -> list[Box]:
    """The same in one or two sections that do not cross the antimeridian, and have nothing in common."""
    south, west, north, east = box.south, box.west, box.north, box.east
    sides = sides_of(box)
    if sides.is_crossing:
        return [Box(south, west, north, 180.0), Box(south, -180.0, north, east)]
    return [box, Box(south, 180.0, north, 180.0)] if sides.has_meridian else [box]


class Ring(NamedTuple):
    """What is further from a place than one chord and no further than another lies in these sections, one or two."""

    beyond: float
    reach: float
    sections: list[Box]


# Within it lie few listings even where they are dense.
INNERMOST_KM = 0.08


def rings(near: Near) -> list[Ring]:
    """Rings around the place, from the innermost to the circle's rim, each reaching twice as far as the one before."""
    radius_km = min(near.radius_km, pi * EARTH_RADIUS_KM)
    doublings = ceil(log2(radius_km / INNERMOST_KM)) if radius_km > INNERMOST_KM else 0
    found: list[Ring] = []
    beyond = -1.0
    for number in range(doublings, -1, -1):
        circle = near if number == 0 else Near(near.latitude, near.longitude, radius_km / 2**number)
        # But for the last it ends a little inside its section: what rounding puts on the other side is in the next one's.
        reach = chord_of(circle) if number == 0 else 2 * sin(circle.radius_km / EARTH_RADIUS_KM / 2) * (1 - SLACK)
        found.append(Ring(beyond, reach, rectangles(around(circle) or EVERYWHERE)))
        beyond = reach
    return found


def around(near: Near) -> Box | None:
    """A map section that holds everything `within`; None when that could be anywhere on earth."""
    angle = degrees(min(near.radius_km / EARTH_RADIUS_KM, pi)) * (1 + SLACK) + SLACK
    south, north = near.latitude - angle, near.latitude + angle
    if south <= -90 and north >= 90:
        return None
    if south <= -90 or north >= 90:
        return Box(south=max(south, -90.0), west=-180.0, north=min(north, 90.0), east=180.0)
    across = degrees(asin(min(1.0, sin(radians(angle)) / cos(radians(near.latitude))))) * (1 + SLACK) + SLACK
    west, east = near.longitude - across, near.longitude + across
    if east - west >= 360:
        return Box(south=south, west=-180.0, north=north, east=180.0)
    return Box(
        south=south,
        west=west + 360 if west <= -180 else west,
        north=north,
        east=east - 360 if east > 180 else east,
    )
