"""Trusted issuers: who may tell us who somebody is, as TRUSTED_ISSUERS says.

TRUSTED_ISSUERS is a JSON object of issuers by name. An issuer's people come in through one of two doors.

`exchangeToken(input: {issuer: "<name>", token: "<JWT>"})`: the issuer signs short-lived tokens for us, with one of

    "secret"       shared with the issuer; HS256
    "public_key"   a PEM, or the path of a file that holds one
    "jwks_url"     where the issuer publishes its keys

`/auth/<name>/login`: we send people there and they come back (OpenID Connect, authorization code with PKCE), with

    "client_id", "client_secret" (none for a public client), "discovery_url" (default: the issuer's
    /.well-known/openid-configuration), "scope" (default "openid email profile")

Further, for both:

    "issuer"       what `iss` says; default: the name. A client's issuer is a URL and has to be given
    "audience"     what `aud` of an exchanged token names; default "holdfast". That of a client is its client_id
    "algorithms"   default ["HS256"] with a secret, else ["RS256", "ES256", "EdDSA"]
    "claims"       what the issuer calls `sub`, `email`, `email_verified`, `given_name` and `family_name`:
                   {"email": "mail"}
    "email_is_verified"   true: an address counts as verified when the token does not say whether it is. Default: true with a
                   secret, false otherwise. An address that the token calls unverified is always refused.
    "signs_in_staff"  true: its word opens staff accounts too, and those with a second factor, of which it is believed to have
                   asked for one itself. Default: false. Whoever rules such an issuer rules this site
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from apps.users.keys import ASYMMETRIC, SYMMETRIC, PublicKey, check_algorithm, load_public_key

# The issuer of the one-time codes that end a redirect sign-in: our own.
OURSELVES = "holdfast"
AUDIENCE = "holdfast"
LONGEST_NAME = 100
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PUBLISHED = ("RS256", "ES256", "EdDSA")
CLAIMS = ("sub", "email", "email_verified", "given_name", "family_name")
DOORS = ("secret", "public_key", "jwks_url", "client_id")
OF_CLIENTS = ("client_secret", "discovery_url", "scope")
SWITCHES = ("email_is_verified", "signs_in_staff")
SHARED = ("issuer", "algorithms", "claims", *SWITCHES)


@dataclass(frozen=True, slots=True)
class RedirectClient:
    """What we are to an OpenID provider. `secret` is "" for a public client, which PKCE alone protects."""

    client_id: str
    secret: str = field(repr=False)
    discovery_url: str
    scope: str


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """One entry of the setting. Exactly one of secret, public_key, jwks_url and client is set."""

    name: str
    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    secret: str = field(default="", repr=False)
    public_key: PublicKey | None = None
    jwks_url: str = ""
    client: RedirectClient | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    email_is_verified: bool = False
    signs_in_staff: bool = False

    def claim(self, payload: Mapping[str, Any], name: str) -> Any:
        """What the issuer says under the name that it uses for this claim; None when nothing."""
        return payload.get(self.claims.get(name, name))


def read_issuers(value: object) -> dict[str, TrustedIssuer]:
    """The issuers of the setting, by name. Raises ValueError, with words that hold no secret."""
    if not isinstance(value, dict):
        raise ValueError("an object of issuers is wanted")
    issuers = {name: _read(name, entry) for name, entry in value.items()}
    seen: set[tuple[str, str]] = set()
    for issuer in issuers.values():
        if (issuer.issuer, issuer.audience) in seen:
            raise ValueError(f"issuer {issuer.name!r} has the issuer and the audience of another one")
        seen.add((issuer.issuer, issuer.audience))
    return issuers


def _read(name: str, entry: object) -> TrustedIssuer:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"the name of an issuer has 1 to {LONGEST_NAME} characters")
    if name == OURSELVES:
        raise ValueError(f"{OURSELVES!r} is our own name")
    if not isinstance(entry, dict):
        raise ValueError(f"issuer {name!r} is no object")
    doors = [door for door in DOORS if door in entry]
    if len(doors) != 1:
        raise ValueError(f"issuer {name!r} needs one of {', '.join(DOORS)}")
    allowed = {*doors, *SHARED, *(OF_CLIENTS if doors == ["client_id"] else ("audience",))}
    if unknown := sorted(set(entry) - allowed):
        raise ValueError(f"issuer {name!r} has {unknown[0]!r}, which means nothing with {doors[0]}")
    for key in allowed - {"algorithms", "claims", *SWITCHES}:
        if key in entry and (not isinstance(entry[key], str) or not entry[key].strip()):
            raise ValueError(f"{key} of issuer {name!r} is no text")
    client = _client(name, entry) if doors == ["client_id"] else None
    algorithms = _algorithms(name, entry, door=doors[0])
    return TrustedIssuer(
        name=name,
        issuer=entry.get("issuer", name),
        audience=client.client_id if client is not None else entry.get("audience", AUDIENCE),
        algorithms=algorithms,
        secret=entry.get("secret", ""),
        public_key=_public_key(name, entry, algorithms) if doors == ["public_key"] else None,
        jwks_url=_url(name, "jwks_url", entry["jwks_url"]) if doors == ["jwks_url"] else "",
        client=client,
        claims=_claims(name, entry),
        email_is_verified=_switch(name, entry, "email_is_verified", default=doors == ["secret"]),
        signs_in_staff=_switch(name, entry, "signs_in_staff", default=False),
    )


def _client(name: str, entry: dict[str, Any]) -> RedirectClient:
    if not SLUG.fullmatch(name):
        raise ValueError(f"issuer {name!r} has a client_id, so its name is part of an address: letters, digits, . _ -")
    if "issuer" not in entry:
        raise ValueError(f"issuer {name!r} needs its issuer, a URL")
    issuer = _url(name, "issuer", entry["issuer"])
    scope = entry.get("scope", "openid email profile")
    if "openid" not in scope.split():
        raise ValueError(f"scope of issuer {name!r} must hold openid")
    return RedirectClient(
        client_id=entry["client_id"],
        secret=entry.get("client_secret", ""),
        discovery_url=_url(
            name, "discovery_url", entry.get("discovery_url", issuer.rstrip("/") + "/.well-known/openid-configuration")
        ),
        scope=scope,
    )


def _algorithms(name: str, entry: dict[str, Any], *, door: str) -> tuple[str, ...]:
    known = tuple(SYMMETRIC) if door == "secret" else ASYMMETRIC
    if "algorithms" not in entry and door == "public_key":
        # Those that the one key can do.
        key = load_public_key(entry["public_key"], name=f"issuer {name!r}")
        return tuple(algorithm for algorithm in PUBLISHED if _fits(key, algorithm))
    given = entry.get("algorithms", ["HS256"] if door == "secret" else list(PUBLISHED))
    if not isinstance(given, list) or not given or not all(algorithm in known for algorithm in given):
        raise ValueError(f"algorithms of issuer {name!r} must be of {', '.join(known)} with {door}")
    return tuple(given)


def _fits(key: PublicKey, algorithm: str) -> bool:
    try:
        check_algorithm(key, algorithm, name="")
    except ValueError:
        return False
    return True


def _public_key(name: str, entry: dict[str, Any], algorithms: tuple[str, ...]) -> PublicKey:
    key = load_public_key(entry["public_key"], name=f"issuer {name!r}")
    if not algorithms:
        raise ValueError(f"issuer {name!r} has a public_key that fits none of {', '.join(PUBLISHED)}")
    for algorithm in algorithms:
        check_algorithm(key, algorithm, name=f"issuer {name!r}")
    return key


def _claims(name: str, entry: dict[str, Any]) -> dict[str, str]:
    claims = entry.get("claims", {})
    if (
        not isinstance(claims, dict)
        or not set(claims) <= set(CLAIMS)
        or not all(isinstance(claim, str) and claim for claim in claims.values())
    ):
        raise ValueError(f"claims of issuer {name!r} must give other names to {', '.join(CLAIMS)}")
    return claims


def _switch(name: str, entry: dict[str, Any], key: str, *, default: bool) -> bool:
    value = entry.get(key, default)
    if not isinstance(value, bool):
        raise ValueError(f"{key} of issuer {name!r} must be true or false")
    return value


def _url(name: str, key: str, value: str) -> str:
    if not is_safe_url(value):
        raise ValueError(f"{key} of issuer {name!r} must be an https:// address (http:// on this machine alone)")
    return value


def is_safe_url(value: str) -> bool:
    """Whether nobody on the way can change what comes from there: https, or plain http that does not leave the machine."""
    try:
        url = urlsplit(value)
        host = url.hostname or ""
        _ = url.port
    except ValueError:
        return False
    if url.username is not None or not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        return False
    return bool(host) and (url.scheme == "https" or (url.scheme == "http" and _is_this_machine(host)))


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
