"""Short-lived processes for the tests of the launchers."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.folder import ROOT
from sandbox.processes import Child, Watcher
from sandbox.watcher import alive


def until(condition: Callable[[], object], *, seconds: float = 300.0) -> bool:
    """Whether `condition` becomes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def gone(*pids: int) -> bool:
    return until(lambda: not any(map(alive, pids)))


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    yield watcher
    watcher.close()


@pytest.fixture
def make_child(tmp_path: Path, watcher: Watcher) -> Iterator[Callable[..., Child]]:
    """Makes a child that runs a shell script; what still runs afterwards is stopped."""
    made: list[Child] = []

    def make(script: str, name: str = "child", patience_seconds: float = 5.0) -> Child:
        child = Child(
            name,
            ["/bin/sh", "-c", script],
            log=tmp_path / f"{name}.log",
            watcher=watcher,
            environment=os.environ,
            folder=tmp_path,
            patience_seconds=patience_seconds,
        )
        made.append(child)
        return child

    yield make
    for child in made:
        child.stop()


@pytest.fixture
def run_sandbox() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m sandbox ...` to its end, with settings added to the environment."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sandbox", *arguments],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
