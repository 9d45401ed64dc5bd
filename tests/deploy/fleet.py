"""The processes of the compose file, as the commands that it runs, behind the proxy with the proxy's own file."""

import os
import re
import shlex
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from sandbox.processes import Child, Watcher
from tests.deploy.composition import services
from tests.deploy.linters import ROOT, linters
from tests.serving import eventually, reserved_port

CADDYFILE = ROOT / "deploy" / "proxy" / "Caddyfile"
# Of the image's start command: what the shell makes of it.
START = re.compile(r'^CMD \["sh", "-c", "exec (.+)"\]$', re.MULTILINE)
# One process of each is enough to be restarted, and the machine of a test is small.
SMALLER = {"--workers": "1", "--concurrency": "1"}
# Of the workers those that bookings and payments hang on.
WORKERS = ("worker-payments", "worker-sweeps")


def command_of(service: str) -> list[str]:
    """What a container of the service runs."""
    given: list[str] | None = services()[service].get("command")
    if given is not None:
        return given
    found = START.search((ROOT / "Dockerfile").read_text())
    assert found is not None
    return shlex.split(found[1].replace('\\"', '"').replace("$PORT", "8000"))


def grace_of(service: str) -> float:
    """After so many seconds a container that was told to stop is killed."""
    grace: str = services()[service]["stop_grace_period"]
    return float(grace.removesuffix("s"))


def _here(command: list[str], *, port: int | None, folder: Path) -> list[str]:
    """The same on this machine: another address, fewer processes, files where a test may write."""
    words = [word.replace("/tmp/", f"{folder}/") for word in command]
    if port is not None:
        words = ["127.0.0.1" if word == "0.0.0.0" else str(port) if word == "8000" else word for word in words]
    for option, value in SMALLER.items():
        if option in words:
            words[words.index(option) + 1] = value
    return [sys.executable, *words[1:]] if words[0] == "python" else [sys.executable, "-m", *words]


class Fleet:
    """Running processes: `web-1` and `web-2`, which are live too, WORKERS, `beat`, and the proxy at `url`."""

    def __init__(self, url: str, folder: Path, children: dict[str, Child], ports: Mapping[str, int]) -> None:
        self.url = url
        self._folder = folder
        self._children = children
        self._ports = ports

    def restart(self, *names: str) -> None:
        """Stop them as Compose does, by SIGTERM and with the time that they have, and start those that have ended.

        Returns when those that answer do so again.
        """
        for name in names:
            pid = self._children[name].pid
            assert pid is not None
            os.kill(pid, signal.SIGTERM)
        for name in names:
            self._await_end(name)
            self._children[name].start()
        for name in names:
            self.await_ready(name)

    def _await_end(self, name: str) -> None:
        child, ended = self._children[name], []

        def has_ended() -> bool:
            code = child.ended()
            ended.extend([] if code is None else [code])
            return bool(ended)

        eventually(has_ended, f"{name} stops", seconds=grace_of("web" if name in self._ports else name))
        assert ended == [0], (name, ended, self.log(name))

    def await_ready(self, name: str) -> None:
        """Web servers answer; what else there is has begun so far that it can be told to stop."""
        if name in self._ports:
            eventually(lambda: answers(f"http://127.0.0.1:{self._ports[name]}/readyz"), f"{name} is ready")
        elif Path("/proc/self/status").exists():
            eventually(lambda: catches(self._children[name].pid, signal.SIGTERM), f"{name} can be told to stop")
        else:
            eventually(lambda: self.log(name), f"{name} says something")

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()


def catches(pid: int | None, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for the signal, as Linux tells it."""
    (caught,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(caught, 16) >> (number - 1) & 1)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return bool(answer.status == 200)
    except OSError:  # HTTPError is one
        return False


@contextmanager
def running_fleet(folder: Path, **settings: str) -> Iterator[Fleet]:
    """Two web servers and one of all else, on the test's database, until the block ends.

    The web servers push as well: `live` is the same program, and each process that is started costs seconds.
    """
    caddy = linters() / "bin" / "caddy"
    reservations: dict[str, socket.socket] = {name: reserved_port() for name in ("web-1", "web-2")}
    ports = {name: each.getsockname()[1] for name, each in reservations.items()}
    with reserved_port() as front:
        proxy_port = front.getsockname()[1]
    environment = {
        **os.environ,
        "DATABASE_URL": "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict),
        "PUBLIC_URL": f"http://127.0.0.1:{proxy_port}",
        "TRUSTED_PROXIES": "1",
        "RATE_LIMITS": "off",
        "REQUIRE_VERIFIED_EMAIL": "off",
        "SWEEP_SECONDS": "1",
        "DJANGO_SETTINGS_MODULE": "booking.settings",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **settings,
    }
    watcher = Watcher()
    children: dict[str, Child] = {}

    def child(name: str, command: list[str], **more: Any) -> None:
        children[name] = Child(
            name, command, log=folder / f"{name}.log", watcher=watcher,
            environment={**environment, **more}, folder=ROOT, patience_seconds=20,
        )  # fmt: skip

    for name in ("web-1", "web-2", *WORKERS, "beat"):
        port = ports.get(name)
        command = _here(command_of("web" if port else name), port=port, folder=folder)
        child(name, command, **({"PORT": str(port)} if port else {}))
    both = " ".join(f"127.0.0.1:{port}" for port in ports.values())
    child(
        "proxy",
        [str(caddy), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
        HOME=str(folder),
        PROXY_ADDRESS=f"http://:{proxy_port}",
        WEB=both,
        LIVE=both,
    )
    fleet = Fleet(f"http://127.0.0.1:{proxy_port}", folder, children, ports)
    try:
        for each in children.values():
            each.start()
        for name in (*ports, *WORKERS, "beat"):
            fleet.await_ready(name)
        eventually(lambda: answers(f"{fleet.url}/healthz"), "the proxy answers")
        yield fleet
    finally:
        for each in reversed(children.values()):
            each.stop()
        watcher.close()
        for reservation in reservations.values():
            reservation.close()
