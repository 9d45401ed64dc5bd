"""The keys of access tokens: the first signs, all of them verify.

SIGNING_KEYS is a JSON list, newest first; each key has a `kid`, which stands in the header of its tokens, and an `alg`:

    [{"kid": "2027", "alg": "EdDSA", "private_key": "/run/secrets/2027.pem"},
     {"kid": "2026", "alg": "RS256", "public_key": "-----BEGIN PUBLIC KEY-----..."},
     {"kid": "shared", "alg": "HS256", "secret": "..."}]

A key is a PEM or the path of a file that holds one. One with a `public_key` alone verifies and cannot sign, so it is not the
first. Public keys are shown at `/.well-known/jwks.json`, for services that check our tokens themselves; shared secrets never
are. To change keys without putting anybody out: add the new one at the end, wait until everybody has fetched it (the document
may be kept for MAX_AGE_SECONDS), move it to the front, and take the old one away ACCESS_TOKEN_SECONDS later. Without the
setting there is one key, derived from SECRET_KEY, and those of SECRET_KEY_FALLBACKS verify.

The algorithm is that of the key and never what the token says: a token whose header names another one is refused.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

MAX_AGE_SECONDS = 300
# RFC 9068's type, so that no other token of ours or of others is taken for an access token.
TOKEN_TYPE = "at+jwt"  # noqa: S105
SMALLEST_RSA_BITS = 2048
LONGEST_KID = 100
# A secret is at least as long as the hash.
SYMMETRIC = {"HS256": 32, "HS384": 48, "HS512": 64}
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES: dict[str, type[ec.EllipticCurve]] = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
EDWARDS = "EdDSA"
ASYMMETRIC = (*RSA, *CURVES, EDWARDS)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key with its one algorithm. `signing` is None where only the public half is known."""

    kid: str
    algorithm: str
    verifying: bytes | PublicKey
    signing: Any = None

    def __repr__(self) -> str:
        return f"<{self.algorithm} key {self.kid}>"

    def public_jwk(self) -> dict[str, Any] | None:
        """What the world may see of it: None for a shared secret."""
        return None if isinstance(self.verifying, bytes) else {**as_jwk(self.verifying), **self._names()}

    def _names(self) -> dict[str, str]:
        return {"kid": self.kid, "alg": self.algorithm, "use": "sig"}


def sign(payload: dict[str, Any], *, keys: Sequence[SigningKey]) -> str:
    """The payload, signed with the first key."""
    key = keys[0]
    return jwt.encode(payload, key.signing, algorithm=key.algorithm, headers={"kid": key.kid, "typ": TOKEN_TYPE})


def verify(token: str, *, keys: Sequence[SigningKey], options: dict[str, Any]) -> dict[str, Any]:
    """What a token signed with one of the keys holds. `options` are PyJWT's, for the claims.

    Raises jwt.InvalidTokenError.
    """
    header = jwt.get_unverified_header(token)
    key = next((each for each in keys if each.kid == header.get("kid")), None)
    if key is None or header.get("alg") != key.algorithm:
        raise jwt.InvalidTokenError("the token was signed with no key of ours")
    payload: dict[str, Any] = jwt.decode(token, key.verifying, algorithms=[key.algorithm], options=options)  # type: ignore[arg-type]
    return payload


def public_key_set(keys: Sequence[SigningKey]) -> dict[str, list[dict[str, Any]]]:
    """The JSON Web Key Set of the keys that have a public half."""
    return {"keys": [shown for key in keys if (shown := key.public_jwk()) is not None]}


def derived_key(secret_key: str) -> SigningKey:
    """The key of a deployment that names none."""
    secret = hmac.new(secret_key.encode(), b"access-token", hashlib.sha256).digest()
    # Which of several it is, and nothing of it.
    name = hmac.new(secret, b"kid", hashlib.sha256).hexdigest()[:12]
    return SigningKey(kid=f"derived-{name}", algorithm="HS256", verifying=secret, signing=secret)


def read_signing_keys(value: object) -> tuple[SigningKey, ...]:
    """The keys of the setting. Raises ValueError, with words that hold no secret."""
    if not isinstance(value, list) or not value:
        raise ValueError("a list of keys is wanted")
    keys = tuple(_read_key(entry) for entry in value)
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("two keys have the same kid")
    if keys[0].signing is None:
        raise ValueError(f"key {keys[0].kid!r} is the first, so it must be able to sign")
    return keys


def _read_key(entry: object) -> SigningKey:
    if not isinstance(entry, dict) or not all(isinstance(part, str) for part in entry.values()):
        raise ValueError("each key is an object of texts")
    kid, algorithm = entry.get("kid", ""), entry.get("alg", "")
    if not kid or len(kid) > LONGEST_KID or not kid.isprintable():
        raise ValueError(f"each key needs a kid of at most {LONGEST_KID} characters")
    given = sorted(set(entry) - {"kid", "alg"})
    if algorithm in SYMMETRIC:
        if given != ["secret"]:
            raise ValueError(f"key {kid!r} needs a secret and nothing else")
        secret = entry["secret"].encode()
        if len(secret) < SYMMETRIC[algorithm]:
            raise ValueError(f"the secret of key {kid!r} needs at least {SYMMETRIC[algorithm]} bytes")
        return SigningKey(kid=kid, algorithm=algorithm, verifying=secret, signing=secret)
    if algorithm not in ASYMMETRIC:
        raise ValueError(f"key {kid!r} needs an alg: one of {', '.join((*SYMMETRIC, *ASYMMETRIC))}")
    if given == ["public_key"]:
        public = load_public_key(entry["public_key"], name=f"key {kid!r}")
        check_algorithm(public, algorithm, name=f"key {kid!r}")
        return SigningKey(kid=kid, algorithm=algorithm, verifying=public)
    if given != ["private_key"]:
        raise ValueError(f"key {kid!r} needs a private_key or a public_key and nothing else")
    private, public = _load_private_key(entry["private_key"], name=f"key {kid!r}")
    check_algorithm(public, algorithm, name=f"key {kid!r}")
    return SigningKey(kid=kid, algorithm=algorithm, verifying=public, signing=private)


def load_public_key(text: str, *, name: str) -> PublicKey:
    """The key of a PEM, or of the file at a path. Raises ValueError."""
    pem = _pem(text, name=name)
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{name} has no public key in PEM form") from error
    if not isinstance(key, PublicKey):
        raise ValueError(f"{name} is neither RSA nor EC nor Ed25519")
    return key


def check_algorithm(key: PublicKey, algorithm: str, *, name: str) -> None:
    """Raises ValueError unless the key is one for the algorithm and long enough."""
    if isinstance(key, rsa.RSAPublicKey):
        fits = algorithm in RSA
        if fits and key.key_size < SMALLEST_RSA_BITS:
            raise ValueError(f"{name} has fewer than {SMALLEST_RSA_BITS} bits")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        fits = algorithm in CURVES and isinstance(key.curve, CURVES[algorithm])
    else:
        fits = algorithm == EDWARDS
    if not fits:
        raise ValueError(f"{name} is no key for {algorithm}")


def as_jwk(key: PublicKey) -> dict[str, Any]:
    """The key as RFC 7517 writes it, public numbers only."""
    if isinstance(key, rsa.RSAPublicKey):
        shown: dict[str, Any] = RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        shown = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        shown = OKPAlgorithm.to_jwk(key, as_dict=True)
    shown.pop("key_ops", None)
    return shown


def _load_private_key(text: str, *, name: str) -> tuple[Any, PublicKey]:
    pem = _pem(text, name=name)
    try:
        key = load_pem_private_key(pem, password=None)
        public = key.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, AttributeError) as error:
        raise ValueError(f"{name} has no private key in PEM form without a password") from error
    if not isinstance(public, PublicKey):
        raise ValueError(f"{name} is neither RSA nor EC nor Ed25519")
    return key, public


def _pem(text: str, *, name: str) -> bytes:
    if text.lstrip().startswith("-----BEGIN "):
        return text.encode()
    try:
        return Path(text).read_bytes()
    except (OSError, ValueError) as error:
        raise ValueError(f"the PEM file of {name} cannot be read") from error
