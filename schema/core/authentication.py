"""Who asks: read once per request, from `Authorization: Bearer <access token>`.

A token that is not accepted never breaks a public field: the caller is anonymous then, and the response says why in
`extensions.token`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apps.core.errors import InvalidToken
from apps.core.provisos import Proviso
from apps.users.callers import viewer_for_access_token, viewer_seen
from apps.users.models import User
from apps.users.tokens import ExpiredToken

EXPIRED = "EXPIRED"
INVALID = "INVALID"


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind a token, or nobody and what was wrong with the token (None when there was none).

    With a `proviso` it is whom they are taken for, and the database has yet to say that it is so: nothing is to be done for them
    but within `apps.core.db.provided`.
    """

    user: User | None = None
    token_state: str | None = None
    proviso: Proviso | None = None


ANONYMOUS = Caller()


def bearer_token(header: str) -> str | None:
    """The token of an Authorization header, "" for an empty one; None when the header is about something else."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def authenticate(header: str, *, now: datetime, may_assume: bool = False) -> Caller:
    """The caller of a request with this Authorization header ("" when it has none).

    Only with `may_assume` there may be a proviso; without, the database has been asked.
    """
    token = bearer_token(header)
    if token is None:
        return ANONYMOUS
    if not token:
        return Caller(token_state=INVALID)
    try:
        seen = viewer_seen(token=token, now=now) if may_assume else None
        if seen is not None:
            return Caller(user=seen.viewer, proviso=seen.proviso)
        return Caller(user=viewer_for_access_token(token=token, now=now))
    except ExpiredToken:
        return Caller(token_state=EXPIRED)
    except InvalidToken:
        return Caller(token_state=INVALID)
