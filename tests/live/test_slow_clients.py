"""Clients that read slowly or not at all, over TCP as it is: what waits for them is bounded, and so is how long."""

import asyncio
import base64
import contextlib
import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from apps.live.actions import publish_all
from tests.live.clients import greeted, run
from tests.live.conftest import beside
from tests.live.test_subscriptions import CHANGED, spot_id
from tests.recipes import make_parking_spot
from tests.serving import Site, eventually

EVENTS = 120
# Each event is some 200,000 characters for the slow client.
DESCRIPTION = "A place to stay. " * 300
LONG_ALIASES = " ".join(f"again{number}: description" for number in range(40))
MUCH = f"""subscription($ids: [ID!]) {{
    availabilityChanged(listingIds: $ids) {{ id at listing {{ id {LONG_ALIASES} }} }} }}"""


class DeafClient:
    """A WebSocket by hand: it sends, and reads only when it is told to. Its own buffer is as small as can be."""

    def __init__(self, site: Site) -> None:
        address = urlsplit(site.url)
        assert address.hostname is not None
        assert address.port is not None
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(30)
        self._socket.connect((address.hostname, address.port))
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /graphql HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        while self._file.readline() != b"\r\n":
            pass

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode()
        length = struct.pack("!BBH", 0x81, 0x80 | 126, len(data))
        # A mask of zeros leaves the data as it is.
        self._socket.sendall(length + b"\0\0\0\0" + data)

    def receive(self) -> dict[str, Any]:
        """The next text. Raises EOFError when the server has closed."""
        kind, length = struct.unpack("!BB", self._exactly(2))
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
        data = self._exactly(length)
        if kind & 0x0F == 8:
            raise EOFError(struct.unpack("!H", data[:2])[0] if data else None)
        message: dict[str, Any] = json.loads(data)
        return message

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@contextlib.contextmanager
def deaf(site: Site) -> Iterator[DeafClient]:
    client = DeafClient(site)
    try:
        client.send({"type": "connection_init"})
        assert client.receive() == {"type": "connection_ack"}
        yield client
    finally:
        client.close()


def memory_mb(site: Site) -> float:
    """What all processes of the web server hold."""
    parent = site.children["web"].pid
    kilobytes = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            if str(parent) in (fields["PPid"].strip(), fields["Pid"].strip()) and "VmRSS" in fields:
                kilobytes += int(fields["VmRSS"].split()[0])
    return kilobytes / 1024


def test_who_reads_nothing_is_told_to_query_again_and_costs_little(site: Site) -> None:
    spot = make_parking_spot(description=DESCRIPTION)
    watched = {"ids": [spot_id(spot)]}

    def happen() -> None:
        with transaction.atomic():
            publish_all([(f"availability:{spot.pk}", {})] * EVENTS)

    async def test() -> None:
        with deaf(site) as slow:
            slow.send({"id": "1", "type": "subscribe", "payload": {"query": MUCH, "variables": watched}})
            async with greeted(site.url) as quick:
                await quick.subscribe("1", CHANGED, watched)
                before = await beside(lambda: memory_mb(site))
                await beside(happen)
                # The slow one does not hold up the quick one.
                ids = {(await quick.next("1"))["data"]["availabilityChanged"]["id"] for _ in range(EVENTS)}
                assert len(ids) == EVENTS
                grown = await beside(lambda: memory_mb(site)) - before
            told, size = await asyncio.to_thread(read_to_the_refetch, slow)
            assert told < EVENTS
            # All that was made for it would be much more than what was kept for it.
            assert size * EVENTS > 20_000_000
            assert grown < 12, f"{grown} MB"

    run(test())


def read_to_the_refetch(client: DeafClient) -> tuple[int, int]:
    """How many events came before the client is told to query again, and how large one was."""
    count, size = 0, 0
    while True:
        message = client.receive()
        if message["type"] == "ping":
            continue
        assert message["type"] == "next"
        payload = message["payload"]
        if payload["data"] is None:
            assert payload["extensions"]["refetch"] is True
            return count, size
        count, size = count + 1, len(json.dumps(payload))


def test_who_asks_and_asks_without_reading_is_closed(site: Site) -> None:
    def ask_on(client: DeafClient) -> bool:
        query = "{ " + " ".join(f"a{number}: __typename" for number in range(400)) + " }"
        try:
            for number in range(200):
                client.send({"id": str(number % 20), "type": "ping", "payload": {"query": query}})
        except OSError:
            return True
        return False

    with deaf(site) as client:
        eventually(lambda: ask_on(client), "the server closes the connection")
