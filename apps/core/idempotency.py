"""The same key from the same caller within 24 hours answers the same result."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from apps.core.db import require_transaction
from apps.core.errors import Duplicate, Invalid
from apps.core.models import IdempotencyKey
from apps.core.texts import clean_text

MEMORY = timedelta(hours=24)
SHORTEST, LONGEST = 8, 200

# Waits for a transaction that is about to insert the same key.
INSERT = """
    INSERT INTO core_idempotencykey (caller, key, fingerprint, created_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT DO NOTHING
    RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the key said: `result` is the primary key of the earlier answer, None for the first call."""

    row: int
    result: int | None


def clean_key(key: str | None) -> str | None:
    """The key trimmed: 8 to 200 printable characters. Raises Invalid at `idempotency_key`."""
    if key is None:
        return None
    cleaned = clean_text(key, field="idempotency_key", max_length=LONGEST)
    if len(cleaned) < SHORTEST:
        raise Invalid(f"An idempotencyKey has {SHORTEST} to {LONGEST} characters.", field="idempotency_key")
    return cleaned


def fingerprint(cleaned_input: dict[str, Any]) -> str:
    """A digest of the input after trimming, the same for the same content in any order."""
    return hashlib.sha256(json.dumps(cleaned_input, sort_keys=True, default=str).encode()).hexdigest()


def claim(*, caller: str, key: str, cleaned_input: dict[str, Any], now: datetime) -> Claim:
    """Take the key for this transaction; a parallel call with the same key waits here until the first has ended.

    Raises Duplicate at `idempotency_key` when the key was used for other input.
    """
    require_transaction()
    digest = fingerprint(cleaned_input)
    taken = _insert(caller=caller, key=key, digest=digest, now=now)
    if taken is None:
        forgotten = IdempotencyKey.objects.filter(caller=caller, key=key, created_at__lte=now - MEMORY)
        if forgotten.delete()[0]:
            taken = _insert(caller=caller, key=key, digest=digest, now=now)
    if taken is not None:
        return Claim(row=taken, result=None)
    row = IdempotencyKey.objects.get(caller=caller, key=key)
    if row.result is None:
        return Claim(row=row.pk, result=None)
    if row.fingerprint != digest:
        raise Duplicate("This idempotencyKey was used for something else.", field="idempotency_key")
    return Claim(row=row.pk, result=row.result)


def _insert(*, caller: str, key: str, digest: str, now: datetime) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [caller, key, digest, now])
        row = cursor.fetchone()
    return int(row[0]) if row else None


def remember(taken: Claim, *, result: int) -> None:
    """Bind the answer to the key, in the transaction that made it."""
    require_transaction()
    IdempotencyKey.objects.filter(pk=taken.row).update(result=result)


def forgotten(now: datetime) -> QuerySet[IdempotencyKey]:
    """The keys that answer nothing any more, with the addresses in them."""
    return IdempotencyKey.objects.filter(created_at__lte=now - MEMORY)
