"""The product as real processes on the test's own database: a web server, a Celery worker and beat.

Rows that such a test makes must be committed, so it is marked `django_db(transaction=True)`.
"""

import json
import os
import random
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection, connections
from redis import Redis

from booking.queues import QUEUES
from sandbox.processes import Child, Watcher
from sandbox.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 300.0

Result = TypeVar("Result")


class Client:
    """Sends GraphQL over HTTP as a client would."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self.url = url
        self.token = token

    def send(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The whole response body; raises AssertionError for anything but JSON with status 200."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, body, headers), timeout=300) as answer:
                parsed: dict[str, Any] = json.load(answer)
                return parsed
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read()[:500]!r}") from error

    def data(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The data of a response without top-level errors."""
        answer = self.send(query, variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data


class Site:
    """The running processes."""

    def __init__(self, url: str, children: dict[str, Child]) -> None:
        self.url = url
        self.children = children

    def rest(self) -> None:
        """Halt beat and the worker between two pieces of work, so that no other test meets them."""
        self._signal("beat", signal.SIGSTOP)
        eventually(self._halted, "the worker has nothing to do")

    def resume(self) -> None:
        self._signal("worker", signal.SIGCONT)
        self._signal("beat", signal.SIGCONT)

    def _halted(self) -> bool:
        # A job that was taken from the broker may not have begun: only a stopped worker begins nothing more.
        if not _is_quiet():
            return False
        self._signal("worker", signal.SIGSTOP)
        if _is_quiet():
            return True
        self._signal("worker", signal.SIGCONT)
        return False

    def _signal(self, name: str, number: int) -> None:
        child = self.children.get(name)
        if child is not None and child.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def client(self, *, token: str | None = None) -> Client:
        return Client(f"{self.url}/graphql", token=token)


@contextmanager
def serve(
    folder: Path,
    *,
    threads: int = 16,
    of_one: Mapping[str, Mapping[str, str]] | None = None,
    processes: Collection[str] = ("web", "worker", "beat"),
    **settings: str,
) -> Iterator[Site]:
    """Run web (one process of `threads` threads), worker and beat, or those of them in `processes`, until the block ends.

    `settings` are environment variables beside those of the test run, `of_one` those of single processes.
    """
    database = connection.settings_dict
    reservation = reserved_port()
    port = reservation.getsockname()[1]
    environment = {
        **os.environ,
        "DATABASE_URL": "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database),
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "RATE_LIMITS": "off",
        "REQUIRE_VERIFIED_EMAIL": "off",
        "SWEEP_SECONDS": "1",
        "LOG_LEVEL": "info",
        "HTTP_THREADS": str(threads),
        **settings,
    }
    commands = {
        "web": [
            "granian", "--interface", "asgi", "--http", "1", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "1", "--backpressure", "8192", "booking.asgi:application",
        ],
        "worker": [
            "celery", "-A", "booking", "worker", "--pool", "threads", "--concurrency", "4", "--without-gossip",
            "--without-mingle", "--without-heartbeat", "--loglevel", "INFO",
        ],
        "beat": ["celery", "-A", "booking", "beat", "--schedule", str(folder / "beat"), "--pidfile", ""],
    }  # fmt: skip
    watcher = Watcher()
    children = {
        name: Child(
            name, [sys.executable, "-m", *command], log=folder / f"{name}.log", watcher=watcher,
            environment={**environment, **(of_one or {}).get(name, {})}, folder=ROOT,
        )
        for name, command in commands.items() if name in processes
    }  # fmt: skip
    site = Site(f"http://127.0.0.1:{port}", children)
    try:
        for child in children.values():
            child.start()
        eventually(lambda: _answers(site), "the web server answers")
        yield site
    finally:
        site.resume()
        for child in reversed(children.values()):
            child.stop()
        watcher.close()
        reservation.close()


def _is_quiet() -> bool:
    """Whether no job waits in the broker and nobody else is in the middle of something in the database."""
    with Redis.from_url(os.environ["REDIS_URL"]) as broker:
        if any(broker.llen(f"holdfast:{queue}") for queue in QUEUES):
            return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND (state <> 'idle' OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))"
        )
        return bool(cursor.fetchone() == (0,))


def reserved_port() -> socket.socket:
    """A free port that nobody else is given while the socket is open; a server that shares ports may listen on it.

    A port that was only looked up could be given to a parallel test run before the server takes it, and the two servers
    would share it without a word.
    """
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reservation.bind(("127.0.0.1", 0))
    return reservation


def quiet_port() -> int:
    """A free port for a server that takes only one of its own, below those that the system gives to whoever asks for any.

    Between the look at another port and the server's start, a connection that goes out somewhere might be given that one.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _answers(site: Site) -> bool:
    try:
        return bool(site.client().send("{ __typename }")["data"]["__typename"] == "Query")
    except (OSError, AssertionError):
        return False


def eventually(condition: Callable[[], Result], what: str, *, seconds: float = PATIENCE_SECONDS) -> Result:
    """The first true value of `condition`; AssertionError when there is none within `seconds`."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run all the calls at the same moment, a thread each, and return what they returned, in order."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result:
        barrier.wait()
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@dataclass
class OnRedis:
    """A site on a Redis of its own, which can be killed and started again."""

    site: Site
    redis: Valkey

    def kill_redis(self) -> None:
        child = self.redis.child
        assert child is not None
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        eventually(lambda: child.ended() is not None, "Redis ended")

    def start_redis(self) -> None:
        assert self.redis.child is not None
        self.redis.child.start()
        eventually(self.redis.answers, "Redis answers")


def elsewhere(sql: str, *params: Any) -> Any:
    """The first value, on another connection: of what was committed."""
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute(sql, params)
            row = cursor.fetchone()
            return row and row[0]
    finally:
        other.close()


def last_message() -> str:
    """What this connection said to the server last, whoever added to it."""
    backend = connection.connection.info.backend_pid
    return str(elsewhere("SELECT query FROM pg_stat_activity WHERE pid = %s", backend))
