"""Claims on capacity that are made in the statement that also writes what belongs to them; the rules are those of `allocate`."""

from collections.abc import Sequence
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS
from django.db.models import BigIntegerField, F, Func, Model, QuerySet
from psycopg2.extras import DateTimeTZRange

from apps.availability import selectors
from apps.availability.models import Allocation, Unit
from apps.core.db import Undecided
from apps.core.errors import Unavailable
from apps.core.families import AVAILABILITY
from apps.core.instances import new
from apps.core.periods import Period
from apps.core.reads import INSTANT, INTEGER, INTEGERS, Parameter, Read
from apps.core.together import Claim, Together
from apps.core.versions import of_its_listing

# A unit that looked free may be lost to somebody faster: then `claimed` is empty and says which one it was.
UNIT = """
    free (unit) AS ({free}),
    claimed AS (
        INSERT INTO availability_allocation
            (id, listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at)
        SELECT %(allocation)s, %(listing)s, free.unit, 1, tstzrange(%(start)s, %(end)s), nextval('availability_holder'),
            true, %(held_until)s, %(now)s
        FROM free
        ON CONFLICT DO NOTHING
        RETURNING id, holder
    )
"""
UNIT_ANSWER = """
    SELECT claimed.id, claimed.holder, free.unit
    FROM (SELECT) AS always LEFT JOIN free ON true LEFT JOIN claimed ON true
"""
STOCK = """
    stock AS (
        UPDATE availability_stock SET taken = taken + %(quantity)s
        WHERE listing_id = %(listing)s AND taken <= capacity - %(quantity)s
        RETURNING listing_id
    ),
    claimed AS (
        INSERT INTO availability_allocation
            (id, listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at)
        SELECT %(allocation)s, stock.listing_id, NULL, %(quantity)s, tstzrange(%(start)s, %(end)s),
            nextval('availability_holder'), true, %(held_until)s, %(now)s
        FROM stock
        RETURNING id, holder
    )
"""
STOCK_ANSWER = "SELECT claimed.id, claimed.holder, NULL FROM (SELECT) AS always LEFT JOIN claimed ON true"
COMMON = {
    "allocation": "bigint",
    "listing": "bigint",
    "start": "timestamptz",
    "end": "timestamptz",
    "held_until": "timestamptz",
    "now": "timestamptz",
}


def _free(
    *, listing: Parameter, start: Parameter, end: Parameter, now: Parameter, tried: Parameter
) -> QuerySet[Unit, tuple[int]]:
    was_tried = Func(tried, F("pk"), function="array_position", output_field=BigIntegerField())
    free = selectors.free_units(listing, selectors.overlapping(start, end, now=now))
    return free.alias(tried=was_tried).filter(tried__isnull=True).values_list("pk")[:1]


FREE: Read[tuple[int]] = Read(_free, listing=INTEGER, start=INSTANT, end=INSTANT, now=INSTANT, tried=INTEGERS)


def unit_claim() -> Claim:
    """One free unit for a period: of those that were not tried before, the one with the lowest number."""
    free = FREE.text()
    return Claim(UNIT.format(free=free.sql), UNIT_ANSWER, **{**free.types, **COMMON})


def stock_claim() -> Claim:
    """A quantity of the stock."""
    return Claim(STOCK, STOCK_ANSWER, quantity="integer", **COMMON)


@of_its_listing(AVAILABILITY)
def allocate_together(
    together: Together,
    *rows: Sequence[Model],
    allocation_id: int,
    listing_id: int,
    period: Period,
    quantity: int | None,
    held_until: datetime | None,
    now: datetime,
    ends_unit: bool = False,
) -> Allocation:
    """Take one free unit for the period, or `quantity` of the stock, and write the rows with it.

    `together` begins with `unit_claim`, or with `stock_claim` where there is a quantity. Run-out holds in the way must have
    been released before, in the same transaction, and listeners are for the caller to tell. With `ends_unit` all of it has been
    committed when it returns. Raises Unavailable when nothing is free; then nothing was written.
    """
    place = {
        "allocation": allocation_id,
        "listing": listing_id,
        "start": period.start,
        "end": period.end,
        "held_until": held_until,
        "now": now,
    }
    if quantity is not None:
        taken, holder, unit = together.write({**place, "quantity": quantity}, *rows, ends_unit=ends_unit)
        if taken is None:
            raise Unavailable("Fewer tickets are left.", field="tickets")
    else:
        tried: list[int] = []
        while True:
            taken, holder, unit = together.write({**place, "tried": tried}, *rows, ends_unit=ends_unit)
            if taken is not None:
                break
            if unit is None:
                raise Unavailable("This period is taken.")
            if ends_unit:
                # Somebody was faster, and there may be other units.
                raise Undecided
            tried.append(unit)
    allocation = new(
        Allocation,
        pk=allocation_id,
        listing_id=listing_id,
        unit_id=unit,
        quantity=1 if quantity is None else quantity,
        period=DateTimeTZRange(period.start, period.end),
        holder=holder,
        held_until=held_until,
        created_at=now,
    )
    allocation._state.adding = False
    allocation._state.db = DEFAULT_DB_ALIAS
    return allocation
