"""Measures queries on the database of DATABASE_URL, in this process and in the database's."""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")
django.setup()

from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from apps.listings.models import Listing  # noqa: E402
from apps.users.models import User  # noqa: E402
from bench.cost.data import make, people  # noqa: E402
from bench.cost.probes import PROBES, Probe  # noqa: E402
from bench.search.measure import processor_clock  # noqa: E402
from schema.core.context import Context  # noqa: E402
from schema.core.engine import Operation  # noqa: E402
from schema.core.http import dumped  # noqa: E402
from schema.views import engine  # noqa: E402

ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Figures:
    """`python` and `database` are milliseconds of processor time, the least of ROUNDS."""

    python: float
    database: float
    statements: int
    kilobytes: float
    cost: dict[str, Any]


def measure(probe: Probe, users: dict[str, User | None], clock: Callable[[], float]) -> Figures:
    operation = Operation(probe.query)

    def once() -> tuple[float, float, bytes, dict[str, Any]]:
        context = Context(now=datetime.now(UTC), user=users[probe.caller], ip="127.0.0.1")
        database, started = clock(), time.thread_time()
        answer = engine().answer(operation, context=context)
        body = dumped(answer.body())
        return (time.thread_time() - started) * 1000, clock() - database, body, answer.body()

    _, _, _, first = once()
    if first.get("errors"):
        raise SystemExit(f"{probe.name}: {first['errors'][0]}")
    with CaptureQueriesContext(connection) as queries:
        once()
    rounds = [once() for _ in range(ROUNDS)]
    return Figures(
        min(each[0] for each in rounds),
        min(each[1] for each in rounds),
        len(queries),
        statistics.median(len(each[2]) for each in rounds) / 1000,
        first.get("extensions", {}).get("cost", {}),
    )


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    arguments.add_argument("--make", type=int, metavar="N", help="first replace everything by N generated listings")
    arguments.add_argument("--only", default="", help="only probes whose name contains this")
    options = arguments.parse_args()
    if options.make:
        started = time.perf_counter()
        make(listings=options.make, now=datetime.now(UTC))
        print(f"{options.make} listings made in {time.perf_counter() - started:.0f} s\n")
    guest, host = people()
    print(f"{Listing.objects.count()} listings; milliseconds of processor time; load {os.getloadavg()[0]:.1f}\n")
    with connection.cursor() as cursor:
        clock = processor_clock(cursor)
    users = {"": None, "guest": guest, "host": host}
    print("| query | Python, ms | database, ms | together | statements | kB | cost: requested | actual |")
    print("|---|---|---|---|---|---|---|---|")
    for probe in PROBES:
        if options.only in probe.name:
            found = measure(probe, users, clock)
            print(
                f"| {probe.name} | {found.python:.1f} | {found.database:.1f} | {found.python + found.database:.1f} "
                f"| {found.statements} | {found.kilobytes:.1f} | {found.cost.get('requested', '-')} "
                f"| {found.cost.get('actual', '-')} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
