"""How many bookings per second: `python -m bench.bookings [--rounds 5] [--seconds 4] [--statements]`.

Starts servers of its own on an empty folder and prints, for one contended event and for nights spread over many homes, the
same transaction in plain SQL, by the action and over HTTP. Every measurement ends with a check of the ledgers; an error or
a wrong ledger ends the program with code 1.
"""

import argparse
import os
import platform
import statistics
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.bookings.ground import HOMES, NIGHTS, NUMBERS, Ground
from bench.bookings.requests import send
from bench.bookings.site import WORKERS, Site, cpu_seconds, running_site

SCRIPTS = Path(__file__).parent / "plain"
PLAIN, ACTION, HTTP = "plain SQL", "action", "HTTP"
# The first is what the others are compared with.
ROADS = ((PLAIN, 16), (PLAIN, 2), (ACTION, 2), (ACTION, 16), (HTTP, 16), (HTTP, 64))
WHATS = ("contended", "spread")
# Each measurement of "spread" uses numbers up, the one that counts statements too; and there is a round to warm up.
MOST_ROUNDS = (HOMES * NIGHTS // NUMBERS - 1) // len(ROADS) - 1


@dataclass
class Figures:
    """One figure for each round. CPU is in milliseconds for each booking."""

    per_second: list[float] = field(default_factory=list)
    program_cpu: list[float] = field(default_factory=list)
    database_cpu: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


@dataclass
class Taken:
    """What one measurement found; CPU in seconds."""

    bookings: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    errors: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    database_cpu: float = 0.0


def take(site: Site, ground: Ground, what: str, road: str, clients: int, *, base: int, seconds: float) -> Taken:
    """One measurement."""
    stride = NUMBERS // clients
    before = cpu_seconds(site.database_pid)
    taken = Taken()
    if road == PLAIN:
        taken.bookings, taken.seconds, taken.cpu = site.pgbench(
            SCRIPTS / f"{what}.sql", clients=clients, seconds=seconds,
            event=ground.event, first=ground.first, homes=ground.homes, base=base, stride=stride, step=-1,
        )  # fmt: skip
    elif road == ACTION:
        threads = clients // WORKERS
        for place, worker in enumerate(site.workers):
            worker.tell(
                do="run", what=what, threads=threads, first_client=place * threads, base=base, stride=stride,
                seconds=seconds, ground=asdict(ground),
            )  # fmt: skip
        answers = [worker.answer() for worker in site.workers]
        taken.bookings = sum(answer["bookings"] for answer in answers)
        taken.seconds = max(answer["seconds"] for answer in answers)
        taken.cpu = sum(answer["cpu"] for answer in answers)
        taken.errors = [error for answer in answers for error in answer["errors"]]
    else:
        used = cpu_seconds(site.web_pid)
        load = send(what, ground, port=site.port, clients=clients, base=base, stride=stride, seconds=seconds)
        taken = Taken(load.bookings, load.seconds, cpu_seconds(site.web_pid) - used, load.errors, load.times)
    taken.database_cpu = cpu_seconds(site.database_pid) - before
    return taken


def machine(site: Site) -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    facts = ", ".join(f"{name} {value}" for name, value in site.facts().items())
    return (
        f"{len(names)} x {names[0] if names else platform.machine()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; load {load}\nPostgreSQL: {facts}"
    )


def report(figures: dict[tuple[str, str, int], Figures]) -> None:
    for what in WHATS:
        print(
            f"\n| {what} | connections or clients | bookings/s | ratio | program CPU ms | database CPU ms | answer ms, p95 |"
        )
        print("|---|---|---|---|---|---|---|")
        against = statistics.median(figures[what, *ROADS[0]].per_second)
        for road, clients in ROADS:
            found = figures[what, road, clients]
            rate = statistics.median(found.per_second)
            times = sorted(found.times)
            answer = (
                f"{statistics.median(times) * 1000:.0f}, {times[int(len(times) * 0.95)] * 1000:.0f}" if times else "-"
            )
            print(
                f"| {road} | {clients} | {rate:.0f} | {rate / against:.2f} | {statistics.median(found.program_cpu):.2f} "
                f"| {statistics.median(found.database_cpu):.2f} | {answer} |"
            )


def measure(site: Site, *, rounds: int, seconds: float, show: bool) -> None:
    first, *_ = site.workers
    ground = Ground(**first.ask(do="make"))
    numbers = iter(range(0, ground.homes * NIGHTS, NUMBERS))
    counted = first.ask(do="count", ground=asdict(ground), base=next(numbers))
    made = counted["made"]
    for what, ways in counted["statements"].items():
        lengths = {name: len(statements) for name, statements in ways.items()}
        plain = len(
            [line for line in (SCRIPTS / f"{what}.sql").read_text().splitlines() if line and line[0] not in "-\\"]
        )
        print(f"Statements, {what}: plain SQL {plain}, " + ", ".join(f"{name} {n}" for name, n in lengths.items()))
        if show:
            for statement in ways["action"]:
                print(f"    {statement[:200]}")
    figures = {(what, *road): Figures() for what in WHATS for road in ROADS}
    for number in range(rounds + 1):
        for key, found in figures.items():
            # The first round is short and not counted: it warms every process and cache.
            base = next(numbers) if key[0] == "spread" else 0
            taken = take(site, ground, *key, base=base, seconds=seconds if number else 1)
            made += taken.bookings
            state = first.ask(do="check")
            if taken.errors or state["wrong"] or state["bookings"] != made:
                kinds = Counter(taken.errors).most_common(3)
                raise SystemExit(f"{key}: {kinds} {state}, {made} bookings were answered")
            if number:
                found.per_second.append(taken.bookings / taken.seconds)
                found.program_cpu.append(taken.cpu / taken.bookings * 1000)
                found.database_cpu.append(taken.database_cpu / taken.bookings * 1000)
                found.times += taken.times
        print(f"round {number} of {rounds}: {made} bookings so far, all ledgers right", file=sys.stderr, flush=True)
    report(figures)
    print(f"\n{made} bookings; errors: 0; ledgers right after each of {(rounds + 1) * len(figures)} measurements.")
    print(machine(site))


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.bookings", description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5, help=f"at most {MOST_ROUNDS}")
    arguments.add_argument("--seconds", type=int, default=4, help="of each measurement; there are 12 in a round")
    arguments.add_argument("--statements", action="store_true", help="also print the action's statements")
    arguments.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on the disk that is to be measured")
    options = arguments.parse_args()
    if not 1 <= options.rounds <= MOST_ROUNDS:
        arguments.error(f"--rounds is 1 to {MOST_ROUNDS}: there are not nights enough for more.")
    with running_site(options.folder) as site:
        measure(site, rounds=options.rounds, seconds=options.seconds, show=options.statements)


if __name__ == "__main__":
    main()
