"""Many clients at a running demo: how long they wait, and whether what serves them grows.

Starts a demo of its own, keeps the clients busy with searches, listings, bookings of their own, holds and payments, and
watches the resident memory of every process of the demo. Each client thinks between two requests.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.recovery.site import Site, running_demo

SAMPLE_SECONDS = 5.0
ANSWER_SECONDS = 60.0
CITIES = ("London", "Lisbon", "Berlin", "Paris")
# A word of its command line tells what a process is; the first that fits.
PARTS = {
    "postgres": "database",
    "valkey": "redis",
    "sandbox.stripe": "stripe emulator",
    " worker": "worker",
    " beat": "beat",
    "interface wsgi": "web",
    "granian": "web or sockets",
}
CARD = "query($filter: ListingFilter, $by: ListingOrder) { listings(filter: $filter, orderBy: $by, first: 20) { edges { node { id title ratingAverage price { amount currency } location { city } images { url } } } pageInfo { endCursor hasNextPage } } }"
DETAIL = "query($id: ID!) { listing(id: $id) { id title description host { displayName } price { amount currency } ratingAverage reviews(first: 10) { edges { node { rating comment author { displayName } } } } } }"
MINE = "{ me { bookings(first: 10) { edges { node { id reference status period { start end } total { amount currency } listing { title } payments { status } } } } } }"
HOLD = "mutation($input: BookPropertyInput!) { bookProperty(input: $input) { booking { id reference } errors { code field } } }"
PAY = "mutation($input: PayBookingInput!) { payBooking(input: $input) { payment { status } errors { code field } } }"
SIGN_IN = 'mutation { tokenAuth(email: "guest@example.com", password: "demo-Password-1") { token } }'


@dataclass
class Seen:
    """What the clients saw: seconds until the answer by what was asked, and what went wrong."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


class Line:
    """One client's connection."""

    def __init__(self, port: int, token: str = "") -> None:
        self._port = port
        self._token = token
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer's body. Raises OSError, EOFError or TimeoutError where there is none, ValueError where it is none."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        content = json.dumps({"query": query, "variables": variables}).encode()
        head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
        head += f"Authorization: Bearer {self._token}\r\n" if self._token else ""
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(answered.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        if not answered.startswith(b"http/1.1 200"):
            raise ValueError(answered.partition(b"\r\n")[0].decode())
        answer: dict[str, Any] = json.loads(body)
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Client:
    """Somebody who looks around, and sometimes books."""

    def __init__(self, number: int, *, port: int, token: str, homes: list[str], seen: Seen) -> None:
        self._dice = random.Random(number)
        self._line = Line(port, token)
        self._homes = homes
        self._seen = seen

    async def stay(self, *, until: float, think: float) -> None:
        """Ask until the time is over. The first request comes some time within the first pause."""
        await asyncio.sleep(self._dice.random() * think)
        while time.monotonic() < until:
            await self._do()
            await asyncio.sleep(self._dice.expovariate(1 / think) if think else 0)
        self._line.close()

    async def _do(self) -> None:
        chance = self._dice.random()
        if chance < 0.50:
            await self._ask("search", CARD, **self._search())
        elif chance < 0.75:
            await self._ask("listing", DETAIL, id=self._dice.choice(self._homes))
        elif chance < 0.90:
            await self._ask("my bookings", MINE)
        else:
            first = datetime.now(UTC).date() + timedelta(days=self._dice.randrange(3, 700))
            given = {"propertyId": self._dice.choice(self._homes), "guests": 1, **_days(first, 1)}
            answer = await self._ask("hold", HOLD, input=given)
            booking = ((answer or {}).get("bookProperty") or {}).get("booking")
            if booking:
                await self._ask("pay", PAY, input={"bookingId": booking["id"], "paymentMethod": "pm_card_visa"})

    def _search(self) -> dict[str, Any]:
        first = datetime.now(UTC).date() + timedelta(days=self._dice.randrange(3, 300))
        stay = {"city": self._dice.choice(CITIES), "guests": 2, **_days(first, self._dice.randrange(1, 5))}
        return self._dice.choice([
            {},
            {"filter": stay},
            {"filter": {"city": self._dice.choice(CITIES)}, "by": "RATING_DESC"},
            {"filter": {"text": self._dice.choice(["garden", "quiet flat", "central", "jazz"])}},
            {"filter": {"near": {"latitude": 51.5, "longitude": -0.12, "distance": 10}}, "by": "DISTANCE"},
        ])  # fmt: skip

    async def _ask(self, what: str, query: str, **variables: Any) -> dict[str, Any] | None:
        begun = time.monotonic()
        try:
            answer = await asyncio.wait_for(self._line.ask(query, **variables), ANSWER_SECONDS)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self._seen.failed[f"{what}: {error or type(error).__name__}"] += 1
            self._line.close()
            return None
        self._seen.times[what].append(time.monotonic() - begun)
        if answer.get("errors"):
            self._seen.failed[f"{what}: {answer['errors'][0]['message']}"] += 1
        data: dict[str, Any] = answer.get("data") or {}
        for payload in data.values():
            for refusal in (payload or {}).get("errors") or []:
                self._seen.refused[f"{what}: {refusal['code']}"] += 1
        return data


def _days(first: date, nights: int) -> dict[str, str]:
    return {"checkIn": first.isoformat(), "checkOut": (first + timedelta(days=nights)).isoformat()}


def memory_of(root: int) -> dict[str, float]:
    """Resident megabytes below the process, by part. What processes share is counted in each."""
    parents, commands, resident = {}, {}, {}
    for place in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):  # threads of the kernel have no memory
            pid = int(place.name)
            status = (place / "status").read_text()
            parents[pid] = int(status.partition("PPid:")[2].split()[0])
            resident[pid] = int(status.partition("VmRSS:")[2].split()[0]) / 1024
            commands[pid] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    found: dict[str, float] = defaultdict(float)
    for pid in resident:
        line = pid
        while line not in (root, 0, 1):
            line = parents.get(line, 0)
        if line == root and pid != root:
            found[next((part for word, part in PARTS.items() if word in commands[pid]), "other")] += resident[pid]
    return dict(found)


async def load(
    site: Site, *, clients: int, seconds: float, think: float
) -> tuple[Seen, list[tuple[float, dict[str, float]]]]:
    """Keep the clients at it. Returns what they saw, and the memory by seconds since the start."""
    opening = Line(site.port)
    token = (await opening.ask(SIGN_IN))["data"]["tokenAuth"]["token"]
    found = await opening.ask("{ listings(filter: { kind: [PROPERTY] }, first: 100) { edges { node { id } } } }")
    opening.close()
    homes = [edge["node"]["id"] for edge in found["data"]["listings"]["edges"]]
    seen = Seen()
    started = time.monotonic()
    curve: list[tuple[float, dict[str, float]]] = []

    async def watch() -> None:
        while True:
            curve.append((time.monotonic() - started, memory_of(site.process.pid)))
            await asyncio.sleep(SAMPLE_SECONDS)

    watching = asyncio.create_task(watch())
    people = [Client(number, port=site.port, token=token, homes=homes, seen=seen) for number in range(clients)]
    await asyncio.gather(*(person.stay(until=started + seconds, think=think) for person in people))
    watching.cancel()
    curve.append((time.monotonic() - started, memory_of(site.process.pid)))
    return seen, curve


def report(seen: Seen, curve: list[tuple[float, dict[str, float]]], *, seconds: float) -> None:
    whole = [each for times in seen.times.values() for each in times]
    print("| request | number | p50 ms | p99 ms | longest |\n|---|---|---|---|---|")
    for name, times in [*sorted(seen.times.items()), ("all", whole)]:
        cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else [0.0] * 99
        print(f"| {name} | {len(times)} | {cuts[49] * 1000:.0f} | {cuts[98] * 1000:.0f} | {max(times) * 1000:.0f} |")
    print(f"\n{len(whole) / seconds:.0f} requests a second; failed: {dict(seen.failed)}; refused: {dict(seen.refused)}")
    marks: list[tuple[str, Callable[[], dict[str, float]]]] = [
        (f"{share:.0%}", lambda share=share: min(curve, key=lambda at: abs(at[0] - share * curve[-1][0]))[1])  # type: ignore[misc]
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    print(f"\n| resident MB at | {' | '.join(name for name, _ in marks)} |\n|---|{'---|' * len(marks)}")
    for part in sorted({name for _, parts in curve for name in parts}):
        print(f"| {part} | {' | '.join(f'{at().get(part, 0):.0f}' for _, at in marks)} |")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale load", description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--think", type=float, default=2.0, help="seconds between two requests of a client, on average")
    parser.add_argument("--warm", type=float, default=20, help="seconds of the same before anything is counted")
    options = parser.parse_args(arguments)
    if options.clients < 1 or options.seconds <= 0 or options.think < 0 or options.warm < 0:
        parser.error("there must be a client, a time above 0, and no pause below 0")
    with running_demo() as site:
        if options.warm:
            asyncio.run(load(site, clients=options.clients, seconds=options.warm, think=options.think))
        print(f"{options.clients} clients, {options.think} s apart; load {os.getloadavg()[0]:.1f}\n", flush=True)
        seen, curve = asyncio.run(load(site, clients=options.clients, seconds=options.seconds, think=options.think))
    report(seen, curve, seconds=options.seconds)
    return 1 if seen.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
