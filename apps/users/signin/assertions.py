"""What an issuer says about a person, checked: signature, issuer, audience and times."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from django.conf import settings

from apps.core.emails import clean_email
from apps.core.errors import DomainError, InvalidToken
from apps.core.ids import digest
from apps.core.texts import clean_text
from apps.users.profiles import LONGEST_NAME
from apps.users.signin.fetching import IssuerUnreachable
from apps.users.signin.issuers import TrustedIssuer
from apps.users.signin.key_sets import published_key
from apps.users.tokens import LONGEST

logger = logging.getLogger(__name__)

LONGEST_LIFE = timedelta(seconds=300)
# How far the issuer's clock may be ahead of ours.
CLOCK_SKEW = timedelta(seconds=60)
LONGEST_CLAIM = 255


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an issuer says about a person: that they are `subject` there and read the mailbox `email`.

    `token_id` is the digest of what makes the issuer's word good only once.
    """

    issuer: str
    subject: str
    email: str
    first_name: str
    last_name: str
    token_id: str
    expires_at: datetime


def refusal() -> InvalidToken:
    """Whatever is wrong with a token, its sender learns no more than this."""
    return InvalidToken("The token is not accepted.", field="token")


def read_assertion(*, issuer: str, token: str, now: datetime) -> Assertion:
    """The checked token of an issuer that signs tokens for us. It may ask the issuer for its keys, so: never in a transaction.

    Raises InvalidToken at `token`; the log says what was wrong with the token of an issuer that we know.
    """
    trusted: TrustedIssuer | None = settings.TRUSTED_ISSUERS.get(issuer)
    if trusted is None or trusted.client is not None or len(token) > LONGEST:
        raise refusal()
    try:
        claims = verified_claims(token, issuer=trusted, jwks_url=trusted.jwks_url, now=now)
        expires_at = datetime.fromtimestamp(claims["exp"], tz=UTC)
        if expires_at - datetime.fromtimestamp(claims["iat"], tz=UTC) > LONGEST_LIFE:
            raise ValueError("it lives too long")
        if not isinstance(claims.get("jti"), str) or not claims["jti"]:
            raise ValueError("it has no jti")
        return assertion_of(claims, issuer=trusted, token_id=claims["jti"], expires_at=expires_at)
    except (jwt.PyJWTError, DomainError, ValueError, TypeError, OverflowError, OSError, IssuerUnreachable) as error:
        logger.info("a token of issuer %s was refused: %s", trusted.name, error)
        raise refusal() from error


def verified_claims(token: str, *, issuer: TrustedIssuer, jwks_url: str, now: datetime) -> dict[str, Any]:
    """The claims of a token that the issuer signed for its audience and that is good now.

    Raises jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError and IssuerUnreachable.
    """
    header = jwt.get_unverified_header(token)
    algorithm = header.get("alg")
    # What the token says only chooses among what the settings allow for this issuer's kind of key.
    if algorithm not in issuer.algorithms:
        raise ValueError("its algorithm is not the issuer's")
    key: Any = issuer.secret or issuer.public_key
    if not key:
        key = published_key(jwks_url, kid=header.get("kid"), algorithm=algorithm, now=now)
    if key is None:
        raise ValueError("its key is none of the issuer's")
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        audience=issuer.audience,
        issuer=issuer.issuer,
        # The times are compared below, with the clock of the request.
        options={
            "require": ["iss", "aud", "iat", "exp"],
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
            "verify_sub": False,
            "verify_jti": False,
        },
    )
    issued_at = datetime.fromtimestamp(claims["iat"], tz=UTC)
    expires_at = datetime.fromtimestamp(claims["exp"], tz=UTC)
    begins_at = datetime.fromtimestamp(claims.get("nbf", claims["iat"]), tz=UTC)
    if not max(issued_at, begins_at) - CLOCK_SKEW <= now < expires_at:
        raise ValueError("it is not good now")
    return claims


def assertion_of(claims: dict[str, Any], *, issuer: TrustedIssuer, token_id: str, expires_at: datetime) -> Assertion:
    """What the claims say about the person. Raises ValueError or a DomainError for what cannot be accepted."""
    verified = issuer.claim(claims, "email_verified")
    # Some providers write the word instead of the value.
    if verified not in (True, "true") and not (verified is None and issuer.email_is_verified):
        raise ValueError("the issuer does not vouch for the address")
    subject, email = issuer.claim(claims, "sub"), issuer.claim(claims, "email")
    if not isinstance(subject, str) or not isinstance(email, str):
        raise ValueError("it does not say who it is about")
    return Assertion(
        issuer=issuer.name,
        subject=clean_text(subject, field="token", max_length=LONGEST_CLAIM, required=True),
        email=clean_email(email, field="token"),
        first_name=_name(issuer.claim(claims, "given_name")),
        last_name=_name(issuer.claim(claims, "family_name")),
        token_id=digest(token_id),
        expires_at=expires_at,
    )


def _name(claim: object) -> str:
    """A name that we could not keep is no reason to turn a person away."""
    if not isinstance(claim, str):
        return ""
    printable = "".join(letter if letter.isprintable() else " " for letter in claim[:LONGEST_NAME])
    return " ".join(clean_text(printable, field="token", max_length=LONGEST_NAME).split())
