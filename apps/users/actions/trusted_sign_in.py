"""Signing in with a token of a trusted issuer, after a redirect from its site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.hashers import make_password

from apps.core.db import require_transaction, unit_of_work
from apps.core.emails import clean_email
from apps.core.errors import DomainError, InvalidToken
from apps.core.ids import digest
from apps.core.texts import clean_text
from apps.users.actions.accounts import save_with_email
from apps.users.actions.sessions import end_all_sessions, open_session
from apps.users.models import TrustedIdentity, UsedAssertion, User
from apps.users.profiles import LONGEST_NAME
from apps.users.tokens import LONGEST, TokenPair
from apps.users.verification import mark_verified

AUDIENCE = "holdfast"
LONGEST_LIFE = timedelta(seconds=300)
# How far the issuer's clock may be ahead of ours.
CLOCK_SKEW = timedelta(seconds=60)
LONGEST_CLAIM = 255


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an issuer says about a person: that they are `subject` there and read the mailbox `email`."""

    issuer: str
    subject: str
    email: str
    first_name: str
    last_name: str
    token_id: str
    expires_at: datetime


def exchange_token(*, issuer: str, token: str, user_agent: str, now: datetime) -> TokenPair:
    """A session for the person whom the issuer's token names. An unknown one gets an account, verified from the start.

    Raises InvalidToken at `token`, with the same words for whatever is wrong: the issuer, the signature, the times, a second use.
    """
    assertion = read_assertion(issuer=issuer, token=token, now=now)
    pair = _exchanged(assertion, user_agent=user_agent, now=now)
    if pair is None:
        raise _refusal()
    return pair


def read_assertion(*, issuer: str, token: str, now: datetime) -> Assertion:
    """The checked token. Raises InvalidToken at `token`."""
    trusted = settings.TRUSTED_ISSUERS.get(issuer)
    if trusted is None or len(token) > LONGEST:
        raise _refusal()
    try:
        claims = jwt.decode(
            token,
            trusted["secret"],
            algorithms=["HS256"],
            audience=AUDIENCE,
            issuer=issuer,
            # The times are compared below, with the clock of the request.
            options={
                "require": ["iss", "aud", "sub", "email", "iat", "exp", "jti"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        return _checked(issuer, claims, now)
    except (jwt.InvalidTokenError, DomainError, ValueError, TypeError, OverflowError, OSError) as error:
        raise _refusal() from error


def _checked(issuer: str, claims: dict[str, Any], now: datetime) -> Assertion:
    """Raises ValueError or a DomainError for claims that cannot be accepted."""
    issued_at = datetime.fromtimestamp(claims["iat"], tz=UTC)
    expires_at = datetime.fromtimestamp(claims["exp"], tz=UTC)
    if not issued_at - CLOCK_SKEW <= now < expires_at or expires_at - issued_at > LONGEST_LIFE:
        raise ValueError("not now")
    if claims.get("email_verified", True) is not True:
        raise ValueError("the issuer does not vouch for the address")
    return Assertion(
        issuer=issuer,
        subject=clean_text(claims["sub"], field="token", max_length=LONGEST_CLAIM, required=True),
        email=clean_email(claims["email"], field="token"),
        first_name=_name(claims.get("given_name")),
        last_name=_name(claims.get("family_name")),
        token_id=digest(str(claims["jti"])),
        expires_at=expires_at,
    )


def _name(claim: object) -> str:
    """A name that we could not keep is no reason to turn a person away."""
    return " ".join(clean_text(str(claim or "")[:LONGEST_NAME], field="token", max_length=LONGEST_NAME).split())


@unit_of_work
def _exchanged(assertion: Assertion, *, user_agent: str, now: datetime) -> TokenPair | None:
    """None for a token that was exchanged before and for an account that was closed."""
    if not _first_use(assertion, now=now):
        return None
    user = _known(assertion) or _linked(assertion, now=now)
    return open_session(user=user, user_agent=user_agent, now=now) if user.is_active else None


def _first_use(assertion: Assertion, *, now: datetime) -> bool:
    """Whether this transaction is the one that uses the token. A parallel one waits for its end."""
    require_transaction()
    UsedAssertion.objects.filter(expires_at__lte=now - CLOCK_SKEW).delete()
    _, created = UsedAssertion.objects.get_or_create(
        issuer=assertion.issuer, token_id=assertion.token_id, defaults={"expires_at": assertion.expires_at}
    )
    return created


def _known(assertion: Assertion) -> User | None:
    identity = TrustedIdentity.objects.filter(issuer=assertion.issuer, subject=assertion.subject).first()
    return User.objects.select_for_update(of=("self",)).get(pk=identity.user_id) if identity else None


def _linked(assertion: Assertion, *, now: datetime) -> User:
    """The account with the person's address, or a new one, known to the issuer from now on."""
    user = User.objects.with_email(assertion.email).select_for_update(of=("self",)).first()
    if user is None:
        user = User(
            email=assertion.email,
            password=make_password(None),
            first_name=assertion.first_name,
            last_name=assertion.last_name,
            joined_at=now,
        )
        save_with_email(user, field="token")
        mark_verified(user, now=now)
    elif user.email_verified_at is None:
        # Whoever opened it never proved that the address is theirs, and may still know the password.
        user.password = make_password(None)
        user.save(update_fields=["password", "updated_at"])
        mark_verified(user, now=now)
        end_all_sessions(user=user, now=now)
    TrustedIdentity.objects.get_or_create(
        issuer=assertion.issuer, subject=assertion.subject, defaults={"user": user, "created_at": now}
    )
    return user


def _refusal() -> InvalidToken:
    return InvalidToken("The token is not accepted.", field="token")
