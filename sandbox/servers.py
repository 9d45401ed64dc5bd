"""The three servers together: those that were not given from outside are started."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Protocol

from sandbox.emulator import Emulator
from sandbox.postgres import CARELESS, Postgres
from sandbox.problem import Problem
from sandbox.processes import Child, Watcher
from sandbox.valkey import Valkey

START_SECONDS = 60.0
ATTEMPTS = 3


class Server(Protocol):
    title: str
    child: Child | None

    def prepare(self) -> None: ...
    def settings(self) -> dict[str, str]: ...
    def answers(self) -> bool: ...
    def close(self) -> None: ...


def given(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(name, "").strip())


def missing_servers(
    environ: Mapping[str, str],
    folder: Path,
    *,
    secret: Callable[[str], str],
    watcher: Watcher,
    webhook_url: str,
    keep: bool,
) -> list[Server]:
    """The servers that `environ` does not name, in the order in which they start. `keep` is false for passing data."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True, mode=0o700)
    servers: list[Server] = []
    if not given(environ, "DATABASE_URL"):
        servers.append(
            Postgres(
                folder / "postgres",
                log=logs / "postgres.log",
                password=secret("postgres"),
                watcher=watcher,
                options=None if keep else CARELESS,
            )
        )
    if not given(environ, "REDIS_URL"):
        servers.append(
            Valkey(folder / "valkey", log=logs / "valkey.log", password=secret("valkey"), watcher=watcher, keep=keep)
        )
    if not given(environ, "STRIPE_SECRET_KEY"):
        servers.append(
            Emulator(
                folder / "stripe",
                log=logs / "stripe.log",
                watcher=watcher,
                webhook_url=webhook_url,
                webhook_secret=environ.get("STRIPE_WEBHOOK_SECRET", "").strip() or f"whsec_{secret('webhook')}",
            )
        )
    return servers


def start_all(servers: Sequence[Server]) -> None:
    """Start them side by side and wait until each answers. Raises Problem with what one of them said as it gave up."""
    for server in servers:
        begin(server)
    for server in servers:
        await_answer(server)


def begin(server: Server) -> Child:
    server.prepare()
    if server.child is None:
        raise RuntimeError(f"{server.title} prepared no process")
    server.child.start()
    return server.child


def await_answer(server: Server) -> None:
    until = time.monotonic() + START_SECONDS
    attempt = 1
    while not server.answers():
        child = server.child
        if child is not None and child.ended() is not None:
            # Between choosing a free port and listening on it another program may have taken it.
            if attempt == ATTEMPTS:
                raise Problem(f"{server.title} does not start: {child.said()} (log: {child.log})")
            attempt += 1
            begin(server)
        if time.monotonic() > until:
            raise Problem(f"{server.title} does not answer after {START_SECONDS:.0f} seconds.")
        time.sleep(0.03)


def settings_of(servers: Sequence[Server]) -> dict[str, str]:
    """The settings by which the product reaches them."""
    return {name: value for server in servers for name, value in server.settings().items()}


def stop_all(servers: Sequence[Server]) -> None:
    """Stop them, the last started first."""
    for server in reversed(servers):
        if server.child is not None:
            server.child.stop()
        server.close()


class Stopped(BaseException):
    """Someone asked this process to stop. Not an Exception: nothing may swallow it."""


def raise_stopped(number: int, frame: FrameType | None) -> None:
    ignore_signals()  # a second one must not cut the stopping short
    raise Stopped


def stop_on_signals() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP raise Stopped."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, raise_stopped)


def ignore_signals() -> None:
    """For the time of stopping: a second Ctrl-C does not leave half of it undone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
