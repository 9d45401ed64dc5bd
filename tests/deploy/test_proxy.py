"""The proxy's own program with the proxy's own file: who is sent where, and that nobody is told of a restart."""

import http.client
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox.demo import listens
from tests.deploy.fleet import CADDYFILE, command_of
from tests.deploy.linters import complaints, linters
from tests.serving import eventually, quiet_port

PATIENCE_SECONDS = 300.0


class _Says(BaseHTTPRequestHandler):
    """Answers with the name of the server and what it was asked, and keeps no connection: one that ends is gone."""

    name = ""
    health = 200
    looks = 0

    def do_GET(self) -> None:
        if self.path == "/healthz" and "X-Forwarded-For" not in self.headers:
            # The proxy asks for itself.
            self.send_response(self.health)
            self.send_header("Content-Length", "0")
            self.end_headers()
            type(self).looks += 1
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        said = {key.lower(): value for key, value in self.headers.items()}
        said |= {"name": self.name, "path": self.path, "body": body}
        answer = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def upstream(name: str, port: int) -> Iterator[type[_Says]]:
    says = type(name, (_Says,), {"name": name})
    server = ThreadingHTTPServer(("127.0.0.1", port), says)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield says
    finally:
        server.shutdown()
        server.server_close()


class Proxy:
    """The proxy at work, the web server behind it running until it is stopped."""

    def __init__(self, port: int, web: int) -> None:
        self._port = port
        self._web_port = web
        self._running = ExitStack()
        self.start_web()

    def start_web(self) -> None:
        self.web = self._running.enter_context(upstream("web", self._web_port))

    def stop_web(self) -> None:
        self._running.close()

    def ask(self, path: str, *, method: str = "GET", body: str = "", **headers: str) -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
        finally:
            connection.close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    program = linters() / "bin" / "caddy"
    folder = tmp_path_factory.mktemp("proxy")
    port, web, live = quiet_port(), quiet_port(), quiet_port()
    environment = {
        **os.environ, "HOME": str(folder), "PROXY_ADDRESS": f"http://:{port}",
        "WEB": f"127.0.0.1:{web}", "LIVE": f"127.0.0.1:{live}",
    }  # fmt: skip
    command = [str(program), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    with (folder / "log").open("w") as log, upstream("live", live):
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            until = time.monotonic() + PATIENCE_SECONDS
            while not listens(port):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until
                time.sleep(0.05)
            proxy = Proxy(port, web)
            try:
                yield proxy
            finally:
                proxy.stop_web()
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


def test_its_file_is_what_it_takes(tmp_path: Path) -> None:
    arguments = ("validate", "--config", str(CADDYFILE), "--adapter", "caddyfile")
    assert complaints("caddy", *arguments, environment={"HOME": str(tmp_path)}) == ""


SOCKET = {"Connection": "Upgrade", "Upgrade": "websocket"}


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/graphql", {}, "web"),
        ("/graphql", {"Accept": "application/graphql-response+json, application/json"}, "web"),
        ("/graphql", SOCKET, "live"),
        ("/graphql", {"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket"}, "live"),
        ("/graphql", {"Accept": "text/event-stream"}, "live"),
        ("/graphql", {"Accept": "application/json, text/event-stream"}, "live"),
        ("/admin/", {"Accept": "text/event-stream"}, "web"),
        ("/healthz", {}, "web"),
    ],
)
def test_who_is_sent_where(proxy: Proxy, path: str, headers: dict[str, str], name: str) -> None:
    status, said = proxy.ask(path, **headers)
    assert (status, said["name"], said["path"]) == (200, name, path)


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/METRICS", "/%6detrics", "/a/../metrics", "/metrics?a=1"])
def test_what_is_for_those_inside_is_not_shown_outside(proxy: Proxy, path: str) -> None:
    assert proxy.ask(path) == (404, {})


def test_nobody_chooses_the_address_that_is_counted(proxy: Proxy) -> None:
    _, said = proxy.ask("/graphql", X_Forwarded_For="203.0.113.9", Host="book.example.com")
    assert said["x-forwarded-for"] == "127.0.0.1"


def test_the_product_hears_the_host_that_was_asked(proxy: Proxy) -> None:
    _, said = proxy.ask("/graphql")
    assert said["host"].startswith("127.0.0.1:")


class _Asking:
    """Somebody who asks once and waits for the answer."""

    def __init__(self, proxy: Proxy) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self._thread = threading.Thread(
            target=lambda: self.answers.append(proxy.ask("/graphql", method="POST", body="{a}"))
        )
        self._thread.start()

    def answered(self) -> list[tuple[int, str, str]]:
        self._thread.join(PATIENCE_SECONDS)
        return [(status, said["name"], said["body"]) for status, said in self.answers]


def test_who_asks_while_the_web_server_is_started_anew_is_answered_late_and_once(proxy: Proxy) -> None:
    proxy.stop_web()
    asking = _Asking(proxy)
    time.sleep(0.5)
    assert not asking.answers, "the web server is away, and the request waits"
    proxy.start_web()
    assert asking.answered() == [(200, "web", "{a}")]


def test_a_web_server_that_says_it_will_stop_is_sent_nothing_more(proxy: Proxy) -> None:
    proxy.web.health = 503
    looks = proxy.web.looks
    # The look after the one that was under way has seen it.
    eventually(lambda: proxy.web.looks > looks + 1, "the proxy looks")
    asking = _Asking(proxy)
    time.sleep(0.5)
    assert not asking.answers, "the web server still answers, and the request waits for the next one"
    proxy.stop_web()
    proxy.start_web()
    assert asking.answered() == [(200, "web", "{a}")]


def test_it_hears_of_a_stop_before_the_servers_do_stop() -> None:
    """What they take to stop, in the commands that they are started by, is longer than the proxy takes to look twice."""
    found = re.search(r"health_interval (\d+)ms", CADDYFILE.read_text())
    assert found
    for service in ("web", "live"):
        command = command_of(service)
        assert float(command[command.index("--after") + 1]) * 1000 >= 4 * int(found[1])
