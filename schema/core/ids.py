"""Global ids: opaque to clients, `Type:number` in base64 to us.

    to_global_id("Booking", 42)                      -> "Qm9va2luZzo0Mg=="
    read_global_id(value, "Property", "Service")     -> 42, or None for anything that was never given out

Reading never raises: an unknown, foreign or malformed id is simply one that nothing has.
"""

from __future__ import annotations

import binascii
from base64 import b64decode

from apps.core.ids import global_id

LARGEST = 2**63 - 1
LONGEST = 128


def to_global_id(type_name: str, pk: int) -> str:
    """The global id of a row of a type."""
    return global_id(type_name, pk)


def split_global_id(value: object) -> tuple[str, int] | None:
    """Type name and primary key, or None for whatever `to_global_id` cannot have made."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.isascii():
        return None
    try:
        name, colon, digits = b64decode(value, validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return None
    if not colon or not name.isidentifier() or not digits.isdecimal() or len(digits) > 19:
        return None
    pk = int(digits)
    if pk > LARGEST or to_global_id(name, pk) != value:
        return None
    return name, pk


def read_global_id(value: object, *type_names: str) -> int | None:
    """The primary key in a global id of one of these types, else None."""
    parts = split_global_id(value)
    return parts[1] if parts is not None and parts[0] in type_names else None
