"""Children end with their parent, with all that they started themselves."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.folder import ROOT
from sandbox.problem import Problem
from sandbox.processes import Child, Watcher, require_free_port
from sandbox.watcher import alive
from tests.sandbox.conftest import gone, until

# A child whose own child ignores every polite request.
FAMILY = "sh -c 'trap \"\" TERM INT HUP; echo $$ > grandchild; while :; do sleep 0.2; done' & wait"

PARENT = """
import os, sys, time
from pathlib import Path
from sandbox.processes import Child, Watcher

folder = Path(sys.argv[1])
watcher = Watcher()
watcher.remove(folder / "passing")
child = Child("family", ["/bin/sh", "-c", sys.argv[2]], log=folder / "log", watcher=watcher, environment=os.environ,
              folder=folder)
child.start()
(folder / "pids").write_text(f"{child.pid} {watcher.pid}\\n")
time.sleep(60)
"""


def number_in(path: Path) -> int:
    assert until(lambda: path.exists() and path.read_text().strip())
    return int(path.read_text())


def test_stop_ends_the_whole_group(make_child: Callable[..., Child], tmp_path: Path) -> None:
    child = make_child(FAMILY)
    child.start()
    pid = child.pid
    assert pid is not None
    grandchild = number_in(tmp_path / "grandchild")

    child.stop()

    assert gone(pid, grandchild)
    assert child.pid is None


def test_stop_uses_force_when_asking_does_not_help(make_child: Callable[..., Child], tmp_path: Path) -> None:
    child = make_child("trap '' TERM; echo $$ > self; while :; do sleep 0.1; done", patience_seconds=0.3)
    child.start()
    pid = number_in(tmp_path / "self")

    child.stop()

    assert gone(pid)


def test_what_a_dead_child_leaves_is_ended(make_child: Callable[..., Child], tmp_path: Path) -> None:
    child = make_child(FAMILY)
    child.start()
    pid = child.pid
    assert pid is not None
    grandchild = number_in(tmp_path / "grandchild")

    os.kill(pid, signal.SIGKILL)

    assert until(lambda: child.ended() == -signal.SIGKILL)
    assert gone(grandchild)


def test_ended_tells_the_code_and_said_the_last_line(make_child: Callable[..., Child]) -> None:
    child = make_child("echo first; echo 'the reason'; echo; exit 3")
    child.start()

    assert until(lambda: child.ended() == 3)
    assert child.said() == "the reason"


def test_said_is_about_this_start(make_child: Callable[..., Child]) -> None:
    child = make_child("[ -e again ] || echo 'once'; touch again")
    for expected in ("once", ""):
        child.start()
        assert until(lambda: child.ended() == 0)
        assert child.said() == expected


def test_a_program_that_is_not_there_is_a_problem(tmp_path: Path, watcher: Watcher) -> None:
    child = Child("web", [tmp_path / "missing"], log=tmp_path / "log", watcher=watcher, environment={}, folder=tmp_path)

    with pytest.raises(Problem, match="Cannot start web"):
        child.start()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_leaves_no_orphan(tmp_path: Path, number: int) -> None:
    (tmp_path / "passing").mkdir()
    # The patience of the watcher is ten seconds for those that will not go: this family's head goes at once.
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), FAMILY], cwd=ROOT)
    grandchild = number_in(tmp_path / "grandchild")
    assert until(lambda: (tmp_path / "pids").exists())
    child, watcher = map(int, (tmp_path / "pids").read_text().split())
    assert all(map(alive, (child, watcher, grandchild)))

    parent.send_signal(number)
    parent.wait()

    assert gone(child, grandchild, watcher)
    assert not (tmp_path / "passing").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
def test_children_end_even_when_the_watcher_was_killed_first(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), "exec sleep 60"], cwd=ROOT)
    assert until(lambda: (tmp_path / "pids").exists())
    child, watcher = map(int, (tmp_path / "pids").read_text().split())

    os.kill(watcher, signal.SIGKILL)
    parent.kill()
    parent.wait()

    assert gone(child)


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(Problem, match=f"^Port {port} is in use"):
            require_free_port(port)

    require_free_port(port)
