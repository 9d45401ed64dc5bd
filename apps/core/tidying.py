"""Rows that nobody will ask for again: deleted a few at a time, so that nobody waits for it."""

from typing import Any

from django.db.models import QuerySet

BATCH = 5_000


def delete_in_batches(rows: QuerySet[Any]) -> int:
    """Delete the rows, with what hangs on them, each batch in a transaction of its own. Returns how many rows there were."""
    deleted = 0
    while True:
        batch = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        rows.model._base_manager.filter(pk__in=batch).delete()
        deleted += len(batch)
        if len(batch) < BATCH:
            return deleted
