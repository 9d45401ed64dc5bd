"""Child processes that end with their parent, whatever ends it."""

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sandbox.problem import Problem

WATCHER = Path(__file__).with_name("watcher.py")
LOG_LIMIT_BYTES = 5_000_000
PR_SET_PDEATHSIG = 1

# Loaded before any fork: nothing may be imported between fork and exec.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(number: int, parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program: ask the kernel for `number` when `parent` dies (Linux)."""

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job hands down an ignored one
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, number)
            if os.getppid() != parent:  # it died between the fork and the line above
                os._exit(1)

    return prepare


def free_port() -> int:
    """A TCP port of the loopback address that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free_port(port: int) -> None:
    """Raises Problem where `port` of the loopback address cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Problem(f"Port {port} is in use; choose another one, as in: PORT={port + 1} ./run demo") from None
            raise Problem(f"Port {port} cannot be served: {error.strerror}; choose another one with PORT.") from None


def last_line(log: Path, start: int = 0) -> str:
    """The last line that says something in `log` from byte `start` on, empty where there is none."""
    with suppress(OSError), log.open("rb") as lines:
        lines.seek(max(start, log.stat().st_size - 20_000))
        said = [line.strip() for line in lines.read().decode(errors="replace").splitlines() if line.strip()]
        return said[-1] if said else ""
    return ""


class Watcher:
    """This process's watcher (`sandbox/watcher.py`). Holds the descriptors `keep` open for as long as it tidies."""

    def __init__(self, *, keep: Sequence[int] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WATCHER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=tuple(keep),
            cwd="/",
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, pid: int, number: int) -> None:
        self._say(f"watch {pid} {number}")

    def forget(self, pid: int) -> None:
        self._say(f"forget {pid}")

    def remove(self, folder: Path) -> None:
        """Remove `folder` in the end, however that comes."""
        self._say(f"remove {folder}")

    def close(self) -> None:
        """End what is still watched, remove the folders, and wait for that."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        if self._process.stdin is not None:
            # A watcher that was killed leaves the kernel's death signal as the only guard.
            with suppress(OSError):
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()


class Child:
    """A program that is started, stopped and started again under one name; its output goes to `log`.

    It leads a process group of its own, so that the terminal's Ctrl-C reaches the supervisor alone and what the program
    forked can be ended with it. `account` is the (uid, gid) it runs as where that is another one.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        watcher: Watcher,
        environment: Mapping[str, str],
        folder: Path,
        stop_signal: int = signal.SIGTERM,
        patience_seconds: float = 10.0,
        account: tuple[int, int] | None = None,
        keep: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self._watcher = watcher
        self._environment = dict(environment)
        self._folder = folder
        self._stop_signal = stop_signal
        self._patience_seconds = patience_seconds
        self._account = account
        self._keep = tuple(keep)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Raises Problem where the program or its log cannot be opened."""
        account: dict[str, object] = {}
        if self._account is not None:
            account = {"user": self._account[0], "group": self._account[1], "extra_groups": []}
        try:
            if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment,
                    cwd=self._folder,
                    start_new_session=True,
                    pass_fds=self._keep,
                    preexec_fn=die_with_parent(self._stop_signal, os.getpid()),
                    **account,  # type: ignore[call-overload]
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise Problem(f"Cannot start {self.name} ({self.command[0]}): {error}") from error
        self._watcher.watch(self._process.pid, self._stop_signal)

    def ended(self) -> int | None:
        """The exit code once it has ended (negative: the signal), else None. What it left of its group is ended too."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is not None:
            self._clear()
        return code

    def stop(self) -> None:
        """Ask it to stop, wait, and end by force what is left of its group."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self._patience_seconds)
        self._clear()

    def said(self) -> str:
        """The last line it wrote since it was started."""
        return last_line(self.log, self._log_start)

    def _clear(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._watcher.forget(self._process.pid)
            self._process = None
