"""Measures searches on the database of DATABASE_URL, which must be one of its own: `--make` empties it first."""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")
django.setup()

from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from apps.core.periods import Period  # noqa: E402
from apps.listings.models import Listing  # noqa: E402
from apps.listings.search import Box, ListingOrder, ListingSearch, Near  # noqa: E402
from apps.listings.selectors import find_listings  # noqa: E402
from bench.search.data import BUSY, FULL, make  # noqa: E402

ROUNDS = 15
TRIES = 7
NOW = datetime.now(UTC)
SOON = NOW.replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=33)
CENTRE = Near(latitude=52.52, longitude=13.405, radius_km=2)
WIDE = Near(latitude=52.52, longitude=13.405, radius_km=50)
FIJI = Near(latitude=-18.14, longitude=179.9, radius_km=400)
STAY = (date.today() + timedelta(days=40), date.today() + timedelta(days=43))  # noqa: DTZ011
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
FULL_MORNING, BUSY_MORNING = (
    Period(TODAY + timedelta(days=days, hours=8), TODAY + timedelta(days=days, hours=14)) for days in (FULL, BUSY)
)
FULL_NIGHT = (FULL_MORNING.start.date(), FULL_MORNING.start.date() + timedelta(days=1))
KIND = {code: frozenset({code}) for code in ("PROPERTY", "SERVICE", "EVENT", "PARKING_SPOT")}
ORDER = ListingOrder

SEARCHES: list[tuple[str, ListingSearch, ListingOrder]] = [
    ("nothing asked", ListingSearch(), ORDER.RELEVANCE),
    ("newest homes", ListingSearch(kinds=KIND["PROPERTY"]), ORDER.NEWEST),
    ("best rated", ListingSearch(), ORDER.RATING_DESC),
    ("rated 4.5 or more, newest", ListingSearch(min_rating=4.5), ORDER.NEWEST),
    ("a city", ListingSearch(city="suva"), ORDER.RELEVANCE),
    ("a city, cheapest", ListingSearch(city="berlin", currency="EUR"), ORDER.PRICE_ASC),
    ("a city, dearest", ListingSearch(city="berlin", currency="EUR"), ORDER.PRICE_DESC),
    (
        "a city, prices between, cheapest",
        ListingSearch(city="lisbon", currency="EUR", min_price_minor=2_000, max_price_minor=9_000),
        ORDER.PRICE_ASC,
    ),
    ("all currencies, cheapest", ListingSearch(), ORDER.PRICE_ASC),
    ("all currencies, dearest", ListingSearch(), ORDER.PRICE_DESC),
    ("2 km around, nearest", ListingSearch(near=CENTRE), ORDER.DISTANCE),
    ("50 km around, nearest", ListingSearch(near=WIDE), ORDER.DISTANCE),
    ("20,000 km around, nearest", ListingSearch(near=Near(52.52, 13.405, 20_000)), ORDER.DISTANCE),
    ("across the antimeridian, nearest", ListingSearch(near=FIJI), ORDER.DISTANCE),
    ("2 km around, newest", ListingSearch(near=CENTRE), ORDER.NEWEST),
    ("50 km around, newest", ListingSearch(near=WIDE), ORDER.NEWEST),
    ("2 km around, cheapest", ListingSearch(near=CENTRE, currency="EUR"), ORDER.PRICE_ASC),
    ("a small map section", ListingSearch(box=Box(52.50, 13.38, 52.53, 13.42)), ORDER.RELEVANCE),
    ("a large map section", ListingSearch(box=Box(52.3, 13.0, 52.8, 13.9)), ORDER.RELEVANCE),
    ("a rare word", ListingSearch(text="c4ca423"), ORDER.RELEVANCE),
    ("two words", ListingSearch(text="sunny harbour"), ORDER.RELEVANCE),
    ("two words with typing errors", ListingSearch(text="sunmy harbuor"), ORDER.RELEVANCE),
    ("a frequent word", ListingSearch(text="cottage"), ORDER.RELEVANCE),
    ("a word of all listings", ListingSearch(text="everything"), ORDER.NEWEST),
    ("homes for 4 with wifi and pool", ListingSearch(guests=4, amenities=("wifi", "pool")), ORDER.RELEVANCE),
    ("homes free for days", ListingSearch(check_in=STAY[0], check_out=STAY[1]), ORDER.RELEVANCE),
    (
        "homes in a city, free for days, for 4, cheapest",
        ListingSearch(city="berlin", currency="EUR", guests=4, check_in=STAY[0], check_out=STAY[1]),
        ORDER.PRICE_ASC,
    ),
    (
        "homes near, free for days, nearest",
        ListingSearch(near=CENTRE, check_in=STAY[0], check_out=STAY[1]),
        ORDER.DISTANCE,
    ),
    (
        "parking near, free for 3 hours, nearest",
        ListingSearch(kinds=KIND["PARKING_SPOT"], near=CENTRE, free=Period(SOON, SOON + timedelta(hours=3))),
        ORDER.DISTANCE,
    ),
    (
        "anything free for 3 days",
        ListingSearch(free=Period(SOON, SOON + timedelta(days=3))),
        ORDER.RELEVANCE,
    ),
    (
        "services in a city, free in an afternoon",
        ListingSearch(kinds=KIND["SERVICE"], city="berlin", free=Period(SOON, SOON + timedelta(hours=4))),
        ORDER.RELEVANCE,
    ),
    ("coming events with 2 tickets", ListingSearch(tickets=2, starts_after=NOW), ORDER.STARTS_AT),
    ("everything by start", ListingSearch(), ORDER.STARTS_AT),
    # Nothing is found, and every listing of the kind has to be asked.
    ("homes, all taken", ListingSearch(check_in=FULL_NIGHT[0], check_out=FULL_NIGHT[1]), ORDER.RELEVANCE),
    ("services, all taken", ListingSearch(kinds=KIND["SERVICE"], free=FULL_MORNING), ORDER.RELEVANCE),
    ("services, all with appointments", ListingSearch(kinds=KIND["SERVICE"], free=BUSY_MORNING), ORDER.RELEVANCE),
    ("anything, all taken but events", ListingSearch(free=FULL_MORNING), ORDER.RELEVANCE),
    ("a host's", ListingSearch(host_id=7), ORDER.RELEVANCE),
]


def measure(search: ListingSearch, order: ListingOrder, *, deep: bool) -> tuple[float, int, int]:
    """The median milliseconds of one page, its statements and its rows; `deep` measures the third page."""
    times, statements, rows = [], 0, 0
    place = None
    if deep:
        for _ in range(2):
            found = find_listings(search=search, order=order, now=NOW)
            part = found.page(limit=20, place=place)
            if not part.has_more:
                return 0.0, 0, 0
            place = tuple(getattr(part.rows[-1], key.name) for key in found.keys)
    for _ in range(ROUNDS):
        with CaptureQueriesContext(connection) as queries:
            started = time.perf_counter()
            rows = len(find_listings(search=search, order=order, now=NOW).page(limit=20, place=place).rows)
            times.append((time.perf_counter() - started) * 1000)
        statements = len(queries)
    return statistics.median(times), statements, rows


def executed(search: ListingSearch, order: ListingOrder, *, plans: bool) -> tuple[float, float]:
    """The statement that finds the page, in the database alone: milliseconds as it says itself, and of processor time.

    Both are the least of some tries; planning is in them. Prints the plan on demand.
    """
    with CaptureQueriesContext(connection) as queries:
        find_listings(search=search, order=order, now=NOW).page(limit=20)
    finding = next(query["sql"] for query in queries if "search_words(" not in query["sql"]).replace("%", "%%")
    took, used = [], []
    with connection.cursor() as cursor:
        processor = processor_clock(cursor)
        for _ in range(TRIES):
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON) {finding}", [])
            (plan,) = cursor.fetchone()[0]
            took.append(plan["Planning Time"] + plan["Execution Time"])
            before = processor()
            cursor.execute(finding, [])
            cursor.fetchall()
            used.append(processor() - before)
        if plans:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF) {finding}", [])
            print("\n".join(line for (line,) in cursor), "\n")
    return min(took), min(used)


def processor_clock(cursor: Any) -> Callable[[], float]:
    """The processor time of the connection's server process so far, in milliseconds."""
    cursor.execute("SELECT pg_backend_pid()")
    (process,) = cursor.fetchone()
    schedule = Path(f"/proc/{process}/schedstat")
    return lambda: int(schedule.read_text().split()[0]) / 1_000_000


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    arguments.add_argument("--make", type=int, metavar="N", help="first replace everything by N generated listings")
    arguments.add_argument("--plans", action="store_true", help="also print the plan of each search")
    arguments.add_argument("--only", default="", help="only searches whose name contains this")
    options = arguments.parse_args()
    if options.make:
        started = time.perf_counter()
        make(listings=options.make)
        print(f"{options.make} listings made in {time.perf_counter() - started:.1f} s\n")
    print(f"{Listing.objects.count()} listings; milliseconds; load {os.getloadavg()[0]:.1f}\n")
    print("| search | finding statement | its processor time | whole page | third page | statements | rows |")
    print("|---|---|---|---|---|---|---|")
    for name, search, order in SEARCHES:
        if options.only in name:
            database, processor = executed(search, order, plans=options.plans)
            whole, statements, rows = measure(search, order, deep=False)
            third, _, _ = measure(search, order, deep=True)
            print(
                f"| {name}, {order} | {database:.1f} | {processor:.1f} | {whole:.1f} | {f'{third:.1f}' if third else '-'} "
                f"| {statements} | {rows} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
