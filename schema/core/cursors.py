"""Cursors: a place in the order of one list, opaque to clients, and of use in that list alone.

cursor = write_cursor((datetime.now(UTC), 7), scope)
read_cursor(cursor, scope)          the same place; BadUserInput for any other text or scope
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings

from apps.core.ids import secret_keys
from schema.core.errors import BadUserInput

MAC_BYTES = 12
# What JSON has itself.
PLAIN_CLASSES = frozenset({str, int, float, bool, type(None)})
# The letters of URLs for those of plain base64.
URL_LETTERS = bytes.maketrans(b"+/", b"-_")

_WRITERS: list[tuple[type, str, Callable[[Any], str]]] = [
    (datetime.datetime, "t", datetime.datetime.isoformat),
    (datetime.date, "d", datetime.date.isoformat),
    (decimal.Decimal, "n", str),
]
_READERS: dict[str, Callable[[str], Any]] = {
    "t": datetime.datetime.fromisoformat,
    "d": datetime.date.fromisoformat,
    "n": decimal.Decimal,
}


def _writable(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    for kind, letter, write in _WRITERS:
        if isinstance(value, kind):
            return [letter, write(value)]
    raise TypeError(f"A cursor cannot carry {type(value).__name__}.")


@lru_cache(maxsize=4)
def _cursor_key(secret: str) -> bytes:
    return hashlib.blake2b(secret.encode(), person=b"cursor").digest()


def _mac(payload: bytes, scope: bytes, secret_key: str) -> bytes:
    return hashlib.blake2b(scope + payload, digest_size=MAC_BYTES, key=_cursor_key(secret_key)).digest()


def write_cursor(place: Sequence[Any], scope: bytes) -> str:
    """The opaque cursor of a place in the order."""
    return cursor_writer(scope)(place)


def cursor_writer(scope: bytes) -> Callable[[Sequence[Any]], str]:
    """`write_cursor` for many places of one list."""
    begun = hashlib.blake2b(scope, digest_size=MAC_BYTES, key=_cursor_key(settings.SECRET_KEY))

    def write(place: Sequence[Any]) -> str:
        payload = orjson.dumps([value if value.__class__ in PLAIN_CLASSES else _writable(value) for value in place])
        mac = begun.copy()
        mac.update(payload)
        return b2a_base64(mac.digest() + payload, newline=False).translate(URL_LETTERS).rstrip(b"=").decode()

    return write


def read_cursor(cursor: str, scope: bytes) -> tuple[Any, ...]:
    """The place in the order. Raises BadUserInput unless `write_cursor` made it for this scope."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:
        raise BadUserInput("The cursor is unreadable.") from None
    # Decoding overlooks stray characters: only what we would write ourselves is ours.
    if urlsafe_b64encode(raw).decode().rstrip("=") != cursor:
        raise BadUserInput("The cursor is unreadable.")
    mac, payload = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not any(hmac.compare_digest(mac, _mac(payload, scope, key)) for key in secret_keys()):
        raise BadUserInput("The cursor does not belong to this list.")
    values = orjson.loads(payload)
    return tuple(_READERS[value[0]](value[1]) if isinstance(value, list) else value for value in values)
