"""One process of the product, told line by line in JSON what to do: `python -m bench.bookings.worker`.

    {"do": "run", "what": "contended", "threads": 8, "base": 0, "stride": 100, "seconds": 5.0, "ground": {...}}

Answers each line with one line.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")
django.setup()

from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from apps.bookings.actions import Contact, hold  # noqa: E402
from apps.listings.offers import BookingRequest  # noqa: E402
from bench.bookings import ground  # noqa: E402
from bench.bookings.ground import Ground  # noqa: E402
from bench.bookings.requests import body  # noqa: E402


def book(what: str, place: Ground, *, client: int, number: int, key: str | None = None) -> None:
    """One call of the action, with the clock read as an edge does."""
    now = datetime.now(UTC)
    contact = Contact(email=f"client{client}@example.com")
    if what == "contended":
        hold(
            kind_code="EVENT", listing_id=place.event, listing_field="event_id", request=BookingRequest(tickets=1),
            guest=None, contact=contact, idempotency_key=key, now=now,
        )  # fmt: skip
        return
    home, night = place.home_and_night(number)
    first = now.date() + timedelta(days=3 + night)
    hold(
        kind_code="PROPERTY", listing_id=home, listing_field="property_id",
        request=BookingRequest(check_in=first, check_out=first + timedelta(days=1), guests=1),
        guest=None, contact=contact, idempotency_key=key, now=now,
    )  # fmt: skip


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Book with some threads until the time is over. Returns the bookings, the errors and the processor time used."""
    place = Ground(**order["ground"])
    counts = [0] * order["threads"]
    errors: list[str] = []
    go = threading.Barrier(order["threads"] + 1)

    def work(thread: int) -> None:
        client = order["first_client"] + thread
        connection.ensure_connection()
        number = order["base"] + client * order["stride"]
        go.wait()
        until = time.monotonic() + order["seconds"]
        try:
            while time.monotonic() < until:
                book(order["what"], place, client=client, number=number)
                counts[thread] += 1
                number += 1
        except Exception as error:
            errors.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(order["threads"])]
    for thread in threads:
        thread.start()
    go.wait()
    started, used = time.monotonic(), time.process_time()
    for thread in threads:
        thread.join()
    return {
        "bookings": sum(counts),
        "errors": errors,
        "seconds": time.monotonic() - started,
        "cpu": time.process_time() - used,
    }


def count(order: dict[str, Any]) -> dict[str, Any]:
    """The statements of one booking, BEGIN and COMMIT among them, and how many bookings were made to count them."""
    from django.test import Client

    place = Ground(**order["ground"])
    statements: dict[str, dict[str, list[str]]] = {}
    made = 0
    for what in ("contended", "spread"):
        numbers = iter(range(order["base"] + made, order["base"] + made + 10))
        client = Client(SERVER_NAME="127.0.0.1")

        def posted(what: str = what, client: Client = client, numbers: Any = numbers) -> None:
            answer = client.post("/graphql", body(what, place, client=0, number=next(numbers)), "application/json")
            if b'"reference"' not in answer.content:
                raise RuntimeError(answer.content.decode())

        ways: dict[str, Callable[[], None]] = {
            "action": lambda what=what, numbers=numbers: book(what, place, client=0, number=next(numbers)),
            "action with idempotency key": lambda what=what, numbers=numbers: book(
                what, place, client=0, number=next(numbers), key=f"a key for {what}"
            ),
            "request": posted,
        }
        statements[what] = {}
        for name, way in ways.items():
            if name == "request":
                way()  # the first request of a process also fills what is kept in memory
                made += 1
            with CaptureQueriesContext(connection) as captured:
                way()
            made += 1
            statements[what][name] = [" ".join(query["sql"].split()) for query in captured]
    return {"made": made, "statements": statements}


DO: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "make": lambda order: ground.make(),
    "check": lambda order: ground.check(),
    "count": count,
    "run": run,
}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    sys.stdout = sys.stderr
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(DO[order["do"]](order)), file=answers, flush=True)


if __name__ == "__main__":
    main()
