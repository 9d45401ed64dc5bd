"""The keys and the addresses that issuers publish: kept in this process, fetched again now and then.

An issuer that changes its keys is noticed by the first token with an unknown `kid`, but nobody makes us ask more often than
each FLOOR by making kids up. An issuer that is away is believed for STALE on what it said last.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from typing import Any

import jwt

from apps.users.keys import PublicKey, check_algorithm
from apps.users.signin.fetching import IssuerUnreachable, fetch_json

logger = logging.getLogger(__name__)

FRESH = timedelta(minutes=10)
STALE = timedelta(hours=1)
FLOOR = timedelta(seconds=15)
MOST_KEYS = 100


class Document:
    """A JSON object at an address. Threads that want it while it is fetched wait for that one fetch."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lock = threading.Lock()
        self._content: dict[str, Any] | None = None
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None

    def content(self, *, now: datetime) -> dict[str, Any]:
        """What it says, at most FRESH old, or STALE while the issuer is away. Raises IssuerUnreachable. Needs the lock."""
        if not self._is_younger_than(FRESH, now):
            self._try(now)
        if self._content is None or not self._is_younger_than(STALE, now):
            raise IssuerUnreachable("it has not answered for a while")
        return self._content

    def refreshed(self, *, now: datetime) -> bool:
        """Whether it was fetched again just now. Needs the lock."""
        return self._try(now)

    def _try(self, now: datetime) -> bool:
        if self._tried_at is not None and abs(now - self._tried_at) < FLOOR:
            return False
        self._tried_at = now
        try:
            self._content = fetch_json(self.url)
        except IssuerUnreachable as error:
            logger.warning("%s cannot be fetched: %s", self.url, error)
            return False
        self._fetched_at = now
        return True

    def _is_younger_than(self, age: timedelta, now: datetime) -> bool:
        return self._fetched_at is not None and abs(now - self._fetched_at) < age


_documents: dict[str, Document] = {}
_lock = threading.Lock()


def document(url: str) -> Document:
    """The one document of this process for the address. Addresses come from settings, so there are few."""
    with _lock:
        return _documents.setdefault(url, Document(url))


def forget_all() -> None:
    """As if this process had just begun."""
    with _lock:
        _documents.clear()


def published(url: str, *, now: datetime) -> dict[str, Any]:
    """The object at the address. Raises IssuerUnreachable."""
    found = document(url)
    with found.lock:
        return found.content(now=now)


def published_key(url: str, *, kid: object, algorithm: str, now: datetime) -> PublicKey | None:
    """The issuer's key for the algorithm with this `kid`; without one, the issuer's only key for it. None: there is none.

    Raises IssuerUnreachable.
    """
    found = document(url)
    with found.lock:
        key = _choose(found.content(now=now), kid=kid, algorithm=algorithm)
        if key is None and found.refreshed(now=now):
            key = _choose(found.content(now=now), kid=kid, algorithm=algorithm)
        return key


def _choose(content: dict[str, Any], *, kid: object, algorithm: str) -> PublicKey | None:
    entries = content.get("keys")
    keys = [
        key
        for entry in (entries[:MOST_KEYS] if isinstance(entries, list) else [])
        if isinstance(entry, dict)
        and (kid is None or entry.get("kid") == kid)
        and (key := _read(entry, algorithm=algorithm)) is not None
    ]
    return keys[0] if len(keys) == 1 else None


def _read(entry: dict[str, Any], *, algorithm: str) -> PublicKey | None:
    """The key, where it is a public one for signatures with the algorithm."""
    if entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm or "d" in entry:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithm).key
        if not isinstance(key, PublicKey):
            return None
        check_algorithm(key, algorithm, name="the key")
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return key
