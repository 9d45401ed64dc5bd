"""What happens by itself: webhooks are delivered and retried, and timers run out."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from sandbox.stripe import payments, refunds
from sandbox.stripe.session import Json, Session
from sandbox.stripe.store import Store

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
PATIENCE_SECONDS = 2.0
LONGEST_WAIT = 60.0
MOST_ATTEMPTS = 200
_ACCOUNTS_AT_ONCE = 8

_ACTIONS: dict[str, tuple[str, Callable[[Session, Json], None]]] = {
    "finish_processing": ("payment_intent", payments.finish_processing),
    "finish_refund": ("refund", refunds.finish),
    "fail_refund": ("refund", refunds.fail),
}


def signature(payload: bytes, secret: str, at: int) -> str:
    """The `Stripe-Signature` header of a payload sent at that epoch second."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def wait_before(attempt: int) -> float:
    """Seconds between a failed attempt (the first is 1) and the next: 1, 2, 4, ... up to a minute."""
    return min(2.0 ** min(attempt - 1, 10), LONGEST_WAIT)


class Background:
    """
    One thread that finds what is due, and a few that deliver.

    An account's webhooks go out one after the other, so that they arrive in order unless one fails or a fault says
    otherwise. What was not yet delivered when the process ended is delivered after the next start.
    """

    def __init__(self, store: Store, session_for: Callable[[str], Session]) -> None:
        self._store = store
        self._session_for = session_for
        self._changed = threading.Condition()
        self._news = False
        self._stopping = False
        self._busy: set[str] = set()
        self._senders = ThreadPoolExecutor(_ACCOUNTS_AT_ONCE, thread_name_prefix="webhooks")
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)

    def start(self) -> None:
        """Starts the threads."""
        self._thread.start()

    def wake(self) -> None:
        """Says that something new may be due."""
        with self._changed:
            self._news = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Stops looking; waits a moment for a delivery under way. One that is cut off is made again after the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._busy, PATIENCE_SECONDS)
        self._thread.join()
        self._senders.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                self._news = False
            try:
                pause = self._step()
            except Exception:
                logger.exception("the background step failed")
                pause = 1.0
            with self._changed:
                if not self._news and not self._stopping:
                    self._changed.wait(pause)

    def _step(self) -> float | None:
        """Does what is due; seconds until the next thing is, or None when nothing waits."""
        while self._ring():
            pass
        now = time.time()
        upcoming: list[float] = [
            row["at"] for row in self._store.run("SELECT MIN(due_at) AS at FROM timers") if row["at"] is not None
        ]
        for row in self._store.run("SELECT account, MIN(due_at) AS at FROM deliveries GROUP BY account"):
            with self._changed:
                if row["account"] in self._busy or self._stopping:
                    continue
                if row["at"] > now:
                    upcoming.append(row["at"])
                    continue
                self._busy.add(row["account"])
            self._senders.submit(self._deliver_all, row["account"])
        return max(0.005, min(upcoming) - time.time()) if upcoming else None

    def _ring(self) -> bool:
        with self._store.transaction():
            rows = self._store.run(
                "SELECT id, account, action, target FROM timers WHERE due_at <= ? ORDER BY due_at LIMIT 1",
                (time.time(),),
            )
            if not rows:
                return False
            self._store.run("DELETE FROM timers WHERE id = ?", (rows[0]["id"],))
            kind, action = _ACTIONS[rows[0]["action"]]
            session = self._session_for(rows[0]["account"])
            target = session.find(kind, rows[0]["target"])
            if target is not None:
                action(session, target)
        return True

    def _deliver_all(self, account: str) -> None:
        try:
            while not self._stopping and self._deliver_next(account):
                pass
        except Exception:
            logger.exception("the webhooks of an account stopped")
        finally:
            with self._changed:
                self._busy.discard(account)
                self._news = True
                self._changed.notify_all()

    def _deliver_next(self, account: str) -> bool:
        rows = self._store.run(
            "SELECT id, event, attempts, bad_signature FROM deliveries WHERE account = ? AND due_at <= ? "
            "ORDER BY due_at, id LIMIT 1",
            (account, time.time()),
        )
        endpoint = self._store.endpoint(account)
        if not rows or endpoint is None:
            return False
        delivery, attempt = rows[0], rows[0]["attempts"] + 1
        event = self._store.find(account, "event", delivery["event"])
        delivered = event is None or post(event, *endpoint, bad_signature=bool(delivery["bad_signature"]))
        with self._store.transaction():
            if not delivered and attempt < MOST_ATTEMPTS:
                self._store.run(
                    "UPDATE deliveries SET attempts = ?, due_at = ?, bad_signature = 0 WHERE id = ?",
                    (attempt, time.time() + wait_before(attempt), delivery["id"]),
                )
                return True
            self._store.run("DELETE FROM deliveries WHERE id = ?", (delivery["id"],))
            left = self._store.run("SELECT 1 FROM deliveries WHERE event = ? LIMIT 1", (delivery["event"],))
            event = self._store.find(account, "event", delivery["event"])
            if event is not None and not left:
                self._store.save(account, event | {"pending_webhooks": 0})
        return True


def post(event: Json, url: str, secret: str, *, bad_signature: bool) -> bool:
    """Sends an event once; whether a 2xx came back in time. A bad signature is one that no secret makes right."""
    payload = json.dumps(event).encode()
    header = signature(payload, secret, int(time.time()))
    if bad_signature:
        flipped = "".join("0" if digit != "0" else "f" for digit in header.rpartition("=")[2])
        header = f"{header.rpartition('=')[0]}={flipped}"
    parts = urlsplit(url)
    maker = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = maker(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(
            "POST",
            target,
            payload,
            {
                "Accept": "*/*; q=0.5, application/xml",
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": header,
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            },
        )
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
