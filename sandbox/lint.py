"""`./run lint`: every check that needs no test, each reported in one line."""

import difflib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from sandbox.folder import ROOT
from sandbox.released import compare_with_release

PRINTED_SCHEMA = "schema/schema.graphql"
# No check here talks to a server: these only have to be well-formed.
SETTINGS = {
    "SECRET_KEY": "lint-" * 10,
    "MODE": "test",
    "DATABASE_URL": "postgresql://lint:lint@127.0.0.1:1/lint",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "STRIPE_SECRET_KEY": "sk_test_lint",
    "STRIPE_WEBHOOK_SECRET": "whsec_lint",
    "STRIPE_API_BASE": "http://127.0.0.1:1",
    "DJANGO_SETTINGS_MODULE": "booking.settings",
}
Result = tuple[bool, str]


def call(*command: str) -> Result:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **SETTINGS},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr


def tool(name: str, *arguments: str) -> Callable[[], Result]:
    return lambda: call(str(Path(sys.executable).with_name(name)), *arguments)


def django(*arguments: str) -> Callable[[], Result]:
    return lambda: call(sys.executable, "manage.py", *arguments)


def module(name: str) -> Callable[[], Result]:
    return lambda: call(sys.executable, "-m", name)


def compare_schema() -> Result:
    """Whether the printed schema is what the code serves."""
    served = subprocess.run(
        [sys.executable, "manage.py", "graphql_schema", "--out=-.graphql"],
        cwd=ROOT,
        env={**os.environ, **SETTINGS},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if served.returncode:
        return False, served.stdout + served.stderr
    path = ROOT / PRINTED_SCHEMA
    printed = path.read_text() if path.exists() else ""
    if printed.rstrip() == served.stdout.rstrip():
        return True, ""
    lines = difflib.unified_diff(
        printed.rstrip().splitlines(), served.stdout.rstrip().splitlines(), PRINTED_SCHEMA, "the code", lineterm="", n=1
    )
    return False, "\n".join([*lines, f"Print it again: ./run manage graphql_schema --out {PRINTED_SCHEMA}", ""])


CHECKS: dict[str, Callable[[], Result]] = {
    "types (mypy)": tool("mypy", "--no-error-summary", "."),
    "style (ruff check)": tool("ruff", "check", "--quiet", "."),
    "format (ruff format)": tool("ruff", "format", "--check", "--quiet", "."),
    "layers (import-linter)": tool("lint-imports", "--no-cache"),
    "migrations match the models": django("makemigrations", "--check", "--dry-run"),
    "migrations let people go on (squawk)": module("sandbox.migrations"),
    "schema is printed": compare_schema,
    "schema breaks no client": compare_with_release,
}


def timed(check: Callable[[], Result]) -> tuple[bool, str, float]:
    start = time.monotonic()
    passed, said = check()
    return passed, said, time.monotonic() - start


def lint() -> int:
    """Run all checks; 1 if any failed, and then what it said."""
    failed = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        running: dict[str, Future[tuple[bool, str, float]]] = {
            name: pool.submit(timed, check) for name, check in CHECKS.items()
        }
        for name, future in running.items():
            passed, said, seconds = future.result()
            print(f"{'ok    ' if passed else 'FAILED'} {name} ({seconds:.1f} s)", flush=True)
            if not passed:
                failed = 1
                print("\n".join(f"       {line}" for line in said.rstrip().splitlines()), flush=True)
    return failed
