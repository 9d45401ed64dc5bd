"""One emulator for each test module, the official client, and a receiver of webhooks."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

ROOT = Path(__file__).resolve().parents[3]
KEY = "sk_test_holdfast"
SECRET = "whsec_of_the_tests"
_accounts = count()


class Running:
    """An emulator process on a folder."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.stripe", "--port", "0", "--data", str(folder), *more],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Stripe emulator: http://127.0.0.1:"), line
        self.url = line.split()[-1]

    def client(self, key: str = KEY, retries: int = 0) -> stripe.StripeClient:
        return stripe.StripeClient(key, base_addresses={"api": self.url}, max_network_retries=retries)

    def stop(self) -> int:
        self.process.terminate()
        return self._gone()

    def kill(self) -> None:
        self.process.kill()
        self._gone()

    def _gone(self) -> int:
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(300)


class Account:
    """An account of its own on the module's emulator."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.url = running.url
        self.key = f"{KEY}_test{next(_accounts)}"
        self.client = running.client(self.key)
        self.v1 = self.client.v1

    def http(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=300, allow_redirects=False, **options)

    def pay(self, method: str = "pm_card_visa", amount: int = 1_000, **more: Any) -> stripe.PaymentIntent:
        """A confirmed PaymentIntent; `key` is its idempotency key."""
        key = more.pop("key", None)
        given: Any = {
            "amount": amount,
            "currency": "usd",
            "confirm": True,
            "payment_method": method,
            "return_url": "https://shop.example/back?a=1",
            **more,
        }
        return self.v1.payment_intents.create(given, {"idempotency_key": key} if key else None)

    def faults(self, **given: Any) -> None:
        answer = self.http("POST", "/_config/faults", json=given)
        assert answer.status_code == 200, answer.text

    def send_to(self, receiver: Receiver) -> None:
        answer = self.http("POST", "/_config/webhook", json={"url": receiver.url, "secret": SECRET})
        assert answer.status_code == 200, answer.text

    def event_types(self) -> list[str]:
        """The types of all events, oldest first."""
        found = self.v1.events.list({"limit": 100}).auto_paging_iter()
        return [str(event.type) for event in found][::-1]


class Receiver:
    """A webhook endpoint that keeps what it got, with the time, and answers as it is told."""

    def __init__(self) -> None:
        self.got: queue.Queue[tuple[float, bytes, str]] = queue.Queue()
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                receiver.got.put((time.monotonic(), body, self.headers["Stripe-Signature"]))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def take(self, number: int, seconds: float = 60.0) -> list[dict[str, Any]]:
        """The next events, in the order of their arrival."""
        return [json.loads(body) for _, body, _ in self.take_raw(number, seconds)]

    def take_raw(self, number: int, seconds: float = 60.0) -> list[tuple[float, bytes, str]]:
        return [self.got.get(timeout=seconds) for _ in range(number)]

    def silent(self, seconds: float) -> bool:
        try:
            self.got.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("stripe"))
    yield running
    running.kill()


@pytest.fixture
def account(running: Running) -> Account:
    return Account(running)


@pytest.fixture
def make_receiver() -> Iterator[Callable[[], Receiver]]:
    made: list[Receiver] = []

    def make() -> Receiver:
        made.append(Receiver())
        return made[-1]

    yield make
    for receiver in made:
        receiver.stop()
