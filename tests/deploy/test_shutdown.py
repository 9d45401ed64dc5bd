"""`booking.shutdown`: what a server that is told to stop does before it stops."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from booking import shutdown
from booking.watching.pages import page
from tests.deploy.linters import ROOT
from tests.serving import eventually, reserved_port

# Says what it sees of the mark and of the signal, and ends with 7 once it is told to.
SERVER = """
import http.server, signal, socketserver, sys
from booking.shutdown import is_stopping, is_watched

class Says(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f'[{int(is_watched())}, {int(is_stopping())}]'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
socketserver.TCPServer(("127.0.0.1", int(sys.argv[1])), Says).serve_forever()
"""


class Stopping:
    def __init__(self, port: int, after: float) -> None:
        self._port = port
        self.process = subprocess.Popen(
            [sys.executable, "-m", "booking.shutdown", "--after", str(after), sys.executable, "-c", SERVER, str(port)],
            cwd=ROOT, start_new_session=True,
        )  # fmt: skip

    def says(self) -> list[int] | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", "/")
            said: list[int] = json.loads(connection.getresponse().read())
            return said
        except OSError:
            return None
        finally:
            connection.close()


@contextmanager
def stopping_after(seconds: float) -> Iterator[Stopping]:
    with reserved_port() as reservation:
        port = reservation.getsockname()[1]
    running = Stopping(port, seconds)
    try:
        eventually(lambda: running.says() == [1, 0], "the server answers")
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()


def test_it_says_so_and_goes_on_answering_before_it_stops() -> None:
    with stopping_after(1.5) as running:
        told_at = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: running.says() == [1, 1], "it says that it is to stop")
        # The signal came through as it was, no sooner than it may, and its answer is the command's.
        assert running.process.wait(30) == 7
        assert time.monotonic() - told_at >= 1.5


def test_a_second_signal_is_passed_on_at_once() -> None:
    with stopping_after(60) as running:
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: running.says() == [1, 1], "it says that it is to stop")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 7


def test_a_command_that_ends_by_itself_ends_it() -> None:
    for code in ("raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"):
        done = subprocess.run(
            [sys.executable, "-m", "booking.shutdown", "--after", "60", sys.executable, "-c", code],
            cwd=ROOT,
            check=False,
        )
        assert done.returncode in {3, 128 + signal.SIGKILL}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "Usage"),
        (("--after", "2"), "Usage"),
        (("granian", "booking.asgi:application"), "Usage"),
        (("--after", "soon", "true"), "--after must be a number of seconds from 0 to 60"),
        (("--after", "-1", "true"), "--after must be a number of seconds from 0 to 60"),
        (("--after", "nan", "true"), "--after must be a number of seconds from 0 to 60"),
        (("--after", "2", "/nowhere/granian"), "/nowhere/granian cannot be started: No such file or directory"),
    ],
)
def test_what_it_cannot_do_it_says_in_a_line(arguments: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(SystemExit) as ended:
        shutdown.main(list(arguments))
    assert complaint in str(ended.value)


def test_who_asks_after_its_health_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setitem(os.environ, shutdown.MARK, str(mark))
    assert page("GET", "/healthz", authorization="").status == 200
    mark.touch()
    for path in ("/healthz", "/readyz"):
        answer = page("GET", path, authorization="")
        assert (answer.status, json.loads(answer.body)) == (503, {"status": "stopping"})
    # What it counts is still to be fetched; without a token there is no such page.
    assert page("GET", "/metrics", authorization="").status == 404
