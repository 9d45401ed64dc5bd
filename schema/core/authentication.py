"""Who asks: read once per request, from `Authorization: Bearer <access token>`.

A token that is not accepted never breaks a public field: the caller is anonymous then, and the response says why in
`extensions.token`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apps.core.errors import InvalidToken
from apps.users.models import User
from apps.users.selectors import viewer_for_access_token
from apps.users.tokens import ExpiredToken

EXPIRED = "EXPIRED"
INVALID = "INVALID"


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind a token, or nobody and what was wrong with the token (None when there was none)."""

    user: User | None = None
    token_state: str | None = None


ANONYMOUS = Caller()


def bearer_token(header: str) -> str | None:
    """The token of an Authorization header, "" for an empty one; None when the header is about something else."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def authenticate(header: str, *, now: datetime) -> Caller:
    """The caller of a request with this Authorization header ("" when it has none)."""
    token = bearer_token(header)
    if token is None:
        return ANONYMOUS
    if not token:
        return Caller(token_state=INVALID)
    try:
        return Caller(user=viewer_for_access_token(token=token, now=now))
    except ExpiredToken:
        return Caller(token_state=EXPIRED)
    except InvalidToken:
        return Caller(token_state=INVALID)
