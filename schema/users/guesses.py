"""Tries at passwords and tokens: counted for each field, however many are in one request.

    with sign_in_of(context, email):
        sessions.sign_in(...)           RateLimited instead, after too many that failed

What is counted against what, `apps.users.guesses` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core.errors import DomainError, InvalidCredentials, InvalidToken, NotFound
from apps.core.network import network_of
from apps.core.throttling import Count, TooManyTries, guessing
from apps.users.guesses import of_network, password_counts, secret_counts, who_signs_in
from schema.core.errors import RateLimited
from schema.core.limits import SIGN_IN, caller_of

if TYPE_CHECKING:
    from schema.core.context import Context

REFUSALS = (InvalidCredentials, InvalidToken)


@contextmanager
def _slowed(context: Context, *counts: Count, refusals: tuple[type[DomainError], ...] = REFUSALS) -> Iterator[None]:
    """Raises RateLimited instead of making the try."""
    try:
        with guessing(*counts, refusals=refusals):
            yield
    except TooManyTries as refused:
        if refused.is_news:
            who = context.user.pk if context.user else None
            record(AuditKind.TRIES_LIMITED, now=context.now, actor_id=who, what=refused.what)
        raise RateLimited(retry_after=refused.retry_after) from refused


@contextmanager
def sign_in_of(context: Context, email: str) -> Iterator[None]:
    """A try at the password of whoever has this email. Raises RateLimited."""
    key = who_signs_in(email=email, address=context.ip)
    SIGN_IN.spend(key, f"ip:{network_of(context.ip)}")
    with _slowed(context, *password_counts(key, address=context.ip)):
        yield


@contextmanager
def own_password(context: Context) -> Iterator[None]:
    """A try of a signed-in caller at the password of their account. Raises RateLimited."""
    key = caller_of(context)
    SIGN_IN.spend(key)
    with _slowed(context, *password_counts(key, address=context.ip)):
        yield


@contextmanager
def mailed_token(context: Context) -> Iterator[None]:
    """A try at the token of a mail's link, or of an issuer. Raises RateLimited."""
    with _slowed(context, of_network("token", context.ip)):
        yield


@contextmanager
def booking_secret(context: Context, booking: object, secret: str | None) -> Iterator[None]:
    """A try at the secret of a booking, which failed if NotFound leaves the block; no try without a secret.

    Raises RateLimited.
    """
    if secret is None:
        yield
        return
    with _slowed(context, *secret_counts(str(booking), address=context.ip), refusals=(NotFound,)):
        yield
