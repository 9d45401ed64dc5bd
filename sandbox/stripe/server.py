"""The emulator on a socket."""

from __future__ import annotations

import json
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox.stripe.api import Answer, Emulator, Request
from sandbox.stripe.errors import ApiError, unknown_url

LONGEST_BODY = 1_000_000
IDLE_SECONDS = 120.0


class Server(ThreadingHTTPServer):
    """Serves an emulator; raises OSError where the address is taken."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    # A second server on the same port must fail, also while old connections linger.
    allow_reuse_port = False

    def __init__(self, address: tuple[str, int], emulator: Emulator) -> None:
        self.emulator = emulator
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stripe-emulator"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def _serve(self) -> None:
        try:
            body = self._body()
        except ApiError as error:
            self.close_connection = True
            self._send(_plain(error))
            return
        path, _, query = self.path.partition("#")[0].partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.emulator.handle(Request(self.command, path, query, headers, body))
        if answer.hang is not None:
            time.sleep(answer.hang)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(answer)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_OPTIONS = do_TRACE = do_CONNECT = _serve  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            raise ApiError(411, "Chunked requests are not taken: send Content-Length.", began=False)
        declared = self.headers.get("Content-Length", "0")
        if not (declared.isascii() and declared.isdigit()):
            raise ApiError(400, "Invalid Content-Length.", began=False)
        if len(declared) > 12 or int(declared) > LONGEST_BODY:
            raise ApiError(413, f"Request body too large: at most {LONGEST_BODY} bytes are taken.", began=False)
        body = self.rfile.read(int(declared))
        if len(body) < int(declared):
            raise ApiError(400, "The request body ended early.", began=False)
        return body

    def _send(self, answer: Answer) -> None:
        payload = answer.text.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(payload)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the HTTP parser refuses is the client's fault, and is answered in JSON."""
        self.close_connection = True
        method = getattr(self, "command", None) or "?"
        if code == 501:
            error = unknown_url(method, getattr(self, "path", ""))
        else:
            error = ApiError(code if code < 500 else 400, message or "Bad request.", began=False)
        self.command = method
        # Before the version is read the parser assumes HTTP/0.9, whose answers have no status.
        self.request_version = self.protocol_version
        self._send(_plain(error))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing: the event list is the log."""


def _plain(error: ApiError) -> Answer:
    return Answer(error.status, json.dumps({"error": error.error}))
