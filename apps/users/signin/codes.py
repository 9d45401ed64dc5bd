"""One-time codes: what an address may carry instead of tokens at the end of a redirect sign-in.

A code stands in the address bar, in the history and perhaps in the logs of the page that it leads to, so it is good once and for
LIFETIME. A client that began with a `challenge`, the SHA-256 of a random verifier in base64url (as PKCE's S256), is sent a code
that needs the verifier: `<code>.<verifier>`. Then nobody else can use it, and nobody can slip it somebody else's code.

Codes are in Redis, by digest, on the clock of the callers as well as on Redis's own.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django_redis import get_redis_connection
from redis import RedisError

from apps.core.ids import digest, new_secret, same_secret

LIFETIME = timedelta(seconds=60)
LONGEST = 300
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class Unavailable(Exception):
    """Redis is away, so there are no codes."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Whom a code lets in on whose word, as long as the account's token version is the same."""

    user_id: int
    token_version: int
    issuer: str


def is_challenge(text: str) -> bool:
    """Whether it can be the SHA-256 of a verifier, in base64url without padding."""
    return CHALLENGE.fullmatch(text) is not None


def issue(*, grant: Grant, challenge: str, now: datetime) -> str:
    """A new code; `challenge` is "" where the code alone is enough. Raises Unavailable."""
    code = new_secret()
    kept = {**asdict(grant), "challenge": challenge, "until": (now + LIFETIME).timestamp()}
    try:
        get_redis_connection("default").set(_key(code), json.dumps(kept), px=LIFETIME)
    except RedisError as error:
        raise Unavailable from error
    return code


def redeem(text: str, *, now: datetime) -> Grant | None:
    """Whom the code lets in. It is used up by that, also by a wrong verifier; of two at once, one gets it.

    None for a code that is unknown, used or too old, or without its verifier. Raises Unavailable.
    """
    code, _, verifier = text.partition(".")
    if len(text) > LONGEST or not text.isascii():
        return None
    try:
        raw = get_redis_connection("default").getdel(_key(code))
    except RedisError as error:
        raise Unavailable from error
    if raw is None:
        return None
    kept: dict[str, Any] = json.loads(raw)
    if now.timestamp() >= kept["until"] or not _answers(kept["challenge"], verifier):
        return None
    return Grant(user_id=kept["user_id"], token_version=kept["token_version"], issuer=kept["issuer"])


def _answers(challenge: str, verifier: str) -> bool:
    if not challenge:
        return not verifier
    hashed = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return VERIFIER.fullmatch(verifier) is not None and same_secret(hashed, challenge)


def _key(code: str) -> str:
    return f"holdfast:sign-in-code:{digest(code)}"
