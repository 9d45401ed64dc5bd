"""The cache of answers in Redis: its entries, and whether they still hold.

An entry names what it hangs on (`tags`) and the versions of those when it was made; it holds while none was raised
(`apps.core.versions`), and no longer than it was kept for. Its key begins with a mark of this code, so that two releases
that run beside each other never read each other's entries, and it ends in a MAC under SECRET_KEY over key and content:
whatever else is found there is nothing. Values are JSON.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import logging
import math
import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from redis import RedisError
from redis.exceptions import LockError
from redis.lock import Lock

from apps.core import versions
from apps.core.metrics import CACHE_READS

logger = logging.getLogger(__name__)

# What came of looking, as `holdfast_cache_reads_total` counts it.
HIT, MISS, STALE, BYPASS, ERROR = "hit", "miss", "stale", "bypass", "error"

ROOT = Path(__file__).resolve().parent.parent.parent
MAC_BYTES = 16
LARGEST = 65_536
# Who has asked for what: only what is asked for twice in a process is kept, lest one who asks ever anew fills Redis.
MOST_ASKED = 8_192
MOST_HINTS = 4_096
# How soon before its end somebody makes an entry anew, times what making it takes (XFetch, with beta 1).
EAGERNESS = 1.0
# A version that is no number: above each clock, so that nothing holds that hangs on it, and nothing is kept.
UNREADABLE = 2**63
# Longer than any answer may take to make.
LOCK_SECONDS = 5.0


def count(policy: str, outcome: str, number: int = 1) -> None:
    """Count what came of looking."""
    CACHE_READS.labels(policy, outcome).inc(number)


@functools.cache
def release() -> str:
    """A mark of the code of this process, and of what else answers are made with."""
    digest = hashlib.blake2b(digest_size=8)
    for folder in ("apps", "booking", "schema"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update(f"{settings.MODE} {settings.PUBLIC_URL} {settings.MEDIA_URL}".encode())
    return digest.hexdigest()


@functools.cache
def _key_of_macs(secret: str) -> bytes:
    return hashlib.sha256(b"kept answers\x00" + secret.encode()).digest()


def _mac(key: str, content: bytes) -> bytes:
    secret = _key_of_macs(settings.SECRET_KEY)
    return hashlib.blake2b(key.encode() + b"\x00" + content, key=secret, digest_size=MAC_BYTES).digest()


def key_for(policy: str, *parts: bytes | str) -> str:
    """The key of an entry: equal for equal parts."""
    digest = hashlib.blake2b(digest_size=20)
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return f"holdfast:kept:{release()}:{policy}:{digest.hexdigest()}"


@dataclass(slots=True)
class Entry:
    """`at` is when its content was read, in seconds since 1970; it is kept for `seconds` and took `took` to make.

    `content` is JSON, and `note` what else its maker wants to find beside it.
    """

    at: float
    seconds: float
    took: float
    tags: tuple[str, ...]
    content: bytes
    note: Any = None
    raised: dict[str, int] = field(default_factory=dict)

    def written(self, key: str) -> bytes:
        """As it is kept under the key."""
        head = orjson.dumps([self.at, self.seconds, self.took, self.raised, self.note])
        body = head + b"\n" + self.content
        return _mac(key, body) + body

    def holds(self, now: float, current: Mapping[str, int]) -> bool:
        """Whether it is young enough and nothing that it hangs on was raised."""
        is_young = now - self.at <= self.seconds
        return is_young and all(current.get(tag, 0) == version for tag, version in self.raised.items())

    def is_due(self, now: float) -> bool:
        """Whether somebody should make it anew although it holds: one of many, and the likelier the nearer its end is."""
        luck = -math.log(1.0 - random.random())  # noqa: S311 - it spreads work
        return now + self.took * EAGERNESS * luck >= self.at + self.seconds


def read_entry(key: str, raw: bytes | None) -> Entry | None:
    """The entry; None for what nobody wrote who knows the secret."""
    if raw is None or not hmac.compare_digest(raw[:MAC_BYTES], _mac(key, raw[MAC_BYTES:])):
        return None
    head, _, content = raw[MAC_BYTES:].partition(b"\n")
    at, seconds, took, raised, note = orjson.loads(head)
    return Entry(at, seconds, took, tuple(raised), content, note, raised)


@dataclass(slots=True)
class Look:
    """What is kept under some keys: the entries that hold, which of the others were outdated, and the clock of changes."""

    clock: int
    entries: dict[str, Entry]
    outdated: set[str]


class _Remembered:
    """The last so many keys, each with something; shared by the threads of this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self._known.get(key)

    def put(self, key: str, value: Any) -> None:
        with self._lock:
            self._known.pop(key, None)
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[key] = value


_asked = _Remembered(MOST_ASKED)
# What an entry hung on when it was last seen: asked for together with it, which is right nearly always.
_hints = _Remembered(MOST_HINTS)


def was_asked_before(key: str) -> bool:
    """Whether this is not the first time that the key is asked for here, of late."""
    known = _asked.get(key) is not None
    _asked.put(key, True)
    return known


def look(keys: Iterable[str], *, now: float, hints: Mapping[str, Sequence[str]] | None = None) -> Look:
    """What is kept under the keys. Raises RedisError. `hints` are tags that the entries are known to hang on."""
    wanted = list(keys)
    tags = {tag for key in wanted for tag in (hints or {}).get(key) or _hints.get(key) or ()}
    redis = versions.redis_of(settings.CACHE_REDIS_URL)
    asked = sorted(tags)
    found: list[Any] = redis.mget([versions.CLOCK, *wanted, *map(versions.key_of, asked)])
    current = _numbers(asked, found[1 + len(wanted) :])
    read = {key: read_entry(key, raw) for key, raw in zip(wanted, found[1:], strict=False)}
    unknown = sorted({tag for entry in read.values() if entry is not None for tag in entry.tags} - tags)
    if unknown:
        current.update(_versions(unknown))
    entries, outdated = {}, set()
    for key, entry in read.items():
        if entry is None:
            continue
        _hints.put(key, entry.tags)
        if entry.holds(now, current):
            entries[key] = entry
        else:
            outdated.add(key)
    clock = _number(found[0])
    return Look(0 if clock == UNREADABLE else clock, entries, outdated)


def _versions(tags: Sequence[str]) -> dict[str, int]:
    redis = versions.redis_of(settings.CACHE_REDIS_URL)
    return _numbers(tags, redis.mget([versions.key_of(tag) for tag in tags]))  # type: ignore[arg-type]


def _numbers(tags: Sequence[str], raw: Sequence[bytes | None]) -> dict[str, int]:
    return {tag: _number(version) for tag, version in zip(tags, raw, strict=True)}


def _number(raw: bytes | None) -> int:
    if raw is None:
        return 0
    return int(raw) if raw.isdigit() else UNREADABLE


def keep(entries: Mapping[str, Entry], *, clock: int) -> None:
    """Keep those of the entries of which nothing changed since the clock was read, which was before they were. Raises
    RedisError.
    """
    tags = sorted({tag for entry in entries.values() for tag in entry.tags})
    current = _versions(tags) if tags else {}
    pipeline = versions.redis_of(settings.CACHE_REDIS_URL).pipeline(transaction=False)
    for key, entry in entries.items():
        if len(entry.content) > LARGEST or any(current[tag] > clock for tag in entry.tags):
            continue
        entry.raised = {tag: current[tag] for tag in entry.tags}
        _hints.put(key, entry.tags)
        pipeline.set(key, entry.written(key), px=max(1, int(entry.seconds * 1000)))
    pipeline.execute()


class Turn:
    """The right to make what is kept under a key, which one caller has at a time."""

    def __init__(self, key: str) -> None:
        self._lock = Lock(
            versions.redis_of(settings.CACHE_REDIS_URL),
            f"{key}:made",
            timeout=LOCK_SECONDS,
            blocking=False,
            thread_local=False,
        )

    def take(self) -> bool:
        """Whether it is the caller's now. Raises RedisError."""
        return bool(self._lock.acquire())

    def give_back(self) -> None:
        """Let another one have it. Never raises: it ends by itself too."""
        try:
            self._lock.release()
        except (RedisError, LockError, OSError):
            logger.debug("A turn ended by itself")


def may_look() -> bool:
    """Whether what is kept may be looked at now."""
    return versions.may_read()


def failed() -> None:
    """Redis did not answer: leave it alone for a while."""
    versions.outage.begin()
    logger.warning("Redis is away; answers are made anew each time")
