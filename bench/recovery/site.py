"""The demo as it is started by hand, on a folder of its own, and the processes that it consists of."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.demo import ask, listens
from sandbox.folder import ROOT, running_environment
from sandbox.processes import free_port

START_SECONDS = 300.0
# What a process of the demo is known by in its command line.
NAMES = {
    "web": "granian",
    "worker": " worker",
    "beat": " beat",
    "database": "postgres",
    "broker": "valkey",
    "stripe": "sandbox.stripe",
}


@dataclass
class Site:
    """A running demo."""

    process: subprocess.Popen[bytes]
    port: int
    environment: dict[str, str]
    log: Path

    def pid(self, name: str) -> int:
        """The process that leads what is called so. Raises LookupError while there is none."""
        for pid, command in _children(self.process.pid):
            if NAMES[name] in command:
                return pid
        raise LookupError(f"{name} does not run")

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Kill it and nothing that it started, as the kernel does when memory runs out."""
        os.kill(self.pid(name), number)

    def kill_one_of(self, name: str) -> None:
        """Kill one of the processes that it started."""
        pid, _ = _children(self.pid(name))[-1]
        os.kill(pid, signal.SIGKILL)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip


def _children(parent: int) -> list[tuple[int, str]]:
    found = []
    for place in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and fields[0] != "Z":
                command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append((int(place.name), command))
    return sorted(found)


@contextmanager
def running_demo() -> Iterator[Site]:
    """Start `./run demo` and stop it in the end; its folder goes with it."""
    with tempfile.TemporaryDirectory(prefix="holdfast-recovery-", ignore_cleanup_errors=True) as place:
        folder, port = Path(place) / "demo", free_port()
        log = Path(place) / "demo.log"
        given = {
            "PORT": str(port), "DEMO_DIR": str(folder), "RATE_LIMITS": "off", "LOG_LEVEL": "warning",
        }  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_KEY", "_BASE"))}
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "demo"],
                cwd=ROOT,
                env={**inherited, **given},
                stdout=said,
                stderr=said,
            )
        try:
            until = time.monotonic() + START_SECONDS
            while b"Ready: " not in log.read_bytes():
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"The demo does not start:\n{log.read_text()}")
                time.sleep(0.2)
            yield Site(process, port, running_environment(folder, process.pid), log)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()


def answers(port: int) -> bool:
    return listens(port) and not ask(f"http://127.0.0.1:{port}/graphql")
