"""Clients that leave a real server: who waits is not begun with, and of what has begun no further part is."""

import json
import socket
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction

from apps.bookings.models import Booking
from apps.listings.models import Listing
from booking.bridge import UNWATCHED_SECONDS
from schema.core.ids import to_global_id
from tests.recipes import make_parking_spot
from tests.serving import Site, eventually

pytestmark = pytest.mark.django_db(transaction=True)

# As many as the site answers at once.
THREADS = 16
BOOK = """
    mutation($first: BookParkingSpotInput!, $second: BookParkingSpotInput!) {
      first: bookParkingSpot(input: $first) { booking { id } errors { message } }
      second: bookParkingSpot(input: $second) { booking { id } errors { message } }
    }
"""


class Visitor:
    """Books two hours of the spot in one request, on a connection of its own."""

    def __init__(self, site: Site, spot: Listing, number: int) -> None:
        day = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        self.starts = [day + timedelta(hours=4 * number + 2 * part) for part in range(2)]
        body = json.dumps({
            "query": BOOK,
            "variables": {
                name: {
                    "parkingSpotId": to_global_id("ParkingSpot", spot.pk),
                    "startsAt": start.isoformat(),
                    "minutes": 60,
                    "contact": {"email": "walker@example.com", "firstName": "Jo", "lastName": "Walker"},
                }
                for name, start in zip(("first", "second"), self.starts, strict=True)
            },
        }).encode()  # fmt: skip
        where = urlsplit(site.url)
        self._socket = socket.create_connection((where.hostname, where.port), timeout=60)
        head = f"POST /graphql HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
        self._socket.sendall(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def leave(self) -> None:
        """Go, and see that the server has noticed."""
        self._socket.shutdown(socket.SHUT_WR)
        assert self._socket.recv(1) == b""
        self._socket.close()

    def answer(self) -> bytes:
        """All that the server says."""
        with self._socket as heard:
            return b"".join(iter(lambda: heard.recv(65_536), b""))


def waiting() -> int:
    """How many sessions wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def go_round(site: Site) -> None:
    """Wait until the server's loop has done what it had to do before."""
    for _ in range(2):
        with urllib.request.urlopen(f"{site.url}/healthz", timeout=60) as answer:
            assert answer.status == 200


def booked(spot: Listing) -> set[datetime]:
    return {each.period.lower for each in Booking.objects.filter(listing=spot)}


def has_rested(spot: Listing) -> bool:
    """Whether for half a second nothing more was booked."""
    before = booked(spot)
    time.sleep(0.5)
    return booked(spot) == before


def test_who_leaves_stops_costing(site: Site) -> None:
    spot = make_parking_spot()
    with transaction.atomic():
        Listing.objects.select_for_update().get(pk=spot.pk)
        patient, *others = [Visitor(site, spot, number) for number in range(THREADS)]
        eventually(lambda: waiting() == THREADS, "all threads are busy")
        queued = [Visitor(site, spot, number) for number in range(THREADS, THREADS + 4)]
        for each in (*others, *queued):
            each.leave()
        # All of them have come to the server's loop, and were there for longer than nobody looks whether they are.
        go_round(site)
        time.sleep(2 * UNWATCHED_SECONDS)
        go_round(site)
        assert waiting() == THREADS

    assert b'"errors":[]' in patient.answer()
    eventually(lambda: has_rested(spot) and len(booked(spot)) >= THREADS + 1, "what had begun is done")
    begun = {each.starts[0] for each in (patient, *others)}
    assert booked(spot) == {*begun, patient.starts[1]}
