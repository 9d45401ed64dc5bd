"""What one request of ours costs, inside this process: processor time of Python and of PostgreSQL, statements, functions."""

import cProfile
import io
import itertools
import json
import os
import pstats
import random
import statistics
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from bench.peers import requests
from bench.peers.forgetting import statements

SECRET = "a-secret-of-the-comparison-and-of-nothing-else"
DIFFERENT = 400
NANOSECONDS = 1_000_000.0
FIRST_DAY = date(2028, 1, 1)


@dataclass
class Site:
    """The application in this process, and what is asked of it."""

    application: Any
    connection: Any
    listings: list[int]
    bookable: list[int]
    guests: list[int]
    booked: list[str] = field(default_factory=list)
    # M1 takes two nights that nobody has, also where several measure at once: each begins somewhere else.
    shift: int = field(default_factory=lambda: random.SystemRandom().randrange(3000))
    _nights: Iterator[tuple[int, date]] | None = None

    def variables(self, op: str, number: int) -> dict[str, Any]:
        """As the benchmark varies its requests."""
        roll = random.Random(f"{op}{number}")
        if op == "Q1":
            lowest = roll.randint(3000, 7000)
            day = date(2026, 12, 1) + timedelta(days=roll.randint(0, 180))
            return {
                "from": str(day),
                "city": f"city-{roll.randint(1, 50):02d}",
                "min": lowest,
                "max": lowest + roll.randint(3000, 10000),
                "to": str(day + timedelta(days=roll.randint(2, 10))),
                "first": 20,
            }
        if op == "Q2":
            return {"id": str(roll.choice(self.listings))}
        if op == "M1":
            listing, day = next(self._slots())
            return {
                "listing": requests.listing_id(str(listing)),
                "start": str(day),
                "end": str(day + timedelta(days=2)),
            }
        return {}

    def _slots(self) -> Iterator[tuple[int, date]]:
        if self._nights is None:
            days = (FIRST_DAY + timedelta(days=3 * (self.shift + turn)) for turn in itertools.count())
            self._nights = ((listing, day) for day in days for listing in self.bookable)
        return self._nights

    def environ(self, op: str, number: int) -> tuple[dict[str, Any], bytes]:
        """What a server would hand over for the request."""
        path, caller, body = requests.request(
            op,
            self.variables(op, number),
            self.guests[number % len(self.guests)],
            secret=SECRET,
            now=datetime.now(UTC),
        )
        sent = body.encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(sent)),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1",
            "REMOTE_ADDR": "127.0.0.1",
            "SCRIPT_NAME": "",
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.version": (1, 0),
        }
        if caller:
            environ["HTTP_AUTHORIZATION"] = caller
        return environ, sent

    def ask(self, prepared: tuple[dict[str, Any], bytes]) -> bytes:
        """The body of the answer. Raises SystemExit for any status but 200."""
        environ, sent = prepared
        told: list[str] = []
        answer = self.application(
            {**environ, "wsgi.input": io.BytesIO(sent)}, lambda status, headers, error=None: told.append(status)
        )
        body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        if told != ["200 OK"]:
            raise SystemExit(f"peers: {told}: {body[:400].decode()}")
        return body

    def prepare(self, op: str, count: int) -> list[tuple[dict[str, Any], bytes]]:
        return [self.environ(op, number % DIFFERENT if op != "M1" else number) for number in range(count)]

    def check(self, op: str, body: bytes) -> Any:
        """The answer in the common form. Raises SystemExit for one with errors, and for a hold that was refused."""
        try:
            told = requests.normal(op, json.loads(body), now=datetime.now(UTC))
        except AssertionError as error:
            raise SystemExit(f"peers: {op} was answered with {error}") from error
        if told is None:
            raise SystemExit(f"peers: {op} was refused: {body[:400].decode()}")
        return told


def open_site() -> Site:
    """Start the application on the database of DATABASE_URL. Raises SystemExit where nothing was imported into it."""
    os.environ["SIGNING_KEYS"] = json.dumps([{"kid": requests.KEY_ID, "alg": "HS256", "secret": SECRET}])
    # Static files are not what is measured.
    warnings.filterwarnings("ignore", "No directory at")
    from bench.peers.wsgi import application

    def numbers(statement: str) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return [row[0] for row in cursor.fetchall()]

    site = Site(
        application,
        connection,
        numbers("SELECT listing_id FROM reviews_review GROUP BY 1 HAVING count(*) >= 10 ORDER BY 1 LIMIT 1000"),
        numbers(
            "SELECT listing_id FROM property_property WHERE min_nights = 1 AND listing_id > 1000 ORDER BY 1 LIMIT 40000"
        ),
        numbers("SELECT guest_id FROM bookings_booking GROUP BY 1 HAVING count(*) >= 10 ORDER BY 1 LIMIT 300"),
    )
    if not (site.listings and site.bookable and site.guests):
        raise SystemExit("peers: the database holds no data of the comparison: load it first.")
    return site


def database_milliseconds(connection: Any) -> float | None:
    """Processor time that the database's process of this connection has taken; None where that is not on this machine."""
    try:
        text = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text()
        return int(text.split()[0]) / NANOSECONDS
    except (OSError, AttributeError):
        return None


@dataclass(frozen=True)
class Figures:
    """Of one request, in milliseconds; `database` is None where it cannot be told."""

    program: list[float]
    database: list[float] | None
    wall: list[float]


def measure(site: Site, op: str, *, repeat: int, rounds: int) -> Figures:
    program, database, wall = [], [], []
    for _ in range(rounds):
        prepared = site.prepare(op, repeat)
        theirs, started, used = database_milliseconds(site.connection), time.perf_counter(), time.process_time()
        answers = [site.ask(each) for each in prepared]
        program.append((time.process_time() - used) * 1000 / repeat)
        wall.append((time.perf_counter() - started) * 1000 / repeat)
        now = database_milliseconds(site.connection)
        if theirs is not None and now is not None:
            database.append((now - theirs) / repeat)
        for body in answers:
            site.check(op, body)
        _remember(site, op, answers)
    return Figures(program, database or None, wall)


def _remember(site: Site, op: str, answers: list[bytes]) -> None:
    if op == "M1":
        site.booked += [json.loads(body)["data"]["bookProperty"]["booking"]["id"] for body in answers]


def statements_of(site: Site, op: str) -> list[tuple[str, Any]]:
    """The statements of one request, as Django sends them, with their values."""
    seen: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params))
        return execute(sql, params, many, context)

    with site.connection.execute_wrapper(note):
        _remember(site, op, [site.ask(site.environ(op, 0))])
    return seen


def planned(site: Site, sql: str, params: Any) -> str:
    """How long a reading statement is planned and carried out, in milliseconds: the least of five."""
    if not sql.lstrip().upper().startswith("SELECT") or "FOR KEY SHARE" in sql:
        return "not a reading"
    found = []
    with site.connection.cursor() as cursor:
        for _ in range(5):
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON, FORMAT JSON) {sql}", params)
            [plan] = cursor.fetchone()[0]
            found.append((plan["Planning Time"], plan["Execution Time"]))
    planning, carrying_out = (min(each) for each in zip(*found, strict=True))
    return f"planned in {planning:.3f} ms, carried out in {carrying_out:.3f} ms"


def forget(site: Site) -> None:
    """Take away the holds that were made here, and no others: several may measure at once."""
    if not site.booked:
        return
    numbers = ", ".join(str(requests.number_of(each)) for each in site.booked)
    with transaction.atomic(), site.connection.cursor() as cursor:
        for statement in statements(f"id IN ({numbers})"):
            cursor.execute(statement)
    site.booked.clear()


def main(*, op: str, repeat: int, rounds: int, top: int, sort: str, shows_statements: bool, shows_answer: bool) -> int:
    """Print the figures, and where the time goes."""
    site = open_site()
    try:
        first = site.ask(site.environ(op, 0))
        site.check(op, first)
        _remember(site, op, [first])
        if shows_answer:
            print(json.dumps(json.loads(first), indent=1))
        sent = statements_of(site, op)
        figures = measure(site, op, repeat=repeat, rounds=rounds)
        told = f"{op}: {min(figures.program):.3f} ms of Python (median {statistics.median(figures.program):.3f})"
        if figures.database:
            told += f", {min(figures.database):.3f} ms of PostgreSQL (median {statistics.median(figures.database):.3f})"
        print(
            f"{told}, {min(figures.wall):.3f} ms in all, {len(sent)} statements, {len(first)} bytes; {rounds} rounds of {repeat}"
        )
        if shows_statements:
            for number, (sql, params) in enumerate(sent, 1):
                print(f"{number}. {planned(site, sql, params)}: {' '.join(sql.split())}")
        prepared = site.prepare(op, repeat)
        profiler = cProfile.Profile()
        profiler.enable()
        answers = [site.ask(each) for each in prepared]
        profiler.disable()
        _remember(site, op, answers)
        print(f"\nUnder cProfile, which makes calls of Python dearer than they are, {repeat} requests:")
        pstats.Stats(profiler).strip_dirs().sort_stats(sort).print_stats(top)
    finally:
        forget(site)
    return 0
