"""The demo's run as a whole, on real servers, with light children in the place of web, worker and beat."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg2
import pytest

from sandbox.demo import ask as question
from sandbox.demo import listens
from sandbox.folder import ROOT
from sandbox.watcher import alive
from tests.sandbox.conftest import gone, until
from tests.serving import quiet_port

LIGHT = """
import sys
from sandbox.demo import Demo, demo, say

class Light(Demo):
    def _prepare(self): pass
    def _start_product(self):
        for name in ("web", "worker", "beat"):
            child = self._child(name, "http.server", "--bind", "127.0.0.1", "0")
            child.start()
            self._supervisor.keep(child)
        say("pids " + " ".join(str(child.pid) for child in self._supervisor.children))

import sandbox.demo
sandbox.demo.Demo = Light
demo(sys.argv[1:])
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a light demo on a folder of this test; kills in the end what still runs."""
    made: list[subprocess.Popen[str]] = []
    own = (
        "DATABASE_URL",
        "REDIS_URL",
        "STRIPE_SECRET_KEY",
        "MAIL_DIR",
        "MEDIA_DIR",
        "STATIC_DIR",
        "MODE",
        "SECRET_KEY",
    )
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment |= {"DEMO_DIR": str(tmp_path / "demo"), "PORT": str(quiet_port())}

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LIGHT, *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        made.append(process)
        return process

    yield start
    for process in made:
        process.kill()
        process.communicate()


def read_until_ready(process: subprocess.Popen[str]) -> dict[str, str]:
    """What the demo says until it is ready, by the word before the first blank or colon."""
    assert process.stdout is not None
    said: dict[str, str] = {}
    for line in process.stdout:
        word, _, rest = line.rstrip("\n").replace(": ", " ", 1).partition(" ")
        said[word] = rest
        if word == "Ready":
            return said
    raise AssertionError(f"it ended before it was ready: {said}")


def pids_in(said: dict[str, str]) -> list[int]:
    return [int(pid) for pid in said["pids"].split()]


def state_of(folder: Path) -> dict[str, str]:
    environment: dict[str, str] = json.loads((folder / "state.json").read_text())["environment"]
    return environment


def ask(settings: dict[str, str], statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(settings["DATABASE_URL"])
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_stopping_ends_all_and_the_next_start_has_the_data(start: Start, tmp_path: Path) -> None:
    first = start()
    said = read_until_ready(first)
    settings = state_of(tmp_path / "demo")
    assert said["Ready"] == f"{settings['PUBLIC_URL']}/graphql"
    assert said["Stripe"] == f"emulator {settings['STRIPE_API_BASE']}"
    assert said["Mails"] == str(tmp_path / "demo" / "mail") == settings["MAIL_DIR"]
    assert (settings["MODE"], settings["REQUIRE_VERIFIED_EMAIL"]) == ("development", "off")
    ask(settings, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert len(pids_in(said)) == 6
    assert all(map(alive, pids_in(said)))

    first.send_signal(signal.SIGTERM)

    assert first.wait(300) == 0
    assert gone(*pids_in(said))
    assert not (tmp_path / "demo" / "state.json").exists()

    second = start()
    said = read_until_ready(second)
    assert ask(state_of(tmp_path / "demo"), "SELECT answer FROM kept") == [(42,)]
    assert state_of(tmp_path / "demo")["SECRET_KEY"] == settings["SECRET_KEY"]
    second.send_signal(signal.SIGINT)
    assert second.wait(300) == 0
    assert gone(*pids_in(said))

    third = start("--fresh")
    read_until_ready(third)
    assert ask(state_of(tmp_path / "demo"), "SELECT to_regclass('kept')") == [(None,)]
    third.send_signal(signal.SIGTERM)
    assert third.wait(300) == 0


def test_after_a_kill_nothing_runs_and_the_next_start_works(start: Start, tmp_path: Path) -> None:
    first = start()
    said = read_until_ready(first)
    ask(state_of(tmp_path / "demo"), "CREATE TABLE kept AS SELECT 42 AS answer")

    first.kill()
    first.wait()
    second = start()  # at once: it waits for the watcher of the first

    said_again = read_until_ready(second)
    assert gone(*pids_in(said))
    assert ask(state_of(tmp_path / "demo"), "SELECT answer FROM kept") == [(42,)]
    second.send_signal(signal.SIGTERM)
    assert second.wait(300) == 0
    assert gone(*pids_in(said_again))


def test_a_killed_server_comes_back_on_its_port(start: Start, tmp_path: Path) -> None:
    process = start()
    said = read_until_ready(process)
    settings = state_of(tmp_path / "demo")
    postgres, valkey, *_ = pids_in(said)

    os.kill(postgres, signal.SIGKILL)
    os.kill(valkey, signal.SIGKILL)

    assert process.stdout is not None
    lines = sorted(process.stdout.readline() for _ in range(2))
    assert lines[0].startswith("postgres was killed by signal 9; starting it again in 0.5 s")
    assert lines[1].startswith("valkey was killed by signal 9; starting it again in 0.5 s")

    def works() -> bool:
        try:
            return ask(settings, "SELECT 1") == [(1,)]
        except psycopg2.OperationalError:
            return False

    assert until(works)
    port = int(settings["REDIS_URL"].rpartition(":")[2].partition("/")[0])
    assert until(lambda: listens(port))
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 0


class Refusing(BaseHTTPRequestHandler):
    """Answers registered operations alone."""

    def do_POST(self) -> None:
        body = json.dumps(self.server.answer).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("answer", "is_registered", "is_right"),
    [
        ({"data": {"__typename": "Query"}}, False, True),
        ({"data": {"__typename": "Query"}}, True, True),
        ({"errors": [{"extensions": {"code": "BAD_USER_INPUT"}}]}, True, True),
        ({"errors": [{"extensions": {"code": "BAD_USER_INPUT"}}]}, False, False),
        ({"errors": [{"extensions": {"code": "INTERNAL"}}]}, True, False),
        ({}, True, False),
    ],
)
def test_a_server_of_registered_operations_is_up_when_it_refuses_others(
    answer: dict[str, Any], is_registered: bool, is_right: bool
) -> None:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        server.answer = answer  # type: ignore[attr-defined]
        Thread(target=server.handle_request, daemon=True).start()
        said = question(f"http://127.0.0.1:{server.server_port}/graphql", is_registered=is_registered)
    assert (said == "") is is_right
