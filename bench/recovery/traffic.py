"""Clients that book, pay and cancel over HTTP, and ask again until they have an answer, as a good client does."""

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from bench.bookings.ground import Ground
from bench.bookings.requests import global_id

BOOK = {
    "event": "mutation($input: BookEventInput!) { bookEvent(input: $input) "
    "{ booking { id reference } accessToken errors { code field message } } }",
    "home": "mutation($input: BookPropertyInput!) { bookProperty(input: $input) "
    "{ booking { id reference } accessToken errors { code field message } } }",
}
PAY = (
    "mutation($input: PayBookingInput!) { payBooking(input: $input) "
    "{ payment { id status } errors { code field message } } }"
)
CANCEL = (
    "mutation($input: CancelBookingInput!) { cancelBooking(input: $input) "
    "{ booking { id status } errors { code field message } } }"
)
ANSWER_SECONDS = 20.0
AGAIN_SECONDS = 0.1


@dataclass(slots=True)
class Booked:
    """What one client was told of one booking."""

    email: str
    reference: str
    is_paid: bool = False
    is_canceled: bool = False


@dataclass
class Heard:
    """All answers of all clients. Times are `time.monotonic()`."""

    good: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    bookings: list[Booked] = field(default_factory=list)


class Traffic:
    """So many clients, each with one connection and the next request when the answer is there."""

    def __init__(self, port: int, ground: Ground, *, clients: int, first: int) -> None:
        self.heard = Heard()
        self._port = port
        self._ground = ground
        self._stop = threading.Event()
        # No two outages ask for the same night.
        self._numbers = count(first)
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._be_client, args=(n,), daemon=True) for n in range(clients)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Every client finishes what it is at: what it was not told it has asked again until it was."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _be_client(self, client: int) -> None:
        line = _Line(self._port, self.heard, self._lock)
        while not self._stop.is_set():
            with self._lock:
                number = next(self._numbers)
            self._live(line, number, client)

    def _live(self, line: "_Line", number: int, client: int) -> None:
        email = f"c{client}-{uuid.uuid4().hex[:12]}@example.com"
        what = "event" if number % 2 else "home"
        booked = line.ask(BOOK[what], self._wish(what, number, email))
        if booked is None:
            return
        story = Booked(email=email, reference=booked["booking"]["reference"])
        with self._lock:
            self.heard.bookings.append(story)
        known = {"bookingId": booked["booking"]["id"], "accessToken": booked["accessToken"]}
        key = {"idempotencyKey": uuid.uuid4().hex}
        story.is_paid = line.ask(PAY, {**known, **key, "paymentMethod": "pm_card_visa"}) is not None
        if number % 5 == 0:
            story.is_canceled = line.ask(CANCEL, known) is not None

    def _wish(self, what: str, number: int, email: str) -> dict[str, Any]:
        common = {"contact": {"email": email}, "idempotencyKey": uuid.uuid4().hex}
        if what == "event":
            return {"eventId": global_id("Event", self._ground.event), "tickets": 1, **common}
        home, night = self._ground.first + number % self._ground.homes, number // self._ground.homes
        first = datetime.now(UTC).date() + timedelta(days=30 + night)
        return {
            "propertyId": global_id("Property", home), "checkIn": first.isoformat(),
            "checkOut": (first + timedelta(days=1)).isoformat(), "guests": 1, **common,
        }  # fmt: skip


class _Line:
    """One client's connection."""

    def __init__(self, port: int, heard: Heard, lock: threading.Lock) -> None:
        self._port = port
        self._heard = heard
        self._lock = lock
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, query: str, given: dict[str, Any]) -> dict[str, Any] | None:
        """The mutation's payload; None where it was refused. Asks again until there is an answer."""
        body = json.dumps({"query": query, "variables": {"input": given}})
        while True:
            try:
                payload = self._send(body)
            except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
                self._drop()
                with self._lock:
                    self._heard.failed.append(time.monotonic())
                    self._heard.reasons[f"{type(error).__name__}: {error}"[:80]] += 1
                time.sleep(AGAIN_SECONDS)
                continue
            with self._lock:
                self._heard.good.append(time.monotonic())
                self._heard.refusals.update(error["code"] for error in payload["errors"])
            return None if payload["errors"] else payload

    def _send(self, body: str) -> dict[str, Any]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        self._connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        parsed = json.loads(said)
        if "errors" in parsed:
            raise ValueError(str(parsed["errors"][0]["message"]))
        (payload,) = parsed["data"].values()
        if payload is None:
            raise ValueError("no payload")
        return dict(payload)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
