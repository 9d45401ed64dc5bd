"""Blocks of many listings at once, to the same end as the availability ledger's own step for one listing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.db import connection
from psycopg2.extras import DateTimeTZRange, execute_values

from apps.availability.models import BLOCK_HOLDER, BY_HOST, Allocation, Block, Unit
from apps.core import versions
from apps.core.db import require_transaction
from apps.core.periods import Period, merge, subtract

# A booking that comes in between is seen in the next round and stands.
ROUNDS = 5

INSERT = """
    INSERT INTO availability_allocation
        (listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at)
    VALUES %s
    ON CONFLICT DO NOTHING
    RETURNING listing_id
"""


class BookingsInTheWay(Exception):
    """Bookings lie in the blocks of these listings."""

    def __init__(self, listings: set[int]) -> None:
        super().__init__(f"{len(listings)} listings")
        self.listings = listings


def lock_units(listings: Iterable[int]) -> None:
    """Wait for, and keep out, others who change the blocks of those listings."""
    require_transaction()
    list(
        Unit.objects.select_for_update(of=("self",))
        .filter(listing__in=sorted(listings))
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def booked(listings: Iterable[int]) -> dict[int, list[Period]]:
    """When some unit of each listing is taken by a booking, holds included: what blocks must leave alone."""
    taken: dict[int, list[Period]] = defaultdict(list)
    rows = Allocation.objects.filter(listing__in=list(listings), is_active=True, unit__isnull=False)
    for listing, period in rows.exclude(holder=BLOCK_HOLDER).values_list("listing", "period"):
        taken[listing].append(Period(period.lower, period.upper))
    return taken


def booked_units(listings: Iterable[int]) -> dict[int, list[Period]]:
    """When each unit of the listings is taken by a booking, holds included."""
    taken: dict[int, list[Period]] = defaultdict(list)
    rows = Allocation.objects.filter(listing__in=list(listings), is_active=True, unit__isnull=False)
    for unit, period in rows.exclude(holder=BLOCK_HOLDER).values_list("unit", "period"):
        taken[unit].append(Period(period.lower, period.upper))
    return taken


def blocks_of(listings: Iterable[int], *, source: str | None = None) -> dict[int, list[Block]]:
    """The blocks of each listing, of one source or of all."""
    rows = Block.objects.filter(listing__in=list(listings)).order_by("pk")
    found: dict[int, list[Block]] = defaultdict(list)
    for row in rows if source is None else rows.filter(source=source):
        found[row.listing_id].append(row)
    return found


def span(block: Block) -> Period:
    return Period(block.period.lower, block.period.upper)


def replace_blocks(
    wanted: Mapping[int, tuple[Sequence[Period], Sequence[Period]]], *, source: str, reason: str, now: datetime
) -> tuple[set[int], dict[int, list[Period]]]:
    """Let the source's blocks be these inside the windows it speaks of; outside they stay as they are.

    `wanted` has, per listing, the windows and the blocks in them. Bookings stand: a block is cut where one lies.
    Returns the listings that changed and, per listing, the bookings that stood in the way.
    """
    require_transaction()
    lock_units(wanted)
    standing: dict[int, list[Period]] = {}
    changed: set[int] = set()
    todo = set(wanted)
    for _ in range(ROUNDS):
        standing_now, changed_now = _write_blocks({key: wanted[key] for key in todo}, source, reason, now)
        standing.update(standing_now)
        changed |= changed_now
        try:
            carry_out_blocks(changed_now, now=now)
        except BookingsInTheWay as conflict:
            todo = conflict.listings
            continue
        return changed, standing
    raise BookingsInTheWay(todo)


def _write_blocks(
    wanted: Mapping[int, tuple[Sequence[Period], Sequence[Period]]], source: str, reason: str, now: datetime
) -> tuple[dict[int, list[Period]], set[int]]:
    taken = booked(wanted)
    present = blocks_of(wanted, source=source)
    standing: dict[int, list[Period]] = {}
    surplus: list[int] = []
    missing: list[Block] = []
    changed: set[int] = set()
    for listing, (windows, blocks) in wanted.items():
        in_the_way = [period for period in taken.get(listing, []) if any(period.overlaps(block) for block in blocks)]
        if in_the_way:
            standing[listing] = sorted(in_the_way)
        have = {span(row): row.pk for row in present.get(listing, [])}
        kept = subtract(have, windows)
        target = set(merge([*kept, *subtract(blocks, in_the_way)]))
        surplus += [row.pk for row in present.get(listing, []) if span(row) not in target or have[span(row)] != row.pk]
        fresh = sorted(target - have.keys())
        missing += [
            Block(
                listing_id=listing,
                period=DateTimeTZRange(period.start, period.end),
                reason=reason,
                source=source,
                created_at=now,
            )
            for period in fresh
        ]
        if fresh or target != have.keys():
            changed.add(listing)
    Block.objects.filter(pk__in=surplus).delete()
    Block.objects.bulk_create(missing, batch_size=5000)
    return standing, changed


def carry_out_blocks(listings: Iterable[int], *, now: datetime) -> None:
    """Make the block allocations of every offered unit the union of its listing's blocks, for many listings at once.

    Those of other sources than the host leave out what is booked of the unit, as in the ledger's own step. Raises
    BookingsInTheWay, naming those of the listings where a booking is in the way.
    """
    require_transaction()
    keys = sorted(set(listings))
    if not keys:
        return
    firm: dict[int, list[Period]] = defaultdict(list)
    yielding: dict[int, list[Period]] = defaultdict(list)
    for listing, rows in blocks_of(keys).items():
        for row in rows:
            (firm if row.source == BY_HOST else yielding)[listing].append(span(row))
    taken = booked_units(list(yielding))
    present: dict[int, set[Period]] = {}
    goals: dict[int, list[Period]] = {}
    listing_of: dict[int, int] = {}
    surplus: list[int] = []
    units = Unit.objects.filter(listing__in=keys, is_offered=True).order_by("listing", "number")
    for unit, listing in units.values_list("pk", "listing"):
        listing_of[unit] = listing
        present[unit] = set()
        goals[unit] = merge([*firm[listing], *subtract(yielding[listing], taken[unit])])
    sought = {unit: set(periods) for unit, periods in goals.items()}
    allocations = Allocation.objects.filter(listing__in=keys, holder=BLOCK_HOLDER, is_active=True)
    for pk, unit, period in allocations.values_list("pk", "unit", "period"):
        place = Period(period.lower, period.upper)
        if unit in present and place in sought[unit] and place not in present[unit]:
            present[unit].add(place)
        else:
            surplus.append(pk)
    missing = [
        (listing_of[unit], unit, 1, DateTimeTZRange(place.start, place.end), BLOCK_HOLDER, True, None, now)
        for unit, periods in goals.items()
        for place in periods
        if place not in present[unit]
    ]
    Allocation.objects.filter(pk__in=surplus).delete()
    if not missing:
        return
    with connection.cursor() as cursor:
        inserted = execute_values(cursor.cursor, INSERT, missing, page_size=2000, fetch=True)
        if settings.CACHE_SECONDS:
            # psycopg2's own execution passes by those who look at statements.
            versions.note(connection, INSERT)
    if len(inserted) < len(missing):
        came = Allocation.objects.filter(listing__in=keys, holder=BLOCK_HOLDER, is_active=True)
        there = set(came.values_list("unit", "period"))
        raise BookingsInTheWay({row[0] for row in missing if (row[1], row[3]) not in there})
