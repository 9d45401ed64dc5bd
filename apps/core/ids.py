"""Names and secrets that leave the house."""

import hashlib
import hmac
import secrets
from binascii import b2a_base64
from collections.abc import Callable
from typing import Any

from django.conf import settings

# Without 0, 1, I, L and O, so that it can be read out over the telephone.
READABLE = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
REFERENCE_LENGTH = 10
_REFERENCES = len(READABLE) ** REFERENCE_LENGTH


def new_reference() -> str:
    """A random reference of 10 readable characters: 49 bits, so that among millions a collision is not met in practice."""
    number = secrets.randbelow(_REFERENCES)
    letters = []
    for _ in range(REFERENCE_LENGTH):
        number, letter = divmod(number, len(READABLE))
        letters.append(READABLE[letter])
    return "".join(letters)


def new_secret() -> str:
    """256 random bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What the database keeps of a secret: SHA-256 in hex. The secret itself is random, so no salt is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def derive(purpose: str, *parts: object) -> str:
    """A secret that can be told again but is not stored: HMAC-SHA256 over the parts under the secret key."""
    return derive_with(settings.SECRET_KEY, purpose, *parts)


def derive_with(secret_key: str, purpose: str, *parts: object) -> str:
    """The same under a key of the caller's."""
    message = "\x1f".join([purpose, *map(str, parts)]).encode()
    return hmac.new(secret_key.encode(), message, hashlib.sha256).hexdigest()


def secret_keys() -> list[str]:
    """The key that secrets are derived under, and after it those that it has replaced and that still open what they gave out."""
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def derivations(purpose: str, *parts: object) -> list[str]:
    """What `derive` gives now, and after it what it gave under the keys before."""
    return [derive_with(key, purpose, *parts) for key in secret_keys()]


def is_derived(given: str, purpose: str, *parts: object) -> bool:
    """Whether it is what `derive` gives, or gave under a key before. Compares in constant time."""
    return any(same_secret(each, given) for each in derivations(purpose, *parts))


def same_secret(left: str, right: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def global_id(type_name: str, pk: int) -> str:
    """The id under which the API knows a row of a type: opaque to clients, "Booking:42" in base64 to us."""
    return b2a_base64(f"{type_name}:{pk}".encode(), newline=False).decode()


def global_id_reader(type_name: str) -> Callable[[Any], str]:
    """`global_id` of the key of a row, for many rows of one type."""
    template = f"{type_name}:".encode().replace(b"%", b"%%") + b"%d"

    def read(row: Any) -> str:
        pk = row.pk
        # No other class writes numbers as they are.
        return b2a_base64(template % pk, newline=False).decode() if pk.__class__ is int else global_id(type_name, pk)

    return read
