"""The last line of defence against orphans: a process that outlives its parent by the time it takes to tidy up.

Its standard input is a pipe that only the parent writes to. Each line is `watch PID SIGNAL`, `forget PID` or
`remove FOLDER`. When the pipe closes, however the parent ended (even by SIGKILL), what is still watched gets its
signal, then ten seconds, then SIGKILL together with its process group; then the folders are removed.

Run as a file by `python -I -S`: it imports nothing but the standard library, so it starts fast and stays small.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress

PATIENCE = 10.0


def alive(pid: int) -> bool:
    """Whether the process still runs; one that has ended and was not collected yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123
        return stat.read().rpartition(b")")[2].split()[0] != b"Z"
    return True


def end(watched: dict[int, int]) -> None:
    for pid, wanted in watched.items():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, wanted)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and any(map(alive, watched)):
        time.sleep(0.05)
    for pid in watched:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, int] = {}
    folders: list[str] = []
    for line in sys.stdin:
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "watch":
            pid, _, wanted = rest.partition(" ")
            watched[int(pid)] = int(wanted)
        elif verb == "forget":
            watched.pop(int(rest), None)
        elif verb == "remove":
            folders.append(rest)
    end(watched)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
