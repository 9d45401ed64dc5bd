"""`python -m sandbox COMMAND`: what `./run` hands over to once the environment is there."""

import os
import sys

from sandbox.problem import Problem
from sandbox.servers import given


def side_by_side() -> list[str]:
    """The options of pytest for workers that take tests from each other's end, so that a file's stay together.

    Many tests wait for processes, so there is one more than the two cores that most machines have at least. A PostgreSQL that
    was given may let in no more than a hundred clients, and tests of races come with dozens.
    """
    workers = 2 if given(os.environ, "DATABASE_URL") else 3
    return ["-n", str(workers), "--dist", "worksteal"]


def main(arguments: list[str]) -> int:
    command, *rest = arguments or [""]
    if command == "demo":
        from sandbox.demo import demo

        demo(rest)
        return 0
    if command == "test":
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *(rest or ["-q", *side_by_side()])])
    if command == "lint":
        from sandbox.lint import lint

        return lint()
    if command in {"manage", "shell"}:
        from sandbox.django_commands import manage

        return manage(["shell", *rest] if command == "shell" else rest)
    print("Usage: ./run demo | test | lint | manage | shell", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except Problem as problem:
        print(problem, file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
