"""What a calendar is asked costs the same however much of it is over: past stays and sold tickets are not looked through."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from apps.availability.models import Allocation, Unit
from apps.availability.selectors import free_units, overlapping, taken_of, tickets_left, unit_is_free
from apps.core.periods import Period
from apps.listings.models import Listing
from tests.recipes import make_event, make_parking_spot

NOW = datetime(2030, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MANY = 500
FILL = """
    INSERT INTO availability_allocation (listing_id, unit_id, quantity, period, holder, is_active, created_at)
    SELECT %s, %s, 1, tstzrange(%s + number * interval '1 hour', %s + (number + 1) * interval '1 hour'), number, true, %s
    FROM generate_series(1, %s) AS number
"""


def looked_through(rows: QuerySet[Any]) -> int:
    """How many allocations are fetched to answer, those that are then found not to be meant included."""
    with connection.cursor() as cursor:
        # So small a table would be read whole.
        cursor.execute("SET LOCAL enable_seqscan = off")
        sql, values = rows.query.sql_with_params()
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
        told = cursor.fetchone()[0]
    plan = (told if isinstance(told, list) else json.loads(told))[0]["Plan"]
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if node.get("Relation Name") == "availability_allocation"
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def fill(listing: Listing, unit: Unit | None, *, since: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL, [listing.pk, None if unit is None else unit.pk, since, since, NOW, MANY])
        cursor.execute("ANALYZE availability_allocation")


@pytest.mark.django_db
@pytest.mark.parametrize("since", [NOW - 2 * MANY * HOUR, NOW + MANY * HOUR], ids=["over", "later"])
def test_whether_a_place_is_free_is_told_without_what_lies_elsewhere(since: datetime) -> None:
    # Given a spot that was, or will be, in use all the time
    spot = make_parking_spot()
    unit = Unit.objects.get(listing=spot)
    fill(spot, unit, since=since)
    period = Period(NOW + HOUR, NOW + 2 * HOUR)

    # Then the hold, the search and the page read nothing of that
    taken = overlapping(period.start, period.end, now=NOW)
    assert list(free_units(spot.pk, taken)) == [unit]
    assert looked_through(free_units(spot.pk, taken)) == 0
    free = Listing.objects.filter(unit_is_free(period.start, period.end, now=NOW), pk=spot.pk)
    assert list(free) == [spot]
    assert looked_through(free) == 0
    assert looked_through(taken_of([spot.pk], period, now=NOW)) == 0


@pytest.mark.django_db
def test_run_out_holds_are_found_without_what_is_sold() -> None:
    event = make_event(tickets=2 * MANY)
    fill(event, None, since=NOW)
    Allocation.objects.filter(holder__lte=3).update(held_until=NOW)
    dead = Allocation.objects.filter(listing=event, is_active=True, held_until__lte=NOW)
    assert dead.count() == 3
    assert looked_through(dead) == 3
    assert looked_through(Listing.objects.filter(pk=event.pk).annotate(left=tickets_left(now=NOW)).values("left")) == 3
