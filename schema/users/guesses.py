"""Tries at passwords and tokens: counted for each field, however many are in one request.

Two counts each. One is of the network that tries. The other is of what is tried, and knows two kinds of callers: a network
that the owner of the account has signed in from before has a count of its own, all others share one. So a stranger who tries
passwords makes all strangers wait and never the owner at home; an owner who is somewhere new meanwhile sets a new password by
mail, which works at once and makes the place known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from apps.core.errors import NotFound
from apps.core.ids import digest
from apps.core.network import network_of
from apps.core.tries import Count, TooManyTries, guessing
from apps.users.selectors import has_signed_in_from
from schema.core.errors import RateLimited
from schema.core.limits import SIGN_IN, caller_of

if TYPE_CHECKING:
    from schema.core.context import Context

# Many people may share a network, and each forgets a password now and then.
FREE_FOR_A_NETWORK = 100


@contextmanager
def _slowed(*counts: Count, not_found_counts: bool = False) -> Iterator[None]:
    """Raises RateLimited instead of making the try."""
    try:
        if not_found_counts:
            with guessing(*counts, refusals=(NotFound,)):
                yield
        else:
            with guessing(*counts):
                yield
    except TooManyTries as refused:
        raise RateLimited(retry_after=refused.retry_after) from refused


def _network(context: Context, what: str) -> Count:
    return Count(f"{what}:network", network_of(context.ip), free=FREE_FOR_A_NETWORK)


@contextmanager
def sign_in_of(context: Context, email: str) -> Iterator[None]:
    """A try at the password of whoever has this email. Raises RateLimited."""
    wanted = email.strip().lower()
    network = network_of(context.ip)
    who = f"email:{digest(wanted)}"
    known = has_signed_in_from(email=wanted, address=context.ip)
    key = f"{who}:{network}" if known else who
    SIGN_IN.spend(key, f"ip:{network}")
    with _slowed(Count("password", key, forgiven=True), _network(context, "password")):
        yield


@contextmanager
def own_password(context: Context) -> Iterator[None]:
    """A try of a signed-in caller at the password of their account. Raises RateLimited."""
    SIGN_IN.spend(caller_of(context))
    with _slowed(Count("password", caller_of(context), forgiven=True), _network(context, "password")):
        yield


@contextmanager
def mailed_token(context: Context) -> Iterator[None]:
    """A try at the token of a mail's link, or of an issuer. Raises RateLimited."""
    with _slowed(_network(context, "token")):
        yield


@contextmanager
def booking_secret(context: Context, booking_id: int | None, secret: str | None) -> Iterator[None]:
    """A try at the secret of a booking; no try without one. Raises RateLimited."""
    if secret is None:
        yield
        return
    own = Count("booking", f"{booking_id}:{network_of(context.ip)}", forgiven=True)
    with _slowed(own, _network(context, "booking"), not_found_counts=True):
        yield
