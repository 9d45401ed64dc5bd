"""Measures requests to the view, in this process, with nothing kept, with what has to be made and kept, and from what is kept."""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import RequestFactory  # noqa: E402

from apps.core import versions  # noqa: E402
from apps.core.families import FAMILIES  # noqa: E402
from apps.listings.models import Listing  # noqa: E402
from bench.cost.data import make  # noqa: E402
from bench.search.measure import processor_clock  # noqa: E402
from schema.listings.types import listing_global_id  # noqa: E402
from schema.views import engine, graphql_view  # noqa: E402

ROUNDS = 40
CARD = """
    id title kind ratingAverage ratingCount price { amountMinor currency amount } location { city country }
    host { id displayName } images { url alt }
"""
SEARCH = "query Search($first: Int) { listings(first: $first, orderBy: RATING_DESC) { %s edges { node { %s } } } }"
PAGE = """query Page($id: ID!, $from: DateTime!, $to: DateTime!) { listing(id: $id) {
    %s description reviews(first: 5) { edges { node { rating comment author { displayName } } } }
    availability(from: $from, to: $to) { start end }
} }"""


def questions() -> dict[str, tuple[str, dict[str, Any]]]:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    listing = Listing.objects.filter(kind="PROPERTY", status="PUBLISHED").order_by("pk").first()
    assert listing is not None
    window = {"from": start.isoformat(), "to": (start + timedelta(days=30)).isoformat()}
    return {
        "search page, 20 listings": (SEARCH % ("", CARD), {"first": 20}),
        "search page with totalCount": (SEARCH % ("totalCount", CARD), {"first": 20}),
        "listing page": (PAGE % CARD, {"id": listing_global_id(listing), **window}),
    }


def end_everything() -> None:
    families = {family for each in FAMILIES.values() for family in each}
    versions.raise_versions({*families, *map(versions.anything, families)})


def measured(body: bytes, before: Callable[[], None], clock: Callable[[], float]) -> tuple[float, float]:
    """Milliseconds of processor time, here and in the database: the least of ROUNDS."""
    least, least_database = float("inf"), float("inf")
    factory = RequestFactory()
    for _ in range(ROUNDS):
        before()
        request = factory.post("/graphql", body, content_type="application/json")
        database, started = clock(), time.process_time()
        response = graphql_view(request)
        least = min(least, (time.process_time() - started) * 1000)
        least_database = min(least_database, clock() - database)
        assert b'"errors"' not in response.content, response.content
    return least, least_database


def main() -> None:
    number = int(sys.argv[1])
    engine()
    make(listings=number, now=datetime.now(UTC))
    print(f"{number} listings; milliseconds of processor time; load {os.getloadavg()[0]:.1f}\n")
    print("| request | | here | in the database | both, against nothing kept |\n|---|---|---|---|---|")
    with connection.cursor() as cursor:
        clock = processor_clock(cursor)
    for name, (query, variables) in questions().items():
        body = json.dumps({"query": query, "variables": variables}).encode()
        settings.CACHE_SECONDS = 0
        off = measured(body, lambda: None, clock)
        settings.CACHE_SECONDS = settings.SWEEP_SECONDS = 3600
        made = measured(body, end_everything, clock)
        hit = measured(body, lambda: None, clock)
        for what, (here, there) in (("nothing kept", off), ("made and kept", made), ("from what is kept", hit)):
            share = (here + there) / sum(off)
            print(f"| {name} | {what} | {here:.2f} | {there:.2f} | {share:.2f} |")


if __name__ == "__main__":
    main()
