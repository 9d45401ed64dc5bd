"""The nearest, found in rings around the place: all of them, each once, and no ring that the page does not need."""

import random
from datetime import UTC, datetime
from math import atan2, cos, degrees, dist, hypot, pi, radians, sin

import pytest
from django.db import connection
from django.db.models import F

from apps.listings.geo import EARTH_RADIUS_KM, rings
from apps.listings.models import Listing
from apps.listings.search import ListingOrder, ListingSearch, Near
from apps.listings.selectors import find_listings
from tests.listings.paging import all_pages
from tests.listings.test_pages import PAGE, explained, read
from tests.recipes import make_host, make_parking_spot

NOW = datetime.now(UTC)
CENTRES = [(52.5, 13.4), (-17.0, 180.0), (-17.0, -179.9995), (89.9995, 10.0), (-90.0, 0.0), (0.0, 0.0), (60.0, -180.0)]
FARTHEST_KM = pi * EARTH_RADIUS_KM


def on_the_sphere(latitude: float, longitude: float) -> tuple[float, float, float]:
    row, column = radians(latitude), radians(longitude)
    return cos(row) * cos(column), cos(row) * sin(column), sin(row)


def gone(latitude: float, longitude: float, *, km: float, towards: float) -> tuple[float, float]:
    """Where one is after that way, having set out in that direction (radians from north)."""
    angle, row, column = km / EARTH_RADIUS_KM, radians(latitude), radians(longitude)
    start = on_the_sphere(latitude, longitude)
    north = -sin(row) * cos(column), -sin(row) * sin(column), cos(row)
    east = -sin(column), cos(column), 0.0
    way = [cos(towards) * up + sin(towards) * across for up, across in zip(north, east, strict=True)]
    x, y, z = (cos(angle) * here + sin(angle) * there for here, there in zip(start, way, strict=True))
    end = degrees(atan2(y, x))
    return degrees(atan2(z, hypot(x, y))), 180.0 if end == -180.0 else end


def chord(one: tuple[float, float], other: tuple[float, float]) -> float:
    return dist(on_the_sphere(*one), on_the_sphere(*other))


@pytest.mark.parametrize("radius_km", [0.001, 0.08, 1.0, 10.0, 500.0, 9_000.0, FARTHEST_KM, 50_000.0])
@pytest.mark.parametrize("centre", CENTRES)
def test_what_the_circle_holds_lies_in_a_section_of_one_ring(centre: tuple[float, float], radius_km: float) -> None:
    dice = random.Random(1)
    found = rings(Near(*centre, radius_km))
    farthest = min(radius_km, FARTHEST_KM)
    assert [ring.beyond for ring in found] == [-1.0, *(ring.reach for ring in found[:-1])]
    assert len(found) <= 20
    ways = [farthest * 2 ** -dice.uniform(0, len(found)) for _ in range(200)]
    # Rims, and what is on either side of them by the least of differences.
    ways += [farthest / 2**number * near for number in range(len(found)) for near in (1 - 1e-12, 1.0, 1 + 1e-12)]
    for km in ways:
        there = gone(*centre, km=min(km, farthest), towards=dice.uniform(0, 2 * pi))
        away = chord(centre, there)
        (ring,) = (ring for ring in found if ring.beyond < away <= ring.reach)
        sections = [
            section
            for section in ring.sections
            if section.south <= there[0] <= section.north and section.west <= there[1] <= section.east
        ]
        assert len(sections) == 1, (km, there)


@pytest.mark.django_db
@pytest.mark.parametrize("centre", CENTRES[:4])
def test_the_nearest_are_found_in_the_order_of_all(centre: tuple[float, float]) -> None:
    """As the plain way has them, which knows of no rings; also from the last to the first."""
    dice = random.Random(2)
    host = make_host()
    for number in range(24):
        # Several in the innermost ring, some of them at one place, and the others as far as the antipode.
        km = 0.0 if number % 8 == 0 else 20_000 * 2 ** -dice.uniform(0, 22)
        latitude, longitude = gone(*centre, km=km, towards=dice.uniform(0, 2 * pi))
        make_parking_spot(host=host, latitude=latitude, longitude=longitude)
    for radius_km in (300.0, FARTHEST_KM):
        search = ListingSearch(near=Near(*centre, radius_km))
        found = find_listings(search=search, order=ListingOrder.DISTANCE, now=NOW)
        nearest = list(found.query_set().order_by(F("rank_chord"), "pk").values_list("pk", flat=True))
        assert len(nearest) == Listing.objects.count() if radius_km == FARTHEST_KM else 8 < len(nearest) < 24
        for backwards in (False, True):
            assert all_pages(found, size=PAGE, backwards=backwards) == nearest


@pytest.mark.django_db
def test_no_ring_is_gathered_that_the_page_does_not_need() -> None:
    host = make_host()
    # One every eleven metres.
    for number in range(40):
        make_parking_spot(host=host, latitude=10.0 + number / 10_000, longitude=20.0)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE listings_listing")
    found = find_listings(search=ListingSearch(near=Near(10.0, 20.0, 5)), order=ListingOrder.DISTANCE, now=NOW)

    _, (statement,) = read(found)
    plan = explained(statement.replace("%", "%%"))
    # Those of the innermost; the next ring is never begun.
    (measured,) = (node for node in plan if node.get("Alias") == "measured")
    assert (measured["Actual Loops"], measured["Actual Rows"]) == (1, 8)
