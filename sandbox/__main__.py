"""`python -m sandbox COMMAND`: what `./run` hands over to once the environment is there."""

import os
import sys

from sandbox.problem import Problem


def main(arguments: list[str]) -> int:
    command, *rest = arguments or [""]
    if command == "demo":
        from sandbox.demo import demo

        demo(rest)
        return 0
    if command == "test":
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *(rest or ["-q", "-n", "2"])])
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
