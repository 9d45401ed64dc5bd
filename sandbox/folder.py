"""The folder in which a demo keeps its data: known by a marker, held by one process at a time."""

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.problem import Problem
from sandbox.watcher import alive

ROOT = Path(__file__).resolve().parent.parent
MARKER = ".holdfast"
LOCK = "lock"
STATE = "state.json"
KEPT = {MARKER, LOCK}
# How long the watcher of a demo that was killed may need to end its servers.
TIDY_SECONDS = 20.0


def data_folder(environ: Mapping[str, str]) -> Path:
    """`DEMO_DIR`, else `.data/demo` in the checkout."""
    given = environ.get("DEMO_DIR", "").strip()
    return Path(given).expanduser().absolute() if given else ROOT / ".data" / "demo"


class Held(Problem):
    """Another process holds the folder. `pid` is its process."""

    def __init__(self, path: Path, pid: int) -> None:
        super().__init__(
            f"{path} is in use by process {pid}: stop that one first, or name another folder with DEMO_DIR"
            " (and another port with PORT)."
        )
        self.pid = pid


class DataFolder:
    """An open data folder. Holds its lock until `close`, or until the process and its watcher are gone."""

    def __init__(self, path: Path) -> None:
        """Make or open `path` and take its lock. Raises Held, or Problem where it cannot be written or is not ours."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (path / MARKER).exists():
                if any(path.iterdir()):
                    raise Problem(f"{path} holds other files; name a new or empty folder with DEMO_DIR.")
                (path / MARKER).write_text("Holdfast keeps its demo's data here; ./run demo --fresh deletes it.\n")
            self.lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Problem(f"Cannot write to {path}: {error.strerror}; name another folder with DEMO_DIR.") from error
        self._take()

    def _take(self) -> None:
        until = time.monotonic() + TIDY_SECONDS
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = self.holder()
                # A holder that is dead still has its watcher ending the servers: that is soon over.
                if (holder and alive(holder)) or time.monotonic() > until:
                    os.close(self.lock)
                    raise Held(self.path, holder) from None
                time.sleep(0.1)
            else:
                os.ftruncate(self.lock, 0)
                os.pwrite(self.lock, str(os.getpid()).encode(), 0)
                return

    def holder(self) -> int:
        """The process that took the lock last, 0 where that is not written yet."""
        written = os.pread(self.lock, 20, 0).decode()
        return int(written) if written.isdecimal() else 0

    def clear(self) -> None:
        """Delete the data. Only called with the lock held, on a folder that carries the marker."""
        for entry in self.path.iterdir():
            if entry.name in KEPT:
                continue
            try:
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            except OSError as error:
                raise Problem(f"Cannot delete {entry}: {error.strerror}.") from error

    def folder(self, name: str) -> Path:
        """The folder `name` inside, made where it is missing."""
        path = self.path / name
        try:
            path.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise Problem(f"Cannot write to {path}: {error.strerror}.") from error
        return path

    def secret(self, name: str) -> str:
        """A random text of 64 characters that stays the same as long as the data does."""
        path = self.folder("secrets") / name
        if path.exists() and (value := path.read_text().strip()):
            return value
        value = secrets.token_hex(32)
        write_private(path, value)
        return value

    def write_state(self, environment: Mapping[str, str]) -> None:
        """Tell `./run manage` how to reach what runs here."""
        write_private(self.path / STATE, json.dumps({"pid": os.getpid(), "environment": dict(environment)}))

    def close(self) -> None:
        with suppress(OSError):
            (self.path / STATE).unlink()
        os.close(self.lock)


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def running_environment(path: Path, pid: int, *, patience_seconds: float = 60.0) -> dict[str, str]:
    """The settings of the demo that process `pid` runs on `path`. Waits while it starts; raises Held after that."""
    until = time.monotonic() + patience_seconds
    while time.monotonic() < until and (not pid or alive(pid)):
        with suppress(OSError, ValueError):
            state: dict[str, Any] = json.loads((path / STATE).read_text())
            if state["pid"] == pid:
                return {str(name): str(value) for name, value in state["environment"].items()}
        time.sleep(0.2)
    raise Held(path, pid)
