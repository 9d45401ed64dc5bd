"""How soon many watchers of a map hear of a booking: `python -m bench.live URL [--sockets 1000] [--bookings 10]`.

URL is that of a running demo (`http://127.0.0.1:8000`), started with RATE_LIMITS=off. Each socket watches the section around
a parking spot; the demo's guest books and cancels it. Prints the delays from the answer of the mutation to each message, and
the resident memory of the processes named with --pid.
"""

import argparse
import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

SIGN_IN = 'mutation { tokenAuth(email: "guest@example.com", password: "demo-Password-1") { token } }'
SPOT = (
    "{ listings(first: 1, filter: {kind: [PARKING_SPOT]}) { edges { node { id location { latitude longitude } } } } }"
)
WATCH = "subscription($b: BoxInput!) { availabilityChanged(box: $b) { id at listing { id title } availableNow } }"
BOOK = """mutation($s: ID!, $t: DateTime!) { bookParkingSpot(input: {parkingSpotId: $s, startsAt: $t, minutes: 30}) {
    booking { id } errors { code } } }"""
CANCEL = "mutation($b: ID!) { cancelBooking(input: {bookingId: $b}) { errors { code } } }"


async def ask(client: httpx.AsyncClient, query: str, token: str = "", **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    return answer.json()["data"]


async def open_socket(url: str, box: dict[str, float]) -> ClientConnection:
    socket = await connect(
        f"{url.replace('http', 'ws', 1)}/graphql",
        subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
        compression=None,
        ping_interval=None,
        open_timeout=60,
    )
    await socket.send('{"type":"connection_init"}')
    await socket.recv()
    await socket.send(
        json.dumps({"id": "1", "type": "subscribe", "payload": {"query": WATCH, "variables": {"b": box}}})
    )
    return socket


async def arrival(socket: ClientConnection) -> float:
    while json.loads(await socket.recv())["type"] != "next":
        pass
    return time.perf_counter()


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def measure(url: str, sockets: int, bookings: int, pids: list[int]) -> None:
    before = [memory_mb(pid) for pid in pids]
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        token = (await ask(client, SIGN_IN))["tokenAuth"]["token"]
        spot = (await ask(client, SPOT))["listings"]["edges"][0]["node"]
        place = spot["location"]
        watching: list[ClientConnection] = []
        for number in range(sockets):
            reach = 0.01 + number / 1e6
            watching.append(
                await open_socket(
                    url,
                    {
                        "south": place["latitude"] - reach,
                        "north": place["latitude"] + reach,
                        "west": place["longitude"] - reach,
                        "east": place["longitude"] + reach,
                    },
                )
            )
        await asyncio.sleep(3)
        for pid, was in zip(pids, before, strict=True):
            print(f"process {pid}: {was:.0f} MB before, {memory_mb(pid):.0f} MB with its share of {sockets} sockets")
        start = datetime.now(UTC) + timedelta(days=5)
        delays: list[float] = []
        for number in range(bookings):
            waiting = [asyncio.ensure_future(arrival(socket)) for socket in watching]
            await asyncio.sleep(0.2)
            moment = (start + timedelta(hours=number)).isoformat()
            booking = (await ask(client, BOOK, token, s=spot["id"], t=moment))["bookParkingSpot"]["booking"]
            answered = time.perf_counter()
            delays += [at - answered for at in await asyncio.wait_for(asyncio.gather(*waiting), 60)]
            waiting = [asyncio.ensure_future(arrival(socket)) for socket in watching]
            await ask(client, CANCEL, token, b=booking["id"])
            await asyncio.wait_for(asyncio.gather(*waiting), 60)
        delays.sort()
        print(
            f"{sockets} sockets, {bookings} bookings, {len(delays)} messages: "
            f"p50 {delays[len(delays) // 2] * 1000:.0f} ms, p99 {delays[int(len(delays) * 0.99)] * 1000:.0f} ms, "
            f"latest {delays[-1] * 1000:.0f} ms after the answer"
        )
        for socket in watching:
            socket.transport.abort()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--bookings", type=int, default=10)
    parser.add_argument("--pid", type=int, action="append", default=[])
    given = parser.parse_args()
    asyncio.run(measure(given.url, given.sockets, given.bookings, given.pid))


if __name__ == "__main__":
    main()
