"""graphql-ws, graphql-sse, Apollo Client and urql from npm, against the real processes."""

import os
import signal
import time
from urllib.parse import urlsplit

import pytest
from django.db import transaction

from apps.live import selectors
from apps.live.actions import number_waiting, publish
from apps.live.models import LiveEvent
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.clients.driver import Clients
from tests.live.conftest import BOOK, book, token_of
from tests.live.test_subscriptions import CANCEL, CHANGED, UPDATED
from tests.live.wire import Wire
from tests.recipes import PASSWORD, make_guest, make_parking_spot
from tests.serving import Site, eventually

KINDS = ["graphql-ws", "graphql-sse", "apollo", "urql"]
STATUS = "query($id: ID!) { booking(id: $id) { id status } }"
STATUS_CHANGED = "subscription($id: ID!) { bookingUpdated(id: $id) { id status } }"
NETWORK_IS_LOST_SECONDS = 10.0


@pytest.fixture
def guest(transactional_db: None) -> User:
    return make_guest(password=PASSWORD)


def here() -> str:
    """Where the log is now. Who names it is told all that happens from now on, however long subscribing takes."""
    number_waiting()
    return str(selectors.head())


def happen(listing_id: int, *, times: int) -> None:
    for _ in range(times):
        with transaction.atomic():
            publish(topic=f"availability:{listing_id}")


def changes_of(listing_id: int, *, after: str) -> list[str]:
    number_waiting()
    rows = LiveEvent.objects.filter(topic=f"availability:{listing_id}", position__gt=int(after))
    return [to_global_id("AvailabilityChange", pk) for pk in rows.order_by("position").values_list("pk", flat=True)]


def told(clients: Clients, name: str, *, times: int) -> list[str]:
    """The ids of the next changes that the client hands to its user."""
    results = [clients.next(name) for _ in range(times)]
    assert [each.get("errors") for each in results] == [None] * times
    return [each["data"]["availabilityChanged"]["id"] for each in results]


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_queries_books_and_is_told(site: Site, clients: Clients, guest: User, kind: str) -> None:
    spot = make_parking_spot()
    spot_id = to_global_id("ParkingSpot", spot.pk)
    clients.open(kind, kind, token=token_of(site, guest), lastEventId=here())
    clients.subscribe(kind, CHANGED, ids=[spot_id])

    assert clients.ask(kind, "{ me { email } }")["me"]["email"] == guest.email
    given = {"parkingSpotId": spot_id, "startsAt": "2027-06-01T10:00:00Z", "minutes": 60}
    booked = clients.ask(kind, BOOK, input=given)["bookParkingSpot"]
    assert booked["errors"] == []
    change = clients.next(kind)["data"]["availabilityChanged"]
    assert (change["listing"]["id"], change["availableNow"]) == (spot_id, True)
    assert change["period"]["start"].startswith("2027-06-01T10:00:00")

    clients.stop(kind)
    clients.ask(kind, CANCEL, id=booked["booking"]["id"])
    assert clients.ask(kind, "query($id: ID!) { booking(id: $id) { status } }", id=booked["booking"]["id"]) == {
        "booking": {**({"__typename": "Booking"} if kind in {"apollo", "urql"} else {}), "status": "CANCELED"}
    }
    assert clients.unread(kind, "next") == []
    clients.close(kind)


def test_a_bad_token_is_told_to_each_client(site: Site, clients: Clients) -> None:
    for kind in ("graphql-ws", "graphql-sse"):
        clients.open(f"bad {kind}", kind, token="no.such.token", retryAttempts=0)
        clients.subscribe(f"bad {kind}", CHANGED, ids=["x"])
    closed = clients.report("bad graphql-ws", "error", key="1")["error"]
    assert closed == {"code": 4403, "reason": "The access token is not valid"}
    assert clients.report("bad graphql-sse", "error", key="1")["error"]["status"] == 401


def test_a_refused_subscription_leaves_the_others_of_its_socket(site: Site, clients: Clients) -> None:
    payload = book(site.client(), make_parking_spot(), contact=True)
    opened = {"id": payload["booking"]["id"], "t": payload["accessToken"]}
    clients.open("holder", "graphql-ws", lastEventId=here())

    clients.subscribe("holder", UPDATED, key="opened", **opened)
    clients.subscribe("holder", UPDATED, key="closed", id=opened["id"])

    (refused,) = clients.report("holder", "error", key="closed")["error"]
    assert refused["extensions"]["code"] == "NOT_FOUND"
    site.client().data(CANCEL, opened)
    assert clients.next("holder", key="opened")["data"]["bookingUpdated"]["status"] == "CANCELED"
    clients.close("holder")


def test_a_subscription_brings_apollo_s_cache_up_to_date(site: Site, clients: Clients, guest: User) -> None:
    token = token_of(site, guest)
    booking = book(site.client(token=token), make_parking_spot())["booking"]
    clients.open("page", "apollo", token=token, lastEventId=here())
    clients.watch("page", STATUS, key="shown", id=booking["id"])

    def shown(status: str) -> bool:
        data = clients.next("page", key="shown").get("data") or {"booking": {"status": ""}}
        return bool(data["booking"]["status"] == status)

    eventually(lambda: shown("PENDING"), "the booking is shown as it is")
    clients.subscribe("page", STATUS_CHANGED, key="live", id=booking["id"])
    site.client(token=token).data(CANCEL, {"id": booking["id"]})
    eventually(lambda: shown("CANCELED"), "the page shows the change, without a query of its own")
    clients.close("page")


def test_clients_outlive_the_web_process_and_hear_what_they_missed_once(site: Site, clients: Clients) -> None:
    spot, start = make_parking_spot(), here()
    spot_id = to_global_id("ParkingSpot", spot.pk)
    for kind in ("graphql-ws", "graphql-sse"):
        clients.open(kind, kind, lastEventId=start)
        clients.subscribe(kind, CHANGED, ids=[spot_id])
    happen(spot.pk, times=2)
    seen = {kind: told(clients, kind, times=2) for kind in ("graphql-ws", "graphql-sse")}

    web = site.children["web"]
    assert web.pid is not None
    os.killpg(web.pid, signal.SIGKILL)
    eventually(lambda: web.ended() is not None, "the web server ended")
    happen(spot.pk, times=3)
    web.start()
    for kind, ids in seen.items():
        ids += told(clients, kind, times=3)
    happen(spot.pk, times=2)
    for kind, ids in seen.items():
        ids += told(clients, kind, times=2)

    expected = changes_of(spot.pk, after=start)
    assert len(expected) == 7
    assert seen == {"graphql-ws": expected, "graphql-sse": expected}
    for kind in seen:
        assert clients.unread(kind, "next") == []
        clients.close(kind)


def test_ten_seconds_without_a_network_lose_nothing_and_double_nothing(site: Site, clients: Clients) -> None:
    spot, start = make_parking_spot(), here()
    spot_id = to_global_id("ParkingSpot", spot.pk)
    address = urlsplit(site.url)
    assert address.hostname is not None
    assert address.port is not None
    wire = Wire(address.hostname, address.port)
    # One notices by pings that nobody answers and makes new connections; the other two wait.
    kinds = {"pinging": "graphql-ws", "waiting": "graphql-ws", "stream": "graphql-sse"}
    try:
        for name, kind in kinds.items():
            keep_alive = {"keepAlive": 1500} if name == "pinging" else {}
            url = f"http://127.0.0.1:{wire.port}/graphql"
            clients.open(name, kind, url=url, lastEventId=start, **keep_alive)
            clients.subscribe(name, CHANGED, ids=[spot_id])
        happen(spot.pk, times=2)
        seen = {name: told(clients, name, times=2) for name in kinds}

        wire.freeze()
        begun = time.monotonic()
        happen(spot.pk, times=5)
        assert clients.report("pinging", "closed")["closed"] == 4499
        time.sleep(max(0.0, begun + NETWORK_IS_LOST_SECONDS - time.monotonic()))
        assert [clients.unread(name, "next") for name in kinds] == [[], [], []]
        wire.thaw()

        for name, ids in seen.items():
            ids += told(clients, name, times=5)
        happen(spot.pk, times=2)
        for name, ids in seen.items():
            ids += told(clients, name, times=2)
        expected = changes_of(spot.pk, after=start)
        assert seen == dict.fromkeys(kinds, expected)
        assert [clients.unread(name, "next") for name in kinds] == [[], [], []]
        for name in kinds:
            clients.close(name)
    finally:
        wire.close()
