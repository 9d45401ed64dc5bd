"""An integrator: a real HTTP server that takes webhooks, and answers as it is told to."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Message:
    """What arrived."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def place(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed

    @property
    def type(self) -> str:
        return str(self.body["type"])


Answer = Callable[[BaseHTTPRequestHandler, Message], None]


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """Answers with the status."""

    def answer(handler: BaseHTTPRequestHandler, _message: Message) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(body)

    return answer


class Receiver:
    """Keeps what arrives by path. `answers` holds how a path answers; 204 where nothing is said."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.answers: dict[str, Answer] = {}
        # Ends every answer that hangs.
        self.over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                message = Message(self.path, headers, raw)
                receiver.taken.append(message)
                receiver.answers.get(message.place, status(204))(self, message)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hangs(self, until: threading.Event | None = None) -> Answer:
        """Says nothing until then, or until the test is over."""

        def answer(handler: BaseHTTPRequestHandler, message: Message) -> None:
            (until or self.over).wait(300)
            with suppress(OSError):
                status(204)(handler, message)

        return answer

    def at(self, path: str) -> list[Message]:
        return [message for message in list(self.taken) if message.place == path]

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


def is_signed(message: Message, secret: str) -> bool:
    """Whether the standard's own words, and no code of ours, find a signature of the secret in the header."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message.headers['webhook-id']}.{message.headers['webhook-timestamp']}.".encode() + message.raw
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in message.headers["webhook-signature"].split(" ")
