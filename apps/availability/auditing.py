"""Whether what cannot be has come to be: one place taken twice, tickets miscounted, or the guards against it gone.

The database refuses all of it, so what is found was written past the product, or came with a restored dump. Past stays are not
looked at.
"""

import logging
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from apps.core import metrics

logger = logging.getLogger(__name__)

# One pass in the order of the units: each period is compared with the latest end before it, and only what overlaps something
# is looked up.
OVERLAPS = """
    WITH ordered AS (
        SELECT unit_id, holder, period, lower(period) < max(upper(period)) OVER (
            PARTITION BY unit_id ORDER BY lower(period), id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS lies_over
        FROM availability_allocation
        WHERE is_active AND unit_id IS NOT NULL AND upper(period) > %(now)s
    )
    SELECT count(*) FROM ordered WHERE lies_over AND EXISTS (
        SELECT 1 FROM availability_allocation AS other
        WHERE other.unit_id = ordered.unit_id AND other.is_active AND other.holder <> ordered.holder
        AND other.period && ordered.period
    )
"""
MISCOUNTED = """
    SELECT count(*) FROM availability_stock AS stock LEFT JOIN (
        SELECT listing_id, sum(quantity) AS sold FROM availability_allocation
        WHERE is_active AND unit_id IS NULL GROUP BY listing_id
    ) AS sales ON sales.listing_id = stock.listing_id
    WHERE stock.taken <> coalesce(sales.sold, 0) OR stock.taken > stock.capacity
"""
GUARDS = ("allocation_never_overlaps", "stock_never_oversold")
MISSING = "SELECT %(wanted)s - count(*) FROM pg_constraint WHERE conname = ANY(%(names)s) AND convalidated"


@dataclass(frozen=True, slots=True)
class Oversold:
    """How many allocations lie over another one, how many stocks count wrong, and how many guards are not there."""

    overlaps: int
    miscounted: int
    guards_missing: int


def look(*, now: datetime) -> Oversold:
    """What is wrong now, in the database's own words; kept for whoever watches. All is 0 unless something broke."""
    found = Oversold(
        overlaps=_count(OVERLAPS, now=now),
        miscounted=_count(MISCOUNTED),
        guards_missing=_count(MISSING, wanted=len(GUARDS), names=list(GUARDS)),
    )
    for what, number in zip(("overlap", "stock", "guard"), astuple(found), strict=True):
        metrics.OVERSOLD.labels(what).set(number)
    if any(astuple(found)):
        logger.error("places are sold twice: %s overlaps, %s stocks miscounted, %s guards missing", *astuple(found))
    return found


def _count(statement: str, **values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.fetchone()[0])
