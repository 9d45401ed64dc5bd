"""The servers of a test run come before the settings are read, are shared out to workers, and end with the run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from sandbox.folder import ROOT
from sandbox.watcher import alive
from tests.sandbox.conftest import gone, until

INNER = """
import json, os, time
from pathlib import Path
import pytest

HERE = Path(__file__).parent

@pytest.mark.parametrize("number", range(8))
def test_where(number):
    time.sleep(0.05)
    names = ("REDIS_URL", "STRIPE_SECRET_KEY", "DATABASE_URL", "MAIL_DIR", "MODE", "HOLD_SECONDS",
        "PYTHONDONTWRITEBYTECODE")
    name = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    (HERE / f"{name}.json").write_text(json.dumps({name: os.environ.get(name) for name in names}))

def test_wait():
    if os.environ.get("WAIT"):
        (HERE / "waiting").write_text(str(os.getpid()))
        time.sleep(900)
"""


def start(folder: Path, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
    (folder / "test_inner.py").write_text(INNER)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "REDIS_", "DATA"))
    }
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(folder), "-q", "-p", "no:django"]
    return subprocess.Popen(
        [*command, "-p", "no:cacheprovider", "-p", "sandbox.pytest_plugin", *arguments, str(folder)],
        cwd=ROOT,
        env={**environment, "TMPDIR": str(folder), **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A suite that a shell runs in the background ignores interrupts, and so would what it starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def stats() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            yield path.read_text()


def children_of(parent: int) -> list[int]:
    """Linux tells it in /proc; elsewhere `ps` does, which small images of Linux lack."""
    if Path("/proc/self/stat").exists():
        pairs = [text.rpartition(")")[::2] for text in stats()]
        return [int(head.split()[0]) for head, tail in pairs if int(tail.split()[1]) == parent]
    listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, its_parent in rows if int(its_parent) == parent and int(pid) != parent]


def test_each_worker_has_its_own_share(tmp_path: Path) -> None:
    run = start(tmp_path, "-n", "2", HOLD_SECONDS="1", PYTHONDONTWRITEBYTECODE="1")

    assert run.wait(300) == 0
    first, second = (json.loads((tmp_path / f"gw{number}.json").read_text()) for number in (0, 1))
    assert (first["REDIS_URL"][-2:], second["REDIS_URL"][-2:]) == ("/1", "/2")
    assert first["STRIPE_SECRET_KEY"] == "sk_test_holdfast_gw0"
    assert second["STRIPE_SECRET_KEY"] == "sk_test_holdfast_gw1"
    assert first["DATABASE_URL"] == second["DATABASE_URL"]  # pytest-django adds the worker to the name
    assert first["MAIL_DIR"] != second["MAIL_DIR"]
    assert (first["MODE"], first["HOLD_SECONDS"]) == ("test", None)
    assert first["PYTHONDONTWRITEBYTECODE"] is None  # what one process compiles, the others read
    assert not list(tmp_path.glob("holdfast-test-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_cut_short_leaves_nothing(tmp_path: Path, number: int) -> None:
    run = start(tmp_path, "-k", "wait", WAIT="yes")
    assert until(lambda: (tmp_path / "waiting").exists())
    (folder,) = tmp_path.glob("holdfast-test-*")
    servers = children_of(run.pid)
    assert len(servers) == 4  # PostgreSQL, Valkey, the Stripe emulator and the watcher
    assert all(map(alive, servers))

    run.send_signal(number)
    run.wait(120)

    assert gone(*servers)
    assert until(lambda: not folder.exists())
