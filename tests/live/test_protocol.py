"""graphql-transport-ws under a checker of its own: whatever a client sends, the server keeps to the protocol or closes."""

import asyncio
import json
import random
import socket as sockets
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

from tests.live.clients import SocketClient, greeted, run, socket
from tests.live.test_sockets import PING, WATCH
from tests.serving import Site

CONVERSATIONS = 60
FRAMES = 25
# What the protocol has for a client's mistakes, and of WebSocket itself: text that is none, and a connection that was reset
# because the client went on talking after the server had closed.
CODES = {4400, 4401, 4403, 4408, 4409, 4429, 1007, 1006}
HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
GARBAGE = {
    "a frame without a mask": b"\x81\x05hello",
    "reserved bits": b"\xf1\x80\0\0\0\0",
    "an unknown kind": b"\x83\x80\0\0\0\0",
    "a ping of a kilobyte": b"\x89\xfe\x04\x00\0\0\0\0" + b"x" * 1024,
    "a part that begins nothing": b"\x80\x81\0\0\0\0x",
    "text that is none": b"\x81\x82\0\0\0\0\xff\xfe",
    "a length beyond all": b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"\0\0\0\0",
    "no frames at all": b"GET / HTTP/1.1\r\n\r\n" * 50,
}


class Checker:
    """Knows what was sent and holds each message of the server against it."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.is_greeted = False

    def sent(self, frame: str | bytes) -> None:
        try:
            message = json.loads(frame)
        except ValueError:
            return
        if isinstance(message, dict) and message.get("type") == "subscribe" and isinstance(message.get("id"), str):
            self.asked.add(message["id"])

    def received(self, text: str | bytes) -> None:
        assert isinstance(text, str)
        message: dict[str, Any] = json.loads(text)
        match message["type"]:
            case "connection_ack":
                assert message == {"type": "connection_ack"}
                assert not self.is_greeted, "acknowledged twice"
                self.is_greeted = True
            case "ping" | "pong":
                assert set(message) <= {"type", "payload"}
            case "next":
                assert set(message) == {"id", "type", "payload"}
                assert message["id"] in self.asked
                assert isinstance(message["payload"], dict)
                assert {"data", "errors"} & set(message["payload"]), message
            case "error":
                assert set(message) == {"id", "type", "payload"}
                assert message["id"] in self.asked
                assert isinstance(message["payload"], list)
                assert message["payload"], message
                assert all(isinstance(error["message"], str) for error in message["payload"])
            case "complete":
                assert set(message) == {"id", "type"}
                assert message["id"] in self.asked
            case other:
                raise AssertionError(f"the protocol has no {other}")


def anything(dice: random.Random, depth: int = 0) -> Any:
    """Some JSON value."""
    simple: list[Any] = [None, True, -1, 2**70, 0.5, "", "x", "\u0000", "\ud800", PING, "Bearer x", "1"]
    if depth > 2 or dice.random() < 0.6:
        return dice.choice(simple)
    if dice.random() < 0.3:
        return [anything(dice, depth + 1) for _ in range(dice.randrange(4))]
    keys = [
        "query",
        "variables",
        "operationName",
        "extensions",
        "Authorization",
        "lastEventId",
        "id",
        "type",
        "payload",
    ]
    return {dice.choice(keys): anything(dice, depth + 1) for _ in range(dice.randrange(4))}


def frame(dice: random.Random) -> str | bytes:
    """Something that a client might send: mostly right, often nearly right, sometimes nothing at all."""
    choice = dice.random()
    key = str(dice.randrange(30))
    if choice < 0.5:
        query = dice.choice([PING, WATCH, "{", "{ nothing }", "subscription { nothing }"])
        message: Any = {"type": "subscribe", "id": key, "payload": {"query": query}}
    elif choice < 0.7:
        message = {"type": "complete", "id": key}
    elif choice < 0.96:
        message = {"type": dice.choice(["ping", "pong"]), **({"payload": {"n": 1}} if dice.random() < 0.5 else {})}
    elif choice < 0.97:
        message = {"type": "connection_init"}
    else:
        message = {"type": dice.choice(["subscribe", "complete", "ping", "pong", "next", "start", 5])}
        message |= {name: anything(dice) for name in ("id", "payload") if dice.random() < 0.7}
    text = json.dumps(message)
    if dice.random() < 0.01:
        nothing: list[str | bytes] = [text[: dice.randrange(len(text))], text.encode(), b"\x00\xff", "[]", " "]
        return dice.choice(nothing)
    return text


async def converse(url: str, seed: int) -> int | None:
    """One client's frames and the server's answers. The code that the server closed with, None when it did not."""
    dice, checker = random.Random(seed), Checker()
    async with socket(url) as client:
        reading = asyncio.create_task(read(client, checker))
        try:
            if dice.random() < 0.8:
                await client.send({"type": "connection_init", "payload": {}})
            for _ in range(FRAMES):
                each = frame(dice)
                checker.sent(each)
                await client.send(each)
                if dice.random() < 0.3:
                    await asyncio.sleep(0.01)
            await client.send({"type": "ping", "payload": {"n": "last"}})
            await asyncio.wait_for(reading, 300)
        except ConnectionClosed:
            await asyncio.wait_for(reading, 300)
        return client.connection.close_code


async def read(client: SocketClient, checker: Checker) -> None:
    """Check all that comes, until the last ping is answered or the server closes."""
    try:
        while True:
            text = await client.connection.recv()
            checker.received(text)
            if json.loads(text) == {"type": "pong", "payload": {"n": "last"}}:
                return
    except ConnectionClosed:
        return


def test_whatever_is_sent_the_server_keeps_to_the_protocol(site: Site) -> None:
    log = site.children["web"].log
    said = len(log.read_bytes())

    async def test() -> None:
        async with greeted(site.url) as bystander:
            await bystander.subscribe("1", WATCH)
            codes: list[int | None] = []
            for start in range(0, CONVERSATIONS, 10):
                codes += await asyncio.gather(*(converse(site.url, seed) for seed in range(start, start + 10)))
            assert set(codes) - {None, 1000} <= CODES
            # The dice are such that each of these comes up, and some conversations end well.
            assert {4400, 4401, 4409, 4429} <= set(codes)
            assert {None, 1000} & set(codes)
            assert await bystander.is_quiet()
            await bystander.subscribe("2", PING)
            assert (await bystander.next("2"))["data"] == {"__typename": "Query"}

    run(test())
    assert "Traceback" not in log.read_bytes()[said:].decode()


@pytest.mark.parametrize("name", GARBAGE)
def test_frames_that_are_none_end_their_connection_alone(site: Site, name: str) -> None:
    address = urlsplit(site.url)
    assert address.hostname is not None
    assert address.port is not None
    with sockets.create_connection((address.hostname, address.port), timeout=300) as raw:
        raw.sendall(HANDSHAKE.format(host=address.netloc).encode())
        said = raw.recv(4096)
        assert said.startswith(b"HTTP/1.1 101"), said
        raw.sendall(GARBAGE[name])
        # It closes, in whatever words, and well before it would for want of a greeting.
        raw.settimeout(4)
        try:
            while raw.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert site.client().data("{ __typename }") == {"__typename": "Query"}


def test_the_older_protocol_and_none_are_closed_with_4406(site: Site) -> None:
    async def test(*protocols: str) -> None:
        async with socket(site.url, protocol=protocols[0]) as client:
            assert await client.closing() == (4406, "Subprotocol not acceptable")

    run(test("graphql-ws"))
    run(test("chat"))
