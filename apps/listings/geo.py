"""Places: inside a map section, and within a great-circle distance.

A place is a point on a sphere of radius 1 (`unit_sphere` in the database); the straight line between two points, the chord,
grows with the great-circle distance, so that an index can walk listings in the exact order of their distance, across
poles and the antimeridian.
"""

from math import asin, cos, degrees, pi, radians, sin

from django.db.models import BooleanField, F, FloatField, Func, Q, Value
from django.db.models.expressions import Combinable

from apps.listings.search import Box, Near

EARTH_RADIUS_KM = 6371.0

# Bounds are drawn a little too wide: what is exactly on the rim must not be lost to rounding.
SLACK = 1e-9


def _sphere(latitude: Combinable, longitude: Combinable) -> Func:
    return Func(latitude, longitude, function="unit_sphere", output_field=FloatField())


def _place(near: Near) -> Func:
    return _sphere(Value(near.latitude, output_field=FloatField()), Value(near.longitude, output_field=FloatField()))


def chord_to(near: Near) -> Func:
    """The straight line from a listing to the point, on the sphere of radius 1; null without coordinates."""
    return Func(
        _sphere(F("latitude"), F("longitude")),
        _place(near),
        template="(%(expressions)s)",
        arg_joiner=" <-> ",
        output_field=FloatField(),
    )


def distance_km_to(near: Near) -> Func:
    """The great-circle distance from a listing to the point, in kilometres. Of no meaning without coordinates."""
    return Func(
        chord_to(near),
        template=f"({2 * EARTH_RADIUS_KM!r} * asin(least(1.0, %(expressions)s / 2.0)))",
        output_field=FloatField(),
    )


def within(near: Near) -> Q:
    """The condition of being at most that far away, the rim included; never true without coordinates."""
    reached = Func(
        distance_km_to(near),
        Value(near.radius_km, output_field=FloatField()),
        template="(%(expressions)s)",
        arg_joiner=" <= ",
        output_field=BooleanField(),
    )
    return Q(latitude__isnull=False) & Q(reached)


def reached(near: Near, *, in_its_order: bool) -> Q:
    """A condition that all `within` fulfil and an index answers. `in_its_order`: the index that walks away from the place.

    That index then ends where the circle ends. The planner would take the other for the cheaper one: that a city's
    listings share latitude and longitude, both, it cannot know.
    """
    if in_its_order:
        chord = 2 * sin(min(near.radius_km / EARTH_RADIUS_KM, pi) / 2) * (1 + SLACK) + SLACK
        return Q(
            Func(
                _sphere(F("latitude"), F("longitude")),
                Func(_place(near), Value(chord, output_field=FloatField()), Value(3), function="cube_enlarge"),
                template="(%(expressions)s)",
                arg_joiner=" <@ ",
                output_field=BooleanField(),
            )
        )
    bounds = around(near)
    return inside(bounds) if bounds else Q()


def inside(box: Box) -> Q:
    """Listings in the map section, its rim included. Longitudes -180 and 180 are the same meridian."""
    rows = Q(latitude__gte=box.south, latitude__lte=box.north)
    if box.west > box.east:
        return rows & (Q(longitude__gte=box.west) | Q(longitude__lte=box.east))
    columns = Q(longitude__gte=box.west, longitude__lte=box.east)
    # The database keeps that meridian as 180.
    return rows & (columns | Q(longitude=180.0) if box.west == -180.0 and box.east < 180.0 else columns)


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
