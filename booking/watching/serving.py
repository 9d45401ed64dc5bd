"""/healthz, /readyz and /metrics of a process that serves nothing else: a worker, or beat."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from booking.watching.pages import page

logger = logging.getLogger(__name__)

# A client that says nothing for so long is let go.
SECONDS = 10


class _Handler(BaseHTTPRequestHandler):
    timeout = SECONDS
    server_version = "holdfast"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        # What stands in the ledgers the web server shows; each asks for its own.
        answer = page(self.command, path, authorization=self.headers.get("Authorization", ""), with_system=False)
        self.send_response(answer.status)
        for name, value in answer.all_headers().items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Probes come every few seconds, and are no news."""


class Watching:
    """Serves until it is closed. Raises SystemExit, with one line, where the port cannot be had."""

    def __init__(self, port: int) -> None:
        try:
            self._server = ThreadingHTTPServer(("", port), _Handler)
        except OSError as error:
            raise SystemExit(f"holdfast: METRICS_PORT {port} cannot be served: {error.strerror}") from None
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="watching", daemon=True).start()
        logger.info("health and metrics are served at port %s", port)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
