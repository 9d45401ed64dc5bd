"""The servers of a measurement: the demo's PostgreSQL and Valkey on data of their own, and its web server."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.configuration import demo_settings, process_environment, webhook_url
from sandbox.demo import WEB_WORKERS, ask, listens
from sandbox.folder import ROOT, DataFolder
from sandbox.postgres import find_binaries
from sandbox.processes import Child, Watcher, free_port
from sandbox.servers import Server, missing_servers, settings_of, start_all, stop_all

# No booking made here is paid: none may run out before the end.
HOLD_SECONDS = 3600
WORKERS = 2
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """Processor time that a process and its descendants have used so far, those that have ended among them."""
    ticks: dict[int, int] = {}
    parents: dict[int, int] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                fields = (process / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(process.name)] = int(fields[1])
            ticks[int(process.name)] = sum(map(int, fields[11:15]))
    total, waiting = 0, [root]
    while waiting:
        process_id = waiting.pop()
        total += ticks.get(process_id, 0)
        waiting += [child for child, parent in parents.items() if parent == process_id]
    return total / TICKS


class Worker:
    """A process of `bench.bookings.worker`."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.bookings.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=process_environment(settings),
        )

    def tell(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("A worker process of the benchmark has ended; what it said stands above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **order: Any) -> dict[str, Any]:
        self.tell(**order)
        return self.answer()

    def close(self) -> None:
        """Its input's end is its own."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@dataclass
class Site:
    """What runs. `workers` are processes of the product to call the action in."""

    folder: Path
    settings: dict[str, str]
    database_pid: int
    web_pid: int
    port: int
    workers: list[Worker]

    def pgbench(self, script: Path, *, clients: int, seconds: float, **variables: int) -> tuple[int, float, float]:
        """Run the script; returns transactions, seconds and pgbench's own processor seconds. Ends the program on errors."""
        url = urlsplit(self.settings["DATABASE_URL"])
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [
                find_binaries(None) / "pgbench", "-n", "-h", url.hostname or "", "-p", str(url.port), "-U", url.username or "",
                "-c", str(clients), "-j", "1", "-T", str(round(seconds)), "-f", script,
                *(part for name, value in variables.items() for part in ("-D", f"{name}={value}")), url.path.strip("/"),
            ],
            env={**os.environ, "PGPASSWORD": url.password or "", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        said = {line.partition(": ")[0]: line.partition(": ")[2] for line in done.stdout.splitlines()}
        if done.returncode or not said["number of failed transactions"].startswith("0 "):
            raise SystemExit(f"pgbench: {done.stdout}{done.stderr}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        count = int(said["number of transactions actually processed"])
        per_second = next(line.split()[2] for line in done.stdout.splitlines() if line.startswith("tps = "))
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        return count, count / float(per_second), cpu

    def facts(self) -> dict[str, str]:
        """Settings of the database that decide what a commit costs."""
        import psycopg2

        with psycopg2.connect(self.settings["DATABASE_URL"]) as connection, connection.cursor() as cursor:
            found = {}
            for name in ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"):
                cursor.execute(f"SHOW {name}")
                found[name] = cursor.fetchone()[0]
        return found


@contextmanager
def running_site(parent: Path) -> Iterator[Site]:
    """Start everything on a new folder below `parent`, which goes away with it."""
    place = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=parent))
    watcher = Watcher()
    watcher.remove(place)
    servers: list[Server] = []
    workers: list[Worker] = []
    web: Child | None = None
    folder = DataFolder(place)
    try:
        port = free_port()
        # Nothing is paid for, so no Stripe emulator is needed; and no server given from outside is written to.
        stripe = {"STRIPE_SECRET_KEY": "sk_test_unused", "STRIPE_WEBHOOK_SECRET": "whsec_unused"}
        servers += missing_servers(
            stripe, folder.path, secret=folder.secret, watcher=watcher, webhook_url=webhook_url(port), keep=True
        )
        start_all(servers)
        settings = {
            **demo_settings(folder, port, {}), **settings_of(servers), **stripe,
            "RATE_LIMITS": "off", "HOLD_SECONDS": str(HOLD_SECONDS), "LOG_LEVEL": "warning",
        }  # fmt: skip
        environment = process_environment(settings)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True)
        granian = ["--interface", "wsgi", "--http", "1", "--no-ws", "--host", "127.0.0.1", "--port", str(port)]
        granian += ["--workers", str(WEB_WORKERS), "--blocking-threads", "1", "booking.wsgi:application"]
        web = Child(
            "web", [sys.executable, "-m", "granian", *granian], log=folder.folder("logs") / "web.log",
            watcher=watcher, environment=environment, folder=ROOT,
        )  # fmt: skip
        web.start()
        workers += [Worker(settings) for _ in range(WORKERS)]
        until = time.monotonic() + 60
        while not listens(port) or ask(f"http://127.0.0.1:{port}/graphql"):
            if web.ended() is not None or time.monotonic() > until:
                raise SystemExit(f"The web server does not answer: {web.said()}")
            time.sleep(0.2)
        database = servers[0].child
        assert database is not None
        assert database.pid is not None
        assert web.pid is not None
        yield Site(place, settings, database.pid, web.pid, port, workers)
    finally:
        for worker in workers:
            worker.close()
        if web is not None:
            web.stop()
        stop_all(servers)
        folder.close()
        watcher.close()
