"""The protocol graphql-transport-ws, against the real server."""

import asyncio
import json

import pytest

from tests.live.clients import greeted, run, socket
from tests.serving import Site

PING = "{ __typename }"
WATCH = 'subscription { availabilityChanged(listingIds: ["UGFya2luZ1Nwb3Q6MQ=="]) { id } }'


def test_a_client_that_says_nothing_is_closed_with_4408(site: Site) -> None:
    async def test() -> None:
        async with socket(site.url) as client:
            assert await client.closing() == (4408, "Connection initialisation timeout")

    run(test())


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "[]",
        '"text"',
        "{}",
        '{"type": 7}',
        '{"type": "start"}',
        b"\x00\x01",
        '{"type": "x' + "y" * 300_000 + '"}',
    ],
)
def test_what_is_no_message_is_closed_with_4400(site: Site, message: str | bytes) -> None:
    async def test() -> None:
        async with socket(site.url) as client:
            await client.send(message)
            assert (await client.closing())[0] == 4400

    run(test())


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe", "payload": {"query": PING}},
        {"type": "subscribe", "id": "", "payload": {"query": PING}},
        {"type": "subscribe", "id": 1, "payload": {"query": PING}},
        {"type": "subscribe", "id": "a"},
        {"type": "subscribe", "id": "a", "payload": {}},
        {"type": "subscribe", "id": "a", "payload": {"query": PING, "variables": []}},
        {"type": "subscribe", "id": "a", "payload": {"query": PING, "operationName": 1}},
        {"type": "complete"},
    ],
)
def test_a_malformed_subscribe_is_closed_with_4400(site: Site, message: dict[str, object]) -> None:
    async def test() -> None:
        async with greeted(site.url) as client:
            await client.send(message)
            assert (await client.closing())[0] == 4400

    run(test())


def test_subscribing_before_the_greeting_is_closed_with_4401(site: Site) -> None:
    async def test() -> None:
        async with socket(site.url) as client:
            await client.send({"type": "subscribe", "id": "1", "payload": {"query": PING}})
            assert await client.closing() == (4401, "Unauthorized")

    run(test())


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Bearer", "nonsense", 7])
def test_a_bad_token_is_closed_with_4403(site: Site, header: object) -> None:
    async def test() -> None:
        async with socket(site.url) as client:
            await client.send({"type": "connection_init", "payload": {"Authorization": header}})
            assert (await client.closing())[0] == 4403

    run(test())


@pytest.mark.parametrize("payload", [None, {}, {"Authorization": None}, {"Authorization": ""}, {"other": 1}])
def test_without_a_token_the_caller_is_anonymous(site: Site, payload: object) -> None:
    async def test() -> None:
        async with socket(site.url) as client:
            await client.send({"type": "connection_init", **({} if payload is None else {"payload": payload})})
            assert await client.receive() == {"type": "connection_ack"}
            await client.subscribe("1", "{ me { email } }")
            assert (await client.next("1"))["data"] == {"me": None}

    run(test())


def test_the_same_id_twice_is_closed_with_4409(site: Site) -> None:
    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("same", WATCH)
            await client.subscribe("same", WATCH)
            assert await client.closing() == (4409, "Subscriber for same already exists")

    run(test())


def test_an_id_is_free_again_after_complete(site: Site) -> None:
    async def test() -> None:
        async with greeted(site.url) as client:
            for _ in range(3):
                await client.subscribe("same", WATCH)
                await client.send({"type": "complete", "id": "same"})
            assert await client.is_quiet()

    run(test())


def test_a_second_greeting_is_closed_with_4429(site: Site) -> None:
    async def test() -> None:
        async with greeted(site.url) as client:
            await client.send({"type": "connection_init"})
            assert await client.closing() == (4429, "Too many initialisation requests")

    run(test())


def test_pings_are_answered_with_their_payload_also_before_the_greeting(site: Site) -> None:
    async def test() -> None:
        async with socket(site.url) as client:
            await client.send({"type": "ping", "payload": {"n": 1}})
            assert await client.receive() == {"type": "pong", "payload": {"n": 1}}
            await client.send({"type": "ping"})
            assert await client.receive() == {"type": "pong"}
            await client.send({"type": "pong"})
            assert (await client.init())["type"] == "connection_ack"

    run(test())


def test_queries_and_mutations_are_answered_too(site: Site) -> None:
    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("q", "query A { __typename } query B { b: __typename }")
            assert (await client.receive())["type"] == "error"
            await client.send({"type": "subscribe", "id": "q", "payload": {"query": PING}})
            assert (await client.next("q"))["data"] == {"__typename": "Query"}
            assert await client.receive() == {"id": "q", "type": "complete"}
            await client.subscribe("m", "mutation { becomeHost(input: {}) { viewer { email } } }")
            (error,) = (await client.next("m"))["errors"]
            assert error["extensions"]["code"] == "UNAUTHENTICATED"
            assert await client.receive() == {"id": "m", "type": "complete"}

    run(test())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "BAD_USER_INPUT"),
        ("subscription { nothing }", "BAD_USER_INPUT"),
        ("subscription { availabilityChanged { id } }", "BAD_USER_INPUT"),
        ("subscription { availabilityChanged(listingIds: []) { id } }", "BAD_USER_INPUT"),
        ("subscription { availabilityChanged(box: {south: 9, west: 0, north: 1, east: 1}) { id } }", "BAD_USER_INPUT"),
        (f"subscription {{ availabilityChanged(listingIds: {json.dumps(['x'] * 101)}) {{ id }} }}", "BAD_USER_INPUT"),
        ('subscription { bookingUpdated(id: "Qm9va2luZzoxMDAwMDAw") { id } }', "NOT_FOUND"),
        ('subscription { bookingUpdated(id: "nonsense") { id } }', "NOT_FOUND"),
        ('subscription { bookingUpdated(id: "") { id } }', "NOT_FOUND"),
        ("subscription { availabilityChanged(listingIds: []) { id } bookingUpdated(id: 1) { id } }", "BAD_USER_INPUT"),
        (
            'subscription { availabilityChanged(listingIds: ["x"]) { listing { reviews(first: 100) { edges { node {'
            " listing { reviews(first: 100) { edges { node { listing { reviews(first: 100) { edges { node { id"
            " } } } } } } } } } } } } } }",
            "QUERY_TOO_COMPLEX",
        ),
    ],
)
def test_a_refused_subscription_is_an_error_and_the_socket_stays_open(site: Site, query: str, code: str) -> None:
    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("1", query)
            message = await client.receive()
            assert (message["type"], message["id"]) == ("error", "1"), message
            assert message["payload"][0]["extensions"]["code"] == code, message
            await client.subscribe("1", PING)
            assert (await client.next("1"))["data"] == {"__typename": "Query"}

    run(test())


def test_a_socket_runs_so_many_operations_and_no_more(site: Site) -> None:
    async def test() -> None:
        async with greeted(site.url) as client:
            for number in range(51):
                await client.send({"type": "subscribe", "id": str(number), "payload": {"query": WATCH}})
            message = await client.receive()
            assert (message["type"], message["id"]) == ("error", "50")
            assert message["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
            await client.send({"type": "complete", "id": "0"})
            await asyncio.sleep(0.2)
            await client.subscribe("50", WATCH)
            assert await client.is_quiet()

    run(test())


def test_a_page_of_another_site_may_not_connect(site: Site) -> None:
    async def test() -> None:
        with pytest.raises(Exception, match="403"):
            async with socket(site.url, origin="https://evil.example"):
                raise AssertionError("it was let in")
        async with socket(site.url, origin=site.url) as client:
            assert (await client.init())["type"] == "connection_ack"

    run(test())
