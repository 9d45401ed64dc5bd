"""What a change gave: several checkouts take turns with the same requests, each in a process of its own."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


@dataclass
class Side:
    """A checkout at work. It must have this folder in it."""

    name: str
    child: "subprocess.Popen[str]"

    def ask(self, **command: Any) -> dict[str, Any]:
        """Raises SystemExit where the process has ended."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        try:
            self.child.stdin.write(json.dumps(command) + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise SystemExit(f"peers: {self.name} ended with code {self.child.wait()}.") from None
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"peers: {self.name} ended with code {self.child.wait()}.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def start(given: str, stack: ExitStack) -> Side:
    """`NAME=CHECKOUT` or `NAME=CHECKOUT=DATABASE_URL`. Raises SystemExit for what is no such thing."""
    name, _, rest = given.partition("=")
    checkout, _, database = rest.partition("=")
    if not name or not checkout or not (Path(checkout) / "bench" / "peers" / "compare.py").is_file():
        raise SystemExit(f"peers: {given!r} names no checkout with bench/peers in it: NAME=CHECKOUT[=DATABASE_URL].")
    environment = {**os.environ, **({"DATABASE_URL": database} if database else {})}
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.peers", "answer"],
        cwd=checkout,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(child)
    assert child.stdin is not None
    stack.callback(child.stdin.close)
    return Side(name, child)


def main(*, checkouts: list[str], ops: Sequence[str], repeat: int, rounds: int) -> int:
    """Print, for each request and checkout, the least of the rounds, and how the first compares with it in the same round."""
    with ExitStack() as stack:
        sides = [start(each, stack) for each in checkouts]
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for turn in range(rounds + 1):
            for op in ops:
                for side in sides if turn % 2 else reversed(sides):
                    figures = side.ask(op=op, repeat=repeat if turn else 3)
                    if turn:
                        found.setdefault((op, side.name), []).append(figures)
        print("| request | checkout | Python, ms | PostgreSQL, ms | statements | Python to the first |")
        print("|---|---|---|---|---|---|")
        for op in ops:
            first = found[op, sides[0].name]
            for side in sides:
                its = found[op, side.name]
                ratio = statistics.median(
                    one["program"] / other["program"] for one, other in zip(its, first, strict=True)
                )
                database = [each["database"] for each in its if each["database"] is not None]
                told = f"{min(database):.2f}" if database else "-"
                print(
                    f"| {op} | {side.name} | {min(each['program'] for each in its):.2f} | {told} "
                    f"| {its[-1]['statements']} | {ratio:.2f} |"
                )
    return 0


def answer(*, commands: IO[str], answers: IO[str]) -> int:
    """A side's process: a line of JSON in, a line of JSON out, until there are no more."""
    from bench.peers.profile import forget, measure, open_site, statements_of

    site = open_site()
    try:
        for line in commands:
            command = json.loads(line)
            sent = len(statements_of(site, command["op"]))
            figures = measure(site, command["op"], repeat=command["repeat"], rounds=1)
            database = figures.database[0] if figures.database else None
            print(
                json.dumps({"program": figures.program[0], "database": database, "statements": sent}),
                file=answers,
                flush=True,
            )
            forget(site)
    finally:
        forget(site)
    return 0
