"""The clients of `bench.live`: first all listen to their map sections, then fewer ask for the same sections every five seconds.

A change is a booking that begins now or its cancelation; both show on the map. All delays are from the answer of the mutation.
"""

import asyncio
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

POLL_SECONDS = 5.0
BETWEEN_CHANGES_SECONDS = 1.5
REACH_DEGREES = 0.01
TICKS = os.sysconf("SC_CLK_TCK")

WATCH = "subscription($b: BoxInput!) { availabilityChanged(box: $b) { listing { id title } availableNow } }"
MAP = """query($b: BoxInput!) { listings(first: 20, filter: {kind: [PARKING_SPOT], box: $b}) {
    edges { node { id title ... on ParkingSpot { availableNow } } } } }"""
BOOK = """mutation($s: ID!, $t: DateTime!) { bookParkingSpot(input: {parkingSpotId: $s, startsAt: $t, minutes: 60}) {
    booking { id } errors { code field } } }"""
CANCEL = "mutation($b: ID!) { cancelBooking(input: {bookingId: $b}) { errors { code } } }"


@dataclass
class World:
    url: str
    web: int
    database: int
    clients: int
    polling: int
    changes: int
    workers: int
    token: str
    spot: str
    latitude: float
    longitude: float
    booking: str | None = field(default=None, init=False)

    def box(self, number: int) -> dict[str, float]:
        """The section of a client: around the spot, each a little different."""
        reach = REACH_DEGREES + number / 1e6
        return {
            "south": self.latitude - reach,
            "north": self.latitude + reach,
            "west": self.longitude - reach,
            "east": self.longitude + reach,
        }

    async def change(self, client: httpx.AsyncClient) -> float:
        """Book the spot from now on, or cancel that. Returns when that was answered."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if self.booking is None:
            start = datetime.now(UTC).replace(microsecond=0).isoformat()
            given: dict[str, Any] = {"query": BOOK, "variables": {"s": self.spot, "t": start}}
        else:
            given = {"query": CANCEL, "variables": {"b": self.booking}}
        answer = (await client.post("/graphql", json=given, headers=headers)).json()
        (payload,) = answer["data"].values()
        assert payload["errors"] == [], answer
        self.booking = payload["booking"]["id"] if self.booking is None else None
        return time.perf_counter()


def family(root: int) -> list[int]:
    """The process and all that it started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [root]
    for each in found:
        found += parents.get(each, [])
    return found


def cpu_seconds(root: int) -> float:
    """Used so far by the process and all that it started, those that have ended included."""
    ticks = 0
    for pid in family(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
        if pid == root:
            ticks += int(fields[13]) + int(fields[14])
    return ticks / TICKS


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def servers(world: World) -> list[int]:
    """The processes that serve: the largest of the web server's, as many as were asked for."""
    return sorted(family(world.web), key=memory_mb, reverse=True)[: world.workers]


def spread(values: list[float], unit: float = 1000) -> str:
    ordered = sorted(values)
    points = {"p50": 0.5, "p99": 0.99}
    said = [f"{name} {ordered[int(len(ordered) * share)] * unit:.0f}" for name, share in points.items()]
    return f"{', '.join(said)}, latest {ordered[-1] * unit:.0f} ms"


async def listen(world: World, number: int, gate: asyncio.Semaphore) -> ClientConnection:
    async with gate:
        socket = await connect(
            f"{world.url.replace('http', 'ws', 1)}/graphql",
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
            compression=None,
            ping_interval=None,
            open_timeout=120,
        )
        await socket.send('{"type":"connection_init"}')
        await socket.recv()
        payload = {"query": WATCH, "variables": {"b": world.box(number)}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        return socket


async def arrivals(socket: ClientConnection, into: list[float]) -> None:
    """Note when each event comes."""
    async for text in socket:
        if '"type":"next"' in str(text):
            into.append(time.perf_counter())
        elif '"type":"ping"' in str(text):
            await socket.send('{"type":"pong"}')


async def pushed(world: World, client: httpx.AsyncClient) -> None:
    before = [memory_mb(pid) for pid in servers(world)]
    gate = asyncio.Semaphore(20)
    sockets = await asyncio.gather(*(listen(world, number, gate) for number in range(world.clients)))
    await asyncio.sleep(5)
    after = [memory_mb(pid) for pid in servers(world)]
    for number, (empty, full) in enumerate(zip(before, after, strict=True)):
        print(f"web process {number + 1}: {empty:.0f} MB, with its share of {world.clients} idle sockets {full:.0f} MB")
    came: list[list[float]] = [[] for _ in sockets]
    readers = [asyncio.create_task(arrivals(*each)) for each in zip(sockets, came, strict=True)]
    used, begun = usage(world), time.perf_counter()
    delays: list[float] = []
    for number in range(world.changes):
        answered = await world.change(client)
        until = answered + 60
        while any(len(each) <= number for each in came) and time.perf_counter() < until:
            await asyncio.sleep(0.05)
        assert all(len(each) == number + 1 for each in came), "an event did not reach everybody once"
        delays += [each[number] - answered for each in came]
        await asyncio.sleep(max(0.0, BETWEEN_CHANGES_SECONDS - (time.perf_counter() - answered)))
    seconds = time.perf_counter() - begun
    print(f"pushed to {world.clients}, {world.changes} changes in {seconds:.0f} s: stale for {spread(delays)}")
    print(f"  requests: {world.changes}, events: {len(delays)}; {cost(usage(world), used)}")
    for reader, socket in zip(readers, sockets, strict=True):
        reader.cancel()
        socket.transport.abort()


async def polled(world: World, client: httpx.AsyncClient) -> None:
    seen: list[float] = []
    changed: list[float] = []
    requests = 0

    async def ask(number: int) -> None:
        nonlocal requests
        await asyncio.sleep(random.random() * POLL_SECONDS)
        free, known = True, 0
        while True:
            asked = time.perf_counter()
            given = {"query": MAP, "variables": {"b": world.box(number)}}
            answer = (await client.post("/graphql", json=given)).json()
            requests += 1
            edges = answer["data"]["listings"]["edges"]
            (now,) = (each["node"]["availableNow"] for each in edges if each["node"]["id"] == world.spot)
            if now != free:
                # All changes up to here are seen; those between two looks are seen as one.
                free = now
                seen.extend(time.perf_counter() - at for at in changed[known:])
                known = len(changed)
            await asyncio.sleep(max(0.0, POLL_SECONDS - (time.perf_counter() - asked)))

    used, begun = usage(world), time.perf_counter()
    askers = [asyncio.create_task(ask(number)) for number in range(world.polling)]
    await asyncio.sleep(POLL_SECONDS)
    for _ in range(max(2, world.changes // 4)):
        changed.append(await world.change(client))
        # Each asker looks once between two changes.
        await asyncio.sleep(2 * POLL_SECONDS)
    seconds = time.perf_counter() - begun
    for asker in askers:
        asker.cancel()
    await asyncio.gather(*askers, return_exceptions=True)
    for each in await asyncio.gather(*askers, return_exceptions=True):
        assert isinstance(each, asyncio.CancelledError), each
    print(f"polled by {world.polling} every {POLL_SECONDS:.0f} s for {seconds:.0f} s: stale for {spread(seen)}")
    print(f"  requests: {requests}, {requests / seconds:.1f} a second; {cost(usage(world), used)}")


def usage(world: World) -> tuple[float, float]:
    return cpu_seconds(world.web), cpu_seconds(world.database)


def cost(now: tuple[float, float], then: tuple[float, float]) -> str:
    return f"CPU: {now[0] - then[0]:.1f} s of the web server, {now[1] - then[1]:.1f} s of PostgreSQL"


async def measure(world: World) -> None:
    print(f"load average {os.getloadavg()[0]:.1f} at the start")
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=world.url, timeout=120, limits=limits) as client:
        await world.change(client)
        await world.change(client)
        await pushed(world, client)
        await polled(world, client)
    print(f"load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    asyncio.run(measure(World(**json.loads(sys.argv[1]))))
