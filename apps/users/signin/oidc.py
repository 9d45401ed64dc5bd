"""The redirect sign-in: OpenID Connect's authorization code flow with PKCE (S256), state and nonce.

A journey begins with `depart`: the browser is sent to the provider, and keeps a signed cookie. It ends with `arrive`: the browser
brings back the provider's answer and the cookie. The state in the address, the nonce in the ID token and the verifier of the code
are all derived from the secret key and from random bytes in the cookie. So an answer is good only in the browser that asked for it,
and who reads the cookie learns none of the three.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from django.conf import settings
from django.core.signing import BadSignature, Signer
from joserfc.errors import JoseError
from requests import RequestException

from apps.core.errors import DomainError
from apps.core.ids import derive_with, new_secret, same_secret, secret_keys
from apps.users.signin.assertions import CLOCK_SKEW, Assertion, assertion_of, verified_claims
from apps.users.signin.fetching import IssuerUnreachable, bounded, fetch_json
from apps.users.signin.issuers import RedirectClient, TrustedIssuer, is_safe_url
from apps.users.signin.key_sets import published

logger = logging.getLogger(__name__)

# How long a person may take to sign in at the provider.
PATIENCE = timedelta(minutes=10)
LONGEST_PARAMETER = 4_000
LONGEST_ID_TOKEN = 16_000
DENIED = "denied"
FAILED = "failed"

_signer = Signer(salt="apps.users.signin.oidc")


class Lost(Exception):
    """The answer belongs to no journey that this browser began, so nobody is sent anywhere with it."""


class Refused(Exception):
    """The journey is over without a sign-in; `reason` is DENIED or FAILED, `return_to` the page that waits for it."""

    def __init__(self, reason: str, *, return_to: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.return_to = return_to


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and what it keeps until it is back."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who has come, where they want to go, and the challenge of the client that waits for them there."""

    assertion: Assertion
    return_to: str
    challenge: str


@dataclass(frozen=True, slots=True)
class _Journey:
    """What the cookie holds."""

    issuer: str
    binding: str
    return_to: str
    challenge: str
    began_at: int
    secret_key: str

    def derived(self, purpose: str) -> str:
        return derive_with(self.secret_key, f"sign-in-{purpose}", self.issuer, self.binding)

    @property
    def state(self) -> str:
        return self.derived("state")

    @property
    def nonce(self) -> str:
        return self.derived("nonce")

    @property
    def verifier(self) -> str:
        return self.derived("verifier")


@dataclass(frozen=True, slots=True)
class _Provider:
    """What the provider says of itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    auth_methods: tuple[str, ...]


def redirecting_issuer(name: str) -> TrustedIssuer | None:
    """The issuer of that name to which people can be sent."""
    issuer: TrustedIssuer | None = settings.TRUSTED_ISSUERS.get(name)
    return issuer if issuer is not None and issuer.client is not None else None


def depart(*, issuer: TrustedIssuer, return_to: str, challenge: str, now: datetime) -> Departure:
    """Begin a journey that ends at `return_to`, which the caller has checked. Raises IssuerUnreachable."""
    provider = _provider(issuer, now=now)
    journey = _Journey(
        issuer=issuer.name,
        binding=new_secret(),
        return_to=return_to,
        challenge=challenge,
        began_at=int(now.timestamp()),
        secret_key=settings.SECRET_KEY,
    )
    with _session(issuer, provider) as session:
        url, _ = session.create_authorization_url(
            provider.authorization_endpoint,
            state=journey.state,
            nonce=journey.nonce,
            code_verifier=journey.verifier,
        )
    kept = [journey.issuer, journey.binding, journey.return_to, journey.challenge, journey.began_at]
    return Departure(url=url, cookie=_signer.sign_object(kept, compress=True))


def arrive(*, issuer: TrustedIssuer, cookie: str, answer: Mapping[str, str], now: datetime) -> Arrival:
    """Check the provider's answer and ask it who has come. It takes up to some seconds: never call it in a transaction.

    Raises Lost, and Refused with the log saying why.
    """
    kept = _read(cookie, issuer=issuer, now=now)
    # It may have begun under the key before.
    begun = [replace(kept, secret_key=key) for key in secret_keys()]
    journey = next((each for each in begun if same_secret(answer.get("state", ""), each.state)), None)
    if journey is None:
        raise Lost
    try:
        assertion = _asserted(journey, issuer=issuer, answer=answer, now=now)
    except (
        AuthlibBaseError, JoseError, jwt.PyJWTError, DomainError, RequestException, IssuerUnreachable, ValueError,
        TypeError, OverflowError, OSError,
    ) as error:  # fmt: skip
        logger.info("a sign-in through %s was refused: %s", issuer.name, _told(error))
        raise Refused(FAILED, return_to=journey.return_to) from error
    return Arrival(assertion=assertion, return_to=journey.return_to, challenge=journey.challenge)


def _told(error: Exception) -> str:
    """What of an error the log may hold: whatever the provider wrote, on one line and not long."""
    return " ".join(str(error).split())[:200]


def _read(cookie: str, *, issuer: TrustedIssuer, now: datetime) -> _Journey:
    try:
        name, binding, return_to, challenge, began_at = _signer.unsign_object(cookie)
    except (BadSignature, ValueError) as error:
        raise Lost from error
    journey = _Journey(name, binding, return_to, challenge, began_at, secret_key=settings.SECRET_KEY)
    began = datetime.fromtimestamp(began_at, tz=UTC)
    if name != issuer.name or not began <= now + CLOCK_SKEW or now >= began + PATIENCE:
        raise Lost
    return journey


def _asserted(journey: _Journey, *, issuer: TrustedIssuer, answer: Mapping[str, str], now: datetime) -> Assertion:
    # RFC 9207: a provider that names itself in the answer must be the one that was asked.
    if answer.get("iss", issuer.issuer) != issuer.issuer:
        raise ValueError("the answer is another provider's")
    if "error" in answer:
        if answer["error"] == "access_denied":
            raise Refused(DENIED, return_to=journey.return_to)
        raise ValueError(f"the provider says {answer['error'][:100]!r}")
    code = answer.get("code", "")
    if not code or len(code) > LONGEST_PARAMETER:
        raise ValueError("the answer has no code")
    provider = _provider(issuer, now=now)
    with _session(issuer, provider) as session:
        tokens = session.fetch_token(
            provider.token_endpoint, grant_type="authorization_code", code=code, code_verifier=journey.verifier
        )
    claims = _claims_of(tokens, journey=journey, issuer=issuer, provider=provider, now=now)
    return assertion_of(
        claims,
        issuer=issuer,
        # A state is good once, whatever the provider thinks of its codes.
        token_id=f"state:{journey.state}",
        expires_at=datetime.fromtimestamp(journey.began_at, tz=UTC) + PATIENCE,
    )


def _claims_of(
    tokens: Mapping[str, Any], *, journey: _Journey, issuer: TrustedIssuer, provider: _Provider, now: datetime
) -> dict[str, Any]:
    id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
    if not isinstance(id_token, str) or len(id_token) > LONGEST_ID_TOKEN:
        raise ValueError("the provider sent no ID token")
    claims = verified_claims(id_token, issuer=issuer, jwks_url=provider.jwks_uri, now=now)
    checked = CodeIDToken(
        claims,
        jwt.get_unverified_header(id_token),
        params={"nonce": journey.nonce, "client_id": issuer.audience, "access_token": access_token},
    )
    checked.validate(now=int(now.timestamp()), leeway=int(CLOCK_SKEW.total_seconds()))
    if issuer.claim(claims, "email") is None and provider.userinfo_endpoint and isinstance(access_token, str):
        told = fetch_json(provider.userinfo_endpoint, headers={"Authorization": f"Bearer {access_token}"})
        # OpenID Connect Core 5.3.2: another subject's data must not be used.
        if told.get("sub") != claims["sub"]:
            raise ValueError("the provider tells of somebody else")
        claims = {**told, **claims}
    return claims


def _provider(issuer: TrustedIssuer, *, now: datetime) -> _Provider:
    """Raises IssuerUnreachable, also for a document that is not the issuer's or leads where others could listen."""
    client = _client(issuer)
    document = published(client.discovery_url, now=now)
    if document.get("issuer") != issuer.issuer:
        raise IssuerUnreachable("its discovery document is another issuer's")
    needed = {name: document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    userinfo = document.get("userinfo_endpoint", "")
    for name, url in {**needed, "userinfo_endpoint": userinfo}.items():
        if not isinstance(url, str) or not (is_safe_url(url) or (name == "userinfo_endpoint" and not url)):
            raise IssuerUnreachable(f"its discovery document has no {name} that is safe")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return _Provider(
        **{name: str(url) for name, url in needed.items()},
        userinfo_endpoint=userinfo,
        auth_methods=tuple(map(str, methods)) if isinstance(methods, list) else (),
    )


def _session(issuer: TrustedIssuer, provider: _Provider) -> OAuth2Session:
    client = _client(issuer)
    if not client.secret:
        method = "none"
    elif "client_secret_basic" in provider.auth_methods or "client_secret_post" not in provider.auth_methods:
        method = "client_secret_basic"
    else:
        method = "client_secret_post"
    session = OAuth2Session(
        client_id=client.client_id,
        client_secret=client.secret or None,
        scope=client.scope,
        redirect_uri=f"{settings.PUBLIC_URL}/auth/{issuer.name}/callback",
        code_challenge_method="S256",
        token_endpoint_auth_method=method,
    )
    return bounded(session)


def _client(issuer: TrustedIssuer) -> RedirectClient:
    if issuer.client is None:
        raise TypeError(f"nobody is sent to issuer {issuer.name}")
    return issuer.client
