"""`python -m sandbox.stripe`: runs the emulator until it is told to stop."""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sandbox.stripe.api import Emulator, read_endpoint
from sandbox.stripe.errors import ApiError
from sandbox.stripe.server import Server
from sandbox.stripe.store import Store


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"sandbox.stripe: {message}", file=sys.stderr)
        raise SystemExit(2)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"'{text}' is no port: give a number from 0 to 65535")
    return int(text)


def _key(text: str) -> str:
    if not text.isascii() or not text.isprintable() or not 8 <= len(text) <= 200 or " " in text or ":" in text:
        raise argparse.ArgumentTypeError("a key has 8 to 200 printable characters, none of them a space or a colon")
    return text


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m sandbox.stripe", description="A stateful Stripe emulator for tests and demos.")
    parser.add_argument("--port", type=_port, required=True, help="where to listen; 0 picks a free port and prints it")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the state; made where it is missing")
    parser.add_argument("--key", type=_key, default="sk_test_holdfast", help="the API key (default: %(default)s)")
    parser.add_argument("--webhook-url", help="where the main account's events are sent")
    parser.add_argument("--webhook-secret", help="what they are signed with")
    parser.add_argument("--public-url", help="the address that browsers reach the emulator at, if it is another")
    options = parser.parse_args(given)
    if (options.webhook_url is None) != (options.webhook_secret is None):
        parser.error("--webhook-url and --webhook-secret go together")
    if options.webhook_url is not None:
        try:
            read_endpoint(options.webhook_url, options.webhook_secret)
        except ApiError as error:
            parser.error(f"--webhook-{error.error['param']}: {error}")
    return options


def main(given: Sequence[str] | None = None) -> int:
    """Runs until SIGTERM or SIGINT, then ends the process with 0; 1 with one line where it cannot start (2: arguments)."""
    logging.basicConfig(level=logging.WARNING, format="stripe emulator: %(message)s")
    options = _arguments(given)
    try:
        options.data.mkdir(parents=True, exist_ok=True)
        lock = (options.data / "lock").open("w")
        store = Store(options.data / "stripe.sqlite3")
    except (OSError, sqlite3.Error) as error:
        print(f"sandbox.stripe: cannot use the folder {options.data}: {error}", file=sys.stderr)
        return 1
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print(f"sandbox.stripe: the folder {options.data} is in use by another emulator", file=sys.stderr)
        return 1
    emulator = Emulator(store, options.key)
    try:
        server = Server((options.host, options.port), emulator)
    except (OSError, OverflowError, UnicodeError) as error:
        print(f"sandbox.stripe: cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    if options.webhook_url is not None:
        store.set_endpoint("", (options.webhook_url, options.webhook_secret))
    host, port = str(server.server_address[0]), server.server_address[1]
    reachable = "127.0.0.1" if host == "0.0.0.0" else host
    emulator.base_url = (options.public_url or f"http://{reachable}:{port}").rstrip("/")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    emulator.background.start()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(f"Stripe emulator: http://{reachable}:{port}", flush=True)
    stop.wait()
    server.shutdown()
    server.server_close()
    emulator.background.stop()
    store.close()
    # A receiver that does not answer holds a thread; what it was sent is sent again after the next start.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
