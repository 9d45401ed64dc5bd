"""Measures searches on the market in the database of DATABASE_URL."""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")
django.setup()

from django.db import connection  # noqa: E402

from apps.listings.models import Listing  # noqa: E402
from apps.listings.search import ListingOrder, ListingSearch  # noqa: E402
from apps.listings.selectors import find_listings  # noqa: E402
from bench.scale.searches import Case, cases  # noqa: E402

TRIES = 3
PAGE = 20
# Nobody waits so long, and no measurement does.
PATIENCE_MS = 60_000
SLOW_MS = 30.0


class Meter:
    """Counts what the server's process of the connection uses for the statements that go through."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (process,) = cursor.fetchone()
        self._schedule = Path(f"/proc/{process}/schedstat")
        self.clear()

    def clear(self) -> None:
        self.cpu_ms = self.wall_ms = 0.0
        self.statements: list[tuple[str, Any]] = []

    def _used(self) -> float:
        return int(self._schedule.read_text().split()[0]) / 1_000_000

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        before, started = self._used(), time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.wall_ms += (time.perf_counter() - started) * 1000
            self.cpu_ms += self._used() - before
            self.statements.append((sql, params))


def place_at(search: ListingSearch, order: ListingOrder, *, now: datetime, depth: float) -> tuple[Any, ...] | None:
    """The place in the order that this share of all that is found comes before."""
    if not depth:
        return None
    found = find_listings(search=search, order=order, now=now)
    rows = found.query_set().order_by(*(key.order(backwards=False) for key in found.keys))
    return tuple(rows.values_list(*(key.name for key in found.keys))[int(rows.count() * depth)])


def measured(case: Case, meter: Meter, *, now: datetime, plans: Path | None) -> dict[str, Any]:
    """The processor time of the database for a page, the least of some tries for each of the case's searches."""
    cpu, wall, rows, statements = [], [], 0, 0
    slowest: tuple[float, list[tuple[str, Any]]] = (0.0, [])
    for number, search in enumerate(case.searches()):
        if case.is_spread:
            everything = ListingSearch(kinds=search.kinds, currency=search.currency)
            place = place_at(everything, case.order, now=now, depth=number / case.variants)
        else:
            place = place_at(search, case.order, now=now, depth=case.depth)
        tries = []
        for _ in range(TRIES):
            meter.clear()
            with connection.execute_wrapper(meter):
                rows = len(find_listings(search=search, order=case.order, now=now).page(limit=PAGE, place=place).rows)
            tries.append((meter.cpu_ms, meter.wall_ms))
            statements = max(statements, len(meter.statements))
            if meter.cpu_ms > 2_000:
                break
        least = min(tries)[0]
        cpu.append(least)
        wall.append(min(each for _, each in tries))
        if least > slowest[0]:
            slowest = (least, meter.statements)
    if plans is not None and slowest[0] >= SLOW_MS:
        keep_plans(case.name, slowest[1], plans)
    return {
        "p50": statistics.median(cpu),
        "p99": max(cpu),
        "wall": statistics.median(wall),
        "statements": statements,
        "rows": rows,
    }


def keep_plans(name: str, statements: list[tuple[str, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with connection.cursor() as cursor, (folder / f"{name.replace(' ', '-').replace(',', '')}.txt").open("w") as file:
        for sql, params in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", params)
            print("\n".join(line for (line,) in cursor), "\n", file=file)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale measure", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the figures there")
    parser.add_argument("--plans", type=Path, help="keep the plans of slow searches in this folder")
    parser.add_argument("--only", default="", help="only searches whose name contains this")
    options = parser.parse_args()
    now = datetime.now(UTC)
    listings = Listing.objects.count()
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {PATIENCE_MS}")
    meter = Meter()
    figures: dict[str, Any] = {}
    print(f"{listings:,} listings; load {os.getloadavg()[0]:.1f}\n")
    print("| search | CPU ms p50 | p99 | wall ms p50 | statements | rows |\n|---|---|---|---|---|---|")
    for case in cases(listings=listings, now=now):
        if options.only in case.name:
            try:
                found = measured(case, meter, now=now, plans=options.plans)
            except django.db.utils.OperationalError as error:
                print(f"| {case.name} | {str(error).strip()} |", flush=True)
                continue
            figures[case.name] = found
            print(
                f"| {case.name} | {found['p50']:.1f} | {found['p99']:.1f} | {found['wall']:.1f} | {found['statements']} "
                f"| {found['rows']} |",
                flush=True,
            )
    if options.out:
        options.out.write_text(json.dumps({"listings": listings, "figures": figures}, indent=1))
    sys.exit(0)


if __name__ == "__main__":
    main()
