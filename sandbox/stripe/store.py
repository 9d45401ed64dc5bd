"""All state, in one SQLite file: objects, remembered answers, webhook deliveries and timers."""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_ALPHABET = string.ascii_letters + string.digits
_LINKS = ("customer", "payment_intent", "charge", "label")

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    customer TEXT,
    payment_intent TEXT,
    charge TEXT,
    label TEXT,
    hidden INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (account, kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (account, kind, customer, seq);
CREATE INDEX IF NOT EXISTS objects_by_intent ON objects (account, kind, payment_intent, seq);
CREATE INDEX IF NOT EXISTS objects_by_charge ON objects (account, kind, charge, seq);
CREATE TABLE IF NOT EXISTS answers (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    digest TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (account, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS endpoints (
    account TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    secret TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    event TEXT NOT NULL,
    due_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    bad_signature INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS deliveries_by_account ON deliveries (account, due_at, id);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS timers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    due_at REAL NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL
);
"""


def new_id(prefix: str, length: int = 24) -> str:
    """An identifier that nobody can guess: the prefix, `_` and letters and digits."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"


class Store:
    """
    The state of every account.

    One connection behind one lock: what happens inside `transaction()` is seen by nobody else until it is committed,
    and is on disk (as far as a killed process is concerned) when the block is left.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_TABLES)

    def close(self) -> None:
        """Waits for the transaction under way, then closes the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed, or nothing where the block raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of one SQL statement."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def add(self, account: str, body: Json) -> None:
        """Stores a new object."""
        self.run(
            "INSERT INTO objects (account, id, kind, created, customer, payment_intent, charge, label, hidden, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (account, body["id"], body["object"], body["created"], *_columns(body), json.dumps(body)),
        )

    def save(self, account: str, body: Json) -> None:
        """Stores an object that was there before."""
        self.run(
            "UPDATE objects SET customer = ?, payment_intent = ?, charge = ?, label = ?, hidden = ?, body = ? "
            "WHERE account = ? AND id = ?",
            (*_columns(body), json.dumps(body), account, body["id"]),
        )

    def find(self, account: str, kind: str, identifier: str) -> Json | None:
        """The account's object of this kind and id, or None."""
        rows = self.run(
            "SELECT body FROM objects WHERE id = ? AND account = ? AND kind = ?", (identifier, account, kind)
        )
        return json.loads(rows[0]["body"]) if rows else None

    def owner(self, identifier: str) -> tuple[str, Json] | None:
        """The account and the object with this id, whosever it is."""
        rows = self.run("SELECT account, body FROM objects WHERE id = ?", (identifier,))
        return (rows[0]["account"], json.loads(rows[0]["body"])) if rows else None

    def page(
        self,
        account: str,
        kind: str,
        *,
        conditions: Sequence[tuple[str, Any]] = (),
        limit: int,
        after: str | None = None,
        before: str | None = None,
    ) -> tuple[list[Json], bool]:
        """
        Objects newest first, and whether there are more in the direction of the walk.

        `conditions` are pairs of an SQL condition with one `?` and its value. `after` and `before` are ids that exist.
        """
        where = ["account = ?", "kind = ?", "hidden = 0"]
        values: list[Any] = [account, kind]
        for condition, value in conditions:
            where.append(condition)
            values.append(value)
        if after is not None:
            where.append("seq < (SELECT seq FROM objects WHERE id = ?)")
            values.append(after)
        if before is not None:
            where.append("seq > (SELECT seq FROM objects WHERE id = ?)")
            values.append(before)
        order = "ASC" if before is not None else "DESC"
        rows = self.run(
            f"SELECT body FROM objects WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?", [*values, limit + 1]
        )
        found = [json.loads(row["body"]) for row in rows[:limit]]
        if before is not None:
            found.reverse()
        return found, len(rows) > limit

    def wipe(self, account: str) -> None:
        """Forgets all of an account but its webhook endpoint."""
        for table in ("objects", "answers", "deliveries", "timers"):
            self.run(f"DELETE FROM {table} WHERE account = ?", (account,))

    def forget_answers(self, account: str) -> None:
        """Forgets what was answered to the account's idempotency keys."""
        self.run("DELETE FROM answers WHERE account = ?", (account,))

    def endpoint(self, account: str) -> tuple[str, str] | None:
        """The URL and the secret of the account's webhook endpoint."""
        rows = self.run("SELECT url, secret FROM endpoints WHERE account = ?", (account,))
        return (rows[0]["url"], rows[0]["secret"]) if rows else None

    def set_endpoint(self, account: str, endpoint: tuple[str, str] | None) -> None:
        """Sets the account's webhook endpoint; None takes it away together with what was still to be delivered."""
        if endpoint is None:
            self.run("DELETE FROM endpoints WHERE account = ?", (account,))
            self.run("DELETE FROM deliveries WHERE account = ?", (account,))
        else:
            self.run("REPLACE INTO endpoints (account, url, secret) VALUES (?, ?, ?)", (account, *endpoint))


def _columns(body: Json) -> tuple[Any, ...]:
    label = body.get("email") if body["object"] == "customer" else body.get("type")
    links = [body.get(name) if isinstance(body.get(name), str) else None for name in _LINKS[:-1]]
    return (*links, label, int(bool(body.get("deleted"))))
