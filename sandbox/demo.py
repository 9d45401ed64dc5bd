"""`./run demo`: the whole system on this machine, from nothing, until it is told to stop."""

import json
import os
import socket
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from sandbox.configuration import demo_settings, port_of, process_environment, webhook_url
from sandbox.folder import ROOT, DataFolder, data_folder
from sandbox.prepare import WRONG_SETTING
from sandbox.problem import Problem
from sandbox.processes import Child, Watcher, require_free_port
from sandbox.servers import (
    Server,
    Stopped,
    ignore_signals,
    missing_servers,
    settings_of,
    start_all,
    stop_all,
    stop_on_signals,
)
from sandbox.supervisor import Supervisor

ACCOUNTS = ("guest@example.com", "host@example.com", "staff@example.com")
PASSWORD = "demo-Password-1"
PREPARE_SECONDS = 600.0
ANSWER_SECONDS = 90.0
LOOK_SECONDS = 0.3
WEB_WORKERS = 2
MOST_REQUESTS = 8_192
TASK_WORKERS = 2


def say(line: str) -> None:
    """A reader that went away does not end the demo."""
    with suppress(OSError):
        print(line, flush=True)


class Demo:
    """One run on an open data folder."""

    def __init__(self, folder: DataFolder, port: int) -> None:
        self._folder = folder
        self._port = port
        self._logs = folder.folder("logs")
        self._watcher = Watcher(keep=[folder.lock])
        self._supervisor = Supervisor(say)
        self._servers: list[Server] = []
        self._settings: dict[str, str] = {}

    def run(self) -> None:
        """Start everything and keep it running. Returns after a signal; raises Problem where it cannot start."""
        try:
            self._start()
            while True:
                time.sleep(LOOK_SECONDS)
                self._supervisor.look()
        except Stopped:
            say("Stopping ...")
        finally:
            ignore_signals()
            self._supervisor.stop()
            stop_all(self._servers)
            self._watcher.close()
        say("Stopped. The data stays for the next start.")

    def _start(self) -> None:
        say(f"Data folder: {self._folder.path}")
        self._servers += missing_servers(
            os.environ,
            self._folder.path,
            secret=self._folder.secret,
            watcher=self._watcher,
            webhook_url=webhook_url(self._port),
            keep=True,
        )
        self._settings = demo_settings(self._folder, self._port, os.environ)
        if self._servers:
            say("Starting " + ", ".join(server.title.replace("The ", "the ") for server in self._servers) + " ...")
        start_all(self._servers)
        for server in self._servers:
            if server.child is not None:
                self._supervisor.keep(server.child)
        self._settings |= settings_of(self._servers)
        self._folder.write_state(self._settings)
        say("Preparing the database (migrations, demo data) ...")
        self._prepare()
        say("Starting web, worker and beat ...")
        self._start_product()
        self._announce()

    def _child(self, name: str, *command: str) -> Child:
        return Child(
            name,
            [sys.executable, "-m", *command],
            log=self._logs / f"{name}.log",
            watcher=self._watcher,
            # One process can listen at METRICS_PORT, and there is more to see of the worker than of beat.
            environment={
                **process_environment(self._settings),
                **({} if name == "worker" else {"METRICS_PORT": "0"}),
            },
            folder=ROOT,
        )

    def _finish(self, child: Child, *, seconds: float) -> int | None:
        """Wait for a child that ends by itself, keeping the others up; None when it takes longer than `seconds`."""
        until = time.monotonic() + seconds
        while (code := child.ended()) is None and time.monotonic() < until:
            self._supervisor.look()
            time.sleep(0.03)
        if code is None:
            child.stop()
        return code

    def _prepare(self) -> None:
        child = self._child("prepare", "sandbox.prepare", str(self._folder.path / "prepared"))
        child.start()
        try:
            code = self._finish(child, seconds=PREPARE_SECONDS)
        finally:
            child.stop()
        if code == WRONG_SETTING:
            raise Problem(child.said())
        if code != 0:
            raise Problem(f"The database could not be prepared: {child.said()} (log: {child.log})")

    def _start_product(self) -> None:
        granian = ["--interface", "asgi", "--http", "1", "--host", "127.0.0.1", "--port", str(self._port)]
        granian += ["--workers", str(WEB_WORKERS), "--respawn-failed-workers"]
        granian += ["--workers-kill-timeout", "8"]
        # Streams of events stay open and count as requests: the default of a few hundred would let them shut out the rest.
        granian += ["--backpressure", str(MOST_REQUESTS)]
        celery = ["--concurrency", str(TASK_WORKERS), "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        schedule = ["--schedule", str(self._folder.path / "beat-schedule"), "--pidfile", "", "--loglevel", "INFO"]
        children = [
            self._child("web", "granian", *granian, "booking.asgi:application"),
            self._child("worker", "celery", "-A", "booking", "worker", *celery),
            self._child("beat", "celery", "-A", "booking", "beat", *schedule),
        ]
        web, worker, beat = children
        require_free_port(self._port)
        asking = self._child("ask-worker", "sandbox.ask_worker")
        try:
            web.start()
            worker.start()
            self._await_web([web, worker])
            # Beat is not waited for, so it does not take the others' time; asked now, the worker answers at once.
            beat.start()
            asking.start()
            while (code := asking.ended()) is None:
                self._require_running(children)
                time.sleep(0.05)
        finally:
            asking.stop()
            for child in children:
                self._supervisor.keep(child)
        if code != 0:
            raise Problem(f"The worker does not answer: {asking.said()} (log: {self._logs / 'worker.log'})")

    def _await_web(self, children: list[Child]) -> None:
        until = time.monotonic() + ANSWER_SECONDS
        answer = "it does not listen"
        while answer:
            self._require_running(children)
            if time.monotonic() > until:
                raise Problem(f"The web server does not answer a query: {answer} (log: {self._logs / 'web.log'})")
            time.sleep(0.05)
            if listens(self._port):
                is_registered = bool(os.environ.get("REGISTERED_OPERATIONS"))
                answer = ask(f"http://127.0.0.1:{self._port}/graphql", is_registered=is_registered)
                if answer:
                    time.sleep(0.5)  # each question counts against the rate limit of this machine's clients

    def _require_running(self, children: list[Child]) -> None:
        self._supervisor.look()
        for child in children:
            if child.ended() is not None:
                raise Problem(f"{child.name} does not start: {child.said()} (log: {child.log})")

    def _announce(self) -> None:
        url = f"http://127.0.0.1:{self._port}"
        for server in self._servers:
            if "STRIPE_API_BASE" in (settings := server.settings()):
                say(f"Stripe emulator: {settings['STRIPE_API_BASE']}")
        say(f"Demo accounts: {', '.join(ACCOUNTS)}; password: {PASSWORD}")
        say(f"Mails: {self._settings['MAIL_DIR']}")
        say(f"Logs: {self._logs}")
        say(f"Admin: {url}/admin/ (staff@example.com)")
        say(f"Ready: {url}/graphql")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(url: str, *, is_registered: bool = False) -> str:
    """What is wrong with the answer to a GraphQL query, empty when it is right.

    `is_registered`: the server answers registered operations alone, of which this is none; it is right to say so.
    """
    request = urllib.request.Request(url, b'{"query":"{ __typename }"}', {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            said = answer.read(2000).decode(errors="replace")
    except OSError as error:  # HTTPError is one
        return str(error)
    try:
        told = json.loads(said)
        if is_registered and "data" not in told:
            return "" if told["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT" else said
        return "" if told["data"]["__typename"] == "Query" else said
    except (ValueError, LookupError, TypeError):
        return " ".join(said.split())


def demo(arguments: list[str]) -> None:
    """Raises Problem."""
    if unknown := [argument for argument in arguments if argument != "--fresh"]:
        raise Problem(f"./run demo knows --fresh and no {unknown[0]}.")
    port = port_of(os.environ)
    path: Path = data_folder(os.environ)
    stop_on_signals()
    folder = DataFolder(path)
    try:
        require_free_port(port)
        if arguments:
            say("Deleting the data of the last demo ...")
            folder.clear()
        Demo(folder, port).run()
    finally:
        folder.close()
