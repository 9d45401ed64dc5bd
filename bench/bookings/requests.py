"""The requests of the HTTP road, and a generator that keeps a number of clients busy with them.

Each client has one connection, sends its next request when the answer is there and reads no more of the answer than it must:
the processors are the server's.
"""

import asyncio
import json
import time
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bench.bookings.ground import Ground

QUERIES = {
    "contended": "mutation($input: BookEventInput!) { bookEvent(input: $input) "
    "{ booking { id reference status expiresAt } accessToken errors { code field message } } }",
    "spread": "mutation($input: BookPropertyInput!) { bookProperty(input: $input) "
    "{ booking { id reference status expiresAt } accessToken errors { code field message } } }",
}


def global_id(type_name: str, key: int) -> str:
    return b64encode(f"{type_name}:{key}".encode()).decode()


def body(what: str, place: Ground, *, client: int, number: int) -> bytes:
    contact = {"email": f"client{client}@example.com"}
    if what == "contended":
        given = {"eventId": global_id("Event", place.event), "tickets": 1, "contact": contact}
    else:
        home, night = place.home_and_night(number)
        first = datetime.now(UTC).date() + timedelta(days=3 + night)
        given = {
            "propertyId": global_id("Property", home),
            "checkIn": first.isoformat(),
            "checkOut": (first + timedelta(days=1)).isoformat(),
            "guests": 1,
            "contact": contact,
        }
    return json.dumps({"query": QUERIES[what], "variables": {"input": given}}).encode()


@dataclass
class Load:
    """What the clients saw. `times` are seconds from request to answer."""

    bookings: int = 0
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


async def _client(load: Load, what: str, place: Ground, *, port: int, client: int, number: int, until: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
    try:
        while (begun := time.monotonic()) < until:
            content = body(what, place, client=client, number=number)
            writer.write(f"{head}{len(content)}\r\n\r\n".encode() + content)
            answered = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(answered.partition(b"content-length:")[2].partition(b"\r\n")[0])
            answer = await reader.readexactly(length)
            if not answered.startswith(b"http/1.1 200") or b'"reference"' not in answer:
                load.errors.append(answer[:500].decode(errors="replace"))
                return
            load.times.append(time.monotonic() - begun)
            load.bookings += 1
            number += 1
    finally:
        writer.close()


async def _clients(
    what: str, place: Ground, *, port: int, clients: int, base: int, stride: int, seconds: float
) -> Load:
    load = Load()
    started = time.monotonic()
    await asyncio.gather(
        *(
            _client(load, what, place, port=port, client=client, number=base + client * stride, until=started + seconds)
            for client in range(clients)
        )
    )
    load.seconds = time.monotonic() - started
    return load


def send(what: str, place: Ground, *, port: int, clients: int, base: int, stride: int, seconds: float) -> Load:
    """Keep `clients` busy booking for `seconds`; those under way then are finished and counted."""
    return asyncio.run(_clients(what, place, port=port, clients=clients, base=base, stride=stride, seconds=seconds))
