"""What it costs to keep maps up to date, pushed and polled: `python -m bench.live [--clients 1000] [--polling 100] [--workers 1]`.

Starts a PostgreSQL, a Valkey and a web server of its own, and prints what `bench.live.measure` finds; RESULTS.md has the last.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from bench.database import running_database
from sandbox.configuration import process_environment
from sandbox.folder import ROOT
from sandbox.processes import Child, Watcher, free_port
from sandbox.servers import start_all
from sandbox.valkey import Valkey

START_SECONDS = 60.0
# A server in use does not have the packages of development, and stripe would load the first of them.
DEVELOPMENT = ("httpx", "jinja2")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1_000, help="that listen")
    parser.add_argument("--polling", type=int, default=100, help="that ask every five seconds instead")
    parser.add_argument("--changes", type=int, default=20, help="bookings and cancelations")
    parser.add_argument("--workers", type=int, default=1, help="processes of the web server")
    given = parser.parse_args()
    place, watcher = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir="/var/tmp")), Watcher()
    watcher.remove(place)
    redis = Valkey(place / "valkey", log=place / "valkey.log", password="bench", watcher=watcher, keep=False)
    web: Child | None = None
    try:
        with running_database(Path("/var/tmp")) as database:
            start_all([redis])
            port = free_port()
            settings = {
                **database.settings,
                **redis.settings(),
                "PORT": str(port),
                "RATE_LIMITS": "off",
                "REQUIRE_VERIFIED_EMAIL": "off",
                "ACCESS_TOKEN_SECONDS": "7200",
            }
            environment = {**process_environment(settings), "PYTHONPATH": str(without(place / "without"))}
            world = json.loads(run("bench.live.prepare", environment=environment))
            web = web_server(port, given.workers, place, watcher, environment)
            web.start()
            await_answer(port)
            asked = {
                "url": f"http://127.0.0.1:{port}", "web": web.pid, "database": database.pid, **vars(given), **world
            }  # fmt: skip
            del environment["PYTHONPATH"]
            print(run("bench.live.measure", json.dumps(asked), environment=environment), end="")
    finally:
        for child in (web, redis.child):
            if child is not None:
                child.stop()
        watcher.close()
    return 0


def without(folder: Path) -> Path:
    """A folder that hides the packages of development from whoever looks there first."""
    folder.mkdir()
    for name in DEVELOPMENT:
        (folder / f"{name}.py").write_text("raise ImportError\n")
    return folder


def run(module: str, *arguments: str, environment: Mapping[str, str]) -> str:
    """What the module prints. Raises CalledProcessError."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=dict(environment), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def web_server(port: int, workers: int, place: Path, watcher: Watcher, environment: Mapping[str, str]) -> Child:
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--http", "1", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(workers), "--backpressure", "8192", "booking.asgi:application"]
    return Child("web", command, log=place / "web.log", watcher=watcher, environment=environment, folder=ROOT)


def await_answer(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/graphql?query={{__typename}}", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
