"""Graceful shutdown: told to stop, a web server says so first, answers on until nobody asks it any more, and only then stops.

    python -m booking.shutdown --after 2 granian ... booking.asgi:application

A server that closes its connections the moment it is told to drops what is on its way to it: a request that the proxy had just
begun to send is lost, and may not be sent to another, for nobody knows whether it was carried out. So with SIGTERM or SIGINT
`/healthz` and `/readyz` begin to answer 503, and the server hears of the signal `--after` seconds later. By then the proxy
has asked and sends nothing here. A second signal is passed on at once.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import NoReturn

# Names the file that is there once the process is to stop.
MARK = "STOPPING_MARK"
USAGE = "Usage: python -m booking.shutdown --after SECONDS COMMAND ..."
LONGEST_SECONDS = 60.0


def is_watched() -> bool:
    """Whether this process was started so that it can know."""
    return bool(os.environ.get(MARK))


def is_stopping() -> bool:
    """Whether this process was told to stop and answers for the last time."""
    mark = os.environ.get(MARK)
    return mark is not None and Path(mark).exists()


def run(command: list[str], *, after: float) -> int:
    """Run the command until it ends. Returns its exit code, as a shell would say it. Raises OSError where it cannot be started."""
    with tempfile.TemporaryDirectory(prefix="holdfast-stopping-") as folder:
        mark = Path(folder) / "mark"
        process = subprocess.Popen(command, env={**os.environ, MARK: str(mark)})  # noqa: S603 - whoever deploys names it

        def stop(number: int, _: FrameType | None) -> None:
            if mark.exists():
                process.send_signal(number)
                return
            mark.touch()
            timer = threading.Timer(after, process.send_signal, [number])
            timer.daemon = True
            timer.start()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGHUP, lambda number, _: process.send_signal(number))
        code = process.wait()
    return code if code >= 0 else 128 - code


def main(arguments: list[str]) -> NoReturn:
    if len(arguments) < 3 or arguments[0] != "--after":
        raise SystemExit(USAGE)
    try:
        after = float(arguments[1])
    except ValueError:
        after = -1.0
    if not 0 <= after <= LONGEST_SECONDS:
        raise SystemExit(f"holdfast: --after must be a number of seconds from 0 to {LONGEST_SECONDS:g}.\n{USAGE}")
    try:
        code = run(arguments[2:], after=after)
    except OSError as error:
        raise SystemExit(f"holdfast: {arguments[2]} cannot be started: {error.strerror}") from None
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
