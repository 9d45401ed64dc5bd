"""A new version while people book: every process is told to stop and started again, and nobody notices."""

import asyncio
import http.client
import json
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from apps.availability.models import Stock
from apps.bookings.models import Booking
from apps.listings.models import Listing
from apps.payments.models import Charge
from schema.core.ids import to_global_id
from tests.deploy.fleet import WORKERS, running_fleet
from tests.live.clients import greeted
from tests.live.test_servers_away import here, log_of
from tests.recipes import make_event
from tests.serving import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

FIND = "query Find { listings(first: 3) { edges { node { id title } } } }"
HOLD = """
    mutation Hold($input: BookEventInput!) {
      bookEvent(input: $input) { booking { id reference } accessToken errors { code message } }
    }
"""
PAY = "mutation Pay($input: PayBookingInput!) { payBooking(input: $input) { payment { status } errors { code message } } }"
CHANGED = "subscription($ids: [ID!]) { availabilityChanged(listingIds: $ids) { id } }"


class Traffic:
    """Clients that keep their connection to the proxy and ask one thing after the other; none of them tries anything twice."""

    def __init__(self, url: str, event: Listing) -> None:
        self._address = url.removeprefix("http://")
        self._event = to_global_id("Event", event.pk)
        self._over = threading.Event()
        self.failures: list[str] = []
        self.answered = 0
        self.references: list[str] = []
        self._guard = threading.Lock()
        self._threads = [threading.Thread(target=work) for work in (self._look, self._book, self._book)]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _look(self) -> None:
        with closing(self._connected()) as client:
            while not self._over.is_set():
                self._ask(client, FIND, {})
                time.sleep(0.1)

    def _book(self) -> None:
        with closing(self._connected()) as client:
            while not self._over.is_set():
                self._book_one(client)
                # A booking and its payment cost all processes more than twenty looks, which hit the moments of a restart as well.
                time.sleep(0.5)

    def _book_one(self, client: http.client.HTTPConnection) -> None:
        contact = {"email": "walker@example.com", "firstName": "Jo", "lastName": "Walker"}
        held = self._ask(client, HOLD, {"eventId": self._event, "tickets": 1, "contact": contact})
        if held is None or self._is_refused(held["bookEvent"]):
            return
        booking = held["bookEvent"]["booking"]
        with self._guard:
            self.references.append(booking["reference"])
        given = {"bookingId": booking["id"], "accessToken": held["bookEvent"]["accessToken"]}
        paid = self._ask(client, PAY, {**given, "paymentMethod": "pm_card_visa"})
        if paid is not None:
            self._is_refused(paid["payBooking"])

    def _is_refused(self, payload: dict[str, Any]) -> bool:
        for error in payload["errors"]:
            self._fail(str(error))
        return bool(payload["errors"])

    def _connected(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._address, timeout=60)

    def _ask(self, client: http.client.HTTPConnection, query: str, given: dict[str, Any]) -> Any:
        body = json.dumps({"query": query, "variables": {"input": given} if given else {}})
        try:
            client.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            answer = client.getresponse()
            text = answer.read()
            if answer.status != 200 or "errors" in (said := json.loads(text)):
                self._fail(f"{answer.status} {text[:300]!r}")
                return None
        except (OSError, http.client.HTTPException, ValueError) as error:
            client.close()
            self._fail(repr(error))
            return None
        with self._guard:
            self.answered += 1
        return said["data"]

    def _fail(self, what: str) -> None:
        with self._guard:
            self.failures.append(what)


class Listener:
    """A client that listens to the event's changes and comes back, with the last that it saw, whenever it is sent away."""

    def __init__(self, url: str, event: Listing, *, after: str) -> None:
        self._url = url
        self._given = {"ids": [to_global_id("Event", event.pk)]}
        self._last = after
        self.heard: list[str] = []
        self.sent_away: list[int | None] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    async def _listen(self) -> None:
        while not self._over.is_set():
            async with greeted(self._url) as client:
                await client.subscribe("1", CHANGED, self._given, lastEventId=self._last)
                try:
                    while not self._over.is_set():
                        try:
                            told = await client.receive(seconds=0.2)
                        except TimeoutError:
                            continue
                        self._take(told["payload"])
                except ConnectionClosed:
                    self.sent_away.append(client.connection.close_code)

    def _take(self, payload: dict[str, Any]) -> None:
        assert "refetch" not in payload["extensions"], payload
        self._last = payload["extensions"]["eventId"]
        self.heard.append(payload["data"]["availabilityChanged"]["id"])


def test_nobody_notices_a_new_version(tmp_path: Path) -> None:
    event = make_event(tickets=5_000)
    start = here()
    with running_fleet(tmp_path) as fleet:
        listeners = [Listener(fleet.url, event, after=start) for _ in range(2)]
        with ExitStack() as stack:
            for listener in listeners:
                stack.enter_context(listener)
            with Traffic(fleet.url, event) as traffic:
                eventually(lambda: len(traffic.references) > 2, "people book")
                # The order in which a release goes.
                fleet.restart(*WORKERS, "beat")
                fleet.restart("web-1")
                fleet.restart("web-2")
                booked = len(traffic.references)
                eventually(lambda: len(traffic.references) > booked + 2, "people book on")
            eventually(_all_are_paid, "every payment is carried out", seconds=60)
            changes = log_of(event, after=start)
            eventually(lambda: all(len(each.heard) >= len(changes) for each in listeners), "everything was told")

    assert traffic.failures == []
    assert traffic.answered > 50
    # Nothing is lost, and nothing was done twice.
    assert sorted(Booking.objects.values_list("reference", flat=True)) == sorted(traffic.references)
    assert Stock.objects.get(listing=event).taken == len(traffic.references)
    assert sorted(Charge.objects.values_list("bill__booking__reference", "status")) == [
        (reference, "SUCCEEDED") for reference in sorted(traffic.references)
    ]
    assert [each.heard for each in listeners] == [changes, changes]
    assert all(listener.sent_away and set(listener.sent_away) == {1013} for listener in listeners)


def _all_are_paid() -> bool:
    return not Booking.objects.exclude(status="CONFIRMED").exists()
