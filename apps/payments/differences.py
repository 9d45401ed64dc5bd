"""What a comparison with the processor could not heal is kept until it is gone or somebody has dealt with it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.core.db import unit_of_work
from apps.core.money import Money
from apps.payments.models import Discrepancy


@dataclass(frozen=True, slots=True)
class Difference:
    """In words, and which payment of ours it is about and what amount, where that can be said."""

    text: str
    charge_id: int | None = None
    amount: Money | None = None

    @property
    def key(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@unit_of_work
def keep_differences(found: Iterable[Difference], *, since: datetime, now: datetime) -> None:
    """Keep what a comparison that went back to `since` has found; what it would have found and did not is over."""
    by_key = {difference.key: difference for difference in found}
    known = {
        row.key: row for row in Discrepancy.objects.select_for_update().filter(key__in=sorted(by_key)).order_by("pk")
    }
    for key, row in known.items():
        if row.ended_at is not None:
            row.ended_at, row.found_at, row.since = None, now, since
        row.seen_at = now
        row.save(update_fields=["ended_at", "found_at", "since", "seen_at"])
        del by_key[key]
    Discrepancy.objects.bulk_create(
        [
            Discrepancy(
                key=key,
                text=difference.text[:500],
                charge_id=difference.charge_id,
                amount_minor=None if difference.amount is None else difference.amount.minor,
                currency="" if difference.amount is None else difference.amount.currency,
                since=since,
                found_at=now,
                seen_at=now,
            )
            for key, difference in by_key.items()
        ],
        ignore_conflicts=True,
    )
    Discrepancy.objects.filter(ended_at=None, since__gte=since, seen_at__lt=now).update(ended_at=now)
