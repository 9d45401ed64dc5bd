"""Access tokens: short-lived signed JWTs that name an account, one of its sessions and the account's token version.

What is in one, besides django-graphql-jwt's `exp` and `origIat`: `sub` (the account), `sid` (the session), `ver` (the account's
`token_version`), `jti`, `iat`, and `iss` and `aud` for other services that check our tokens with the keys that we publish.
Instants are whole seconds since 1970. Which key signs, and which are accepted: apps.users.keys.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
from django.conf import settings

from apps.core.errors import InvalidToken
from apps.users import keys
from apps.users.models import Session, User

KIND = "access"
AUDIENCE = "holdfast"
CLAIMS = ["sub", "sid", "ver", "jti", "iat", "exp"]
# That the key is ours says who issued the token and for whom; these two claims are for others.
OURS = {"verify_iss": False, "verify_aud": False}
# Ours have 400 to 1,000 characters; nothing longer is worth a signature check.
LONGEST = 4_000
LARGEST_ID = 2**63 - 1
KEPT = 4_000


class ExpiredToken(InvalidToken):
    """The token was good until it ran out."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token with a right signature says. Whether it still counts is for the database to say."""

    user_id: int
    session_id: int
    token_version: int
    ends_at: datetime
    _payload: dict[str, Any]

    @property
    def payload(self) -> dict[str, Any]:
        """All that the token holds, for whoever asks to keep."""
        return self._payload.copy()


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a sign-in or a refresh hands out. `refresh_expires_at` is when the refresh token runs out."""

    user: User
    session: Session
    access_token: str
    payload: dict[str, Any]
    refresh_token: str
    refresh_expires_at: datetime


def make_access_token(*, user: User, session: Session, now: datetime) -> tuple[str, dict[str, Any]]:
    """The token and what is in it."""
    payload = {
        "iss": settings.PUBLIC_URL,
        "aud": AUDIENCE,
        "sub": str(user.pk),
        "sid": str(session.pk),
        "ver": user.token_version,
        "jti": uuid4().hex,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)).timestamp()),
        "origIat": int(session.created_at.timestamp()),
        "typ": KIND,
    }
    return encode(payload), payload


def encode(payload: dict[str, Any], context: object = None) -> str:
    """The signed token. Also django-graphql-jwt's JWT_ENCODE_HANDLER, whence the unused context."""
    return keys.sign(payload, keys=settings.SIGNING_KEYS)


def decode(token: str, context: object = None) -> dict[str, Any]:
    """What a token with a right signature holds, by the clock of the machine. django-graphql-jwt's JWT_DECODE_HANDLER.

    Raises jwt.InvalidTokenError.
    """
    return keys.verify(token, keys=settings.SIGNING_KEYS, options={"require": CLAIMS, **OURS})


def read_access_token(token: str, *, now: datetime) -> AccessClaims:
    """The claims of a token that this system signed and that has not run out.

    Raises ExpiredToken, and InvalidToken for everything else that is wrong.
    """
    if len(token) > LONGEST:
        raise InvalidToken("The token is not valid.")
    claims = _verified(token)
    if now >= claims.ends_at:
        raise ExpiredToken("The token has expired.")
    return claims


class _Accepted:
    """Tokens whose signature this process has found right, with what they hold, for as long as the keys are the same."""

    def __init__(self, signing_keys: Any) -> None:
        self.signing_keys = signing_keys
        self.claims = functools.lru_cache(maxsize=KEPT)(self._verify)

    def _verify(self, token: str) -> AccessClaims:
        # The times are compared by the caller, with the clock of the request.
        options = {"require": CLAIMS, "verify_exp": False, "verify_iat": False, **OURS}
        try:
            return _claims(keys.verify(token, keys=self.signing_keys, options=options))
        except (jwt.InvalidTokenError, ValueError) as error:
            raise InvalidToken("The token is not valid.") from error


_accepted = _Accepted(None)


def _verified(token: str) -> AccessClaims:
    """What the token says. A client sends the same one with each request: its signature is checked at the first.

    Raises InvalidToken.
    """
    global _accepted
    accepted = _accepted
    if accepted.signing_keys is not settings.SIGNING_KEYS:
        accepted = _accepted = _Accepted(settings.SIGNING_KEYS)
    return accepted.claims(token)


def _claims(payload: dict[str, Any]) -> AccessClaims:
    try:
        if payload.get("typ") != KIND or not isinstance(payload["exp"], int) or not isinstance(payload["ver"], int):
            raise ValueError("not an access token")
        user_id, session_id = int(payload["sub"]), int(payload["sid"])
        if not (0 < user_id <= LARGEST_ID and 0 < session_id <= LARGEST_ID and 0 <= payload["ver"] <= LARGEST_ID):
            raise ValueError("not an id")
        ends_at = datetime.fromtimestamp(payload["exp"], tz=UTC)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise InvalidToken("The token is not valid.") from error
    return AccessClaims(user_id, session_id, payload["ver"], ends_at, payload)
