"""Steps of the capacity ledger. Each is part of somebody's unit of work; the constraints decide."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import F
from psycopg2.extras import DateTimeTZRange

from apps.availability import selectors
from apps.availability.models import BLOCK_HOLDER, BY_HOST, Allocation, Block, Stock, Unit
from apps.core.db import require_transaction
from apps.core.errors import OutsideRules, Unavailable
from apps.core.families import AVAILABILITY
from apps.core.instances import new
from apps.core.periods import Period, merge, subtract
from apps.core.prepared import Prepared
from apps.core.versions import of_its_listing, only
from apps.listings.kinds import Capacity
from apps.live.actions import publish
from apps.live.models import LiveEvent

# The first free unit may be lost to somebody faster; every unit that looked free is tried, lowest number first.
INSERT = """
    INSERT INTO availability_allocation
        (listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at)
    VALUES (%s, %s, %s, tstzrange(%s, %s), COALESCE(%s, nextval('availability_holder')), true, %s, %s)
    ON CONFLICT DO NOTHING
    RETURNING id, holder
"""
# Whoever comes second finds nothing to give back.
RELEASE = Prepared(
    "release",
    """
    UPDATE availability_allocation SET is_active = false, held_until = NULL WHERE id = %(allocation)s AND is_active
    RETURNING listing_id, unit_id, quantity, lower(period), upper(period)
    """,
    allocation="bigint",
)


def _insert(
    *,
    listing_id: int,
    unit_id: int | None,
    quantity: int,
    period: Period,
    holder: int | None,
    held_until: datetime | None,
    now: datetime,
) -> Allocation | None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [listing_id, unit_id, quantity, period.start, period.end, holder, held_until, now])
        row = cursor.fetchone()
    if row is None:
        return None
    allocation = Allocation(
        pk=row[0],
        listing_id=listing_id,
        unit_id=unit_id,
        quantity=quantity,
        period=DateTimeTZRange(period.start, period.end),
        holder=row[1],
        held_until=held_until,
        created_at=now,
    )
    allocation._state.adding = False
    allocation._state.db = connection.alias
    return allocation


@of_its_listing(AVAILABILITY)
def allocate(
    *,
    listing_id: int,
    period: Period,
    quantity: int | None,
    holder: int | None,
    held_until: datetime | None,
    now: datetime,
    preferred_unit: int | None = None,
) -> Allocation:
    """Take one free unit for the period, the preferred one if it is free, or `quantity` of the stock.

    `holder` None makes a number that no other booking holds places under. Run-out holds in the way must have been
    released before, in the same transaction. Raises Unavailable when nothing is free.
    """
    require_transaction()
    if quantity is not None:
        return _take_stock(
            listing_id=listing_id, period=period, quantity=quantity, holder=holder, held_until=held_until, now=now
        )
    taken = selectors.overlapping(period.start, period.end, now=now)
    if holder is not None:
        taken = taken.exclude(holder=holder)
    free = selectors.free_units(listing_id, taken).values_list("pk", flat=True)
    for unit in sorted(free, key=lambda pk: pk != preferred_unit):
        row = _insert(
            listing_id=listing_id,
            unit_id=unit,
            quantity=1,
            period=period,
            holder=holder,
            held_until=held_until,
            now=now,
        )
        if row is not None:
            tell_listeners(listing_id, period)
            return row
    raise Unavailable("This period is taken.")


def tell_listeners(listing_id: int, period: Period | None) -> None:
    """Tell those who watch the listing that what is free of it changed in the period; None: anywhere."""
    event = news(listing_id, period)
    publish(topic=event.topic, data=event.data)


def news(listing_id: int, period: Period | None) -> LiveEvent:
    """What those who watch the listing are told, not yet written down."""
    data = {"start": period.start.isoformat(), "end": period.end.isoformat()} if period else {}
    return new(LiveEvent, topic=f"availability:{listing_id}", data=data)


def _take_stock(
    *, listing_id: int, period: Period, quantity: int, holder: int | None, held_until: datetime | None, now: datetime
) -> Allocation:
    taken = Stock.objects.filter(pk=listing_id, taken__lte=F("capacity") - quantity).update(taken=F("taken") + quantity)
    if not taken:
        raise Unavailable("Fewer tickets are left.", field="tickets")
    row = _insert(
        listing_id=listing_id,
        unit_id=None,
        quantity=quantity,
        period=period,
        holder=holder,
        held_until=held_until,
        now=now,
    )
    assert row is not None, "no constraint stands in the way of an allocation without a unit"
    tell_listeners(listing_id, period)
    return row


def release(allocation_id: int) -> bool:
    """Give the place back. Only the first call does anything; returns whether this was it."""
    require_transaction()
    with only(AVAILABILITY) as those:
        freed = RELEASE.row(allocation=allocation_id)
        if freed is None:
            return False
        listing_id, unit_id, quantity, start, end = freed
        those.add(listing_id)
        if unit_id is None:
            Stock.objects.filter(pk=listing_id).update(taken=F("taken") - quantity)
    tell_listeners(listing_id, Period(start, end))
    return True


def hold_until(allocation_id: int, moment: datetime | None) -> bool:
    """Let the hold end at `moment`, or never by itself (None). Returns whether the place was still held."""
    require_transaction()
    return bool(Allocation.objects.filter(pk=allocation_id, is_active=True).update(held_until=moment))


def shorten(allocation_id: int, end: datetime) -> None:
    """Free what lies after `end`; a place that would become empty is released."""
    require_transaction()
    allocation = Allocation.objects.select_for_update().get(pk=allocation_id)
    if not allocation.is_active or allocation.unit_id is None or allocation.occupied.end <= end:
        return
    if allocation.occupied.start >= end:
        release(allocation_id)
        return
    with only(AVAILABILITY, allocation.listing_id):
        Allocation.objects.filter(pk=allocation_id).update(period=DateTimeTZRange(allocation.occupied.start, end))
    tell_listeners(allocation.listing_id, Period(end, allocation.occupied.end))


@of_its_listing(AVAILABILITY)
def set_capacity(listing_id: int, capacity: Capacity, *, field: str, now: datetime) -> None:
    """Offer that many units, or that much stock.

    Fewer units: those with the highest numbers are no longer offered, what they sold stands. Raises OutsideRules at
    `field` when more stock is taken than would be left.
    """
    require_transaction()
    if capacity.stock is not None:
        Stock.objects.bulk_create([Stock(listing_id=listing_id, capacity=capacity.stock)], ignore_conflicts=True)
        changed = Stock.objects.filter(pk=listing_id, taken__lte=capacity.stock).update(capacity=capacity.stock)
        if not changed:
            raise OutsideRules("More than that are sold already.", field=field)
        tell_listeners(listing_id, None)
        return
    Unit.objects.bulk_create(
        [Unit(listing_id=listing_id, number=number) for number in range(1, capacity.units + 1)], ignore_conflicts=True
    )
    Unit.objects.filter(listing=listing_id).update(is_offered=False)
    Unit.objects.filter(listing=listing_id, number__lte=capacity.units).update(is_offered=True)
    _carry_out_blocks(listing_id, now=now)
    tell_listeners(listing_id, None)


@of_its_listing(AVAILABILITY)
def block(listing_id: int, period: Period, *, reason: str, source: str, now: datetime) -> Block:
    """Take all units off the market for the period. Raises Unavailable, and blocks nothing, over a booking."""
    require_transaction()
    lock_units(listing_id)
    row = Block.objects.create(
        listing_id=listing_id,
        period=DateTimeTZRange(period.start, period.end),
        reason=reason,
        source=source,
        created_at=now,
    )
    _carry_out_blocks(listing_id, now=now)
    tell_listeners(listing_id, period)
    return row


@of_its_listing(AVAILABILITY)
def unblock(listing_id: int, period: Period, *, source: str, now: datetime) -> None:
    """Put the period back on the market as far as blocks of that source took it; what sticks out of it stays blocked."""
    require_transaction()
    lock_units(listing_id)
    touched = Block.objects.filter(listing=listing_id, source=source, period__overlap=(period.start, period.end))
    blocks = list(touched)
    for old in blocks:
        left = subtract([Period(old.period.lower, old.period.upper)], [period])
        old.delete()
        Block.objects.bulk_create(
            Block(
                listing_id=listing_id,
                period=DateTimeTZRange(part.start, part.end),
                reason=old.reason,
                source=old.source,
                created_at=old.created_at,
            )
            for part in left
        )
    _carry_out_blocks(listing_id, now=now)
    if blocks:
        tell_listeners(listing_id, period)


@of_its_listing(AVAILABILITY)
def replace_blocks(listing_id: int, wanted: Sequence[tuple[Period, str]], *, source: str, now: datetime) -> None:
    """Make these, each a period and its reason, the blocks of that source, which is not the host.

    They take of every unit what is not booked of it; what comes free later they take at the next call.
    """
    require_transaction()
    lock_units(listing_id)
    left = Counter(wanted)
    surplus: list[int] = []
    for old in Block.objects.filter(listing=listing_id, source=source).order_by("pk"):
        said = (Period(old.period.lower, old.period.upper), old.reason)
        if left[said] > 0:
            left[said] -= 1
        else:
            surplus.append(old.pk)
    missing = list(left.elements())
    Block.objects.filter(pk__in=surplus).delete()
    Block.objects.bulk_create(
        Block(
            listing_id=listing_id,
            period=DateTimeTZRange(period.start, period.end),
            reason=reason,
            source=source,
            created_at=now,
        )
        for period, reason in missing
    )
    # Also where nothing new was said: of what is blocked something may have been canceled.
    if _carry_out_blocks(listing_id, now=now):
        tell_listeners(listing_id, None)


def lock_units(listing_id: int) -> None:
    """Wait for, and keep out, others who change the blocks of the listing."""
    list(Unit.objects.select_for_update(of=("self",)).filter(listing=listing_id).order_by("pk").values_list("pk"))


def _carry_out_blocks(listing_id: int, *, now: datetime) -> bool:
    """Make the block allocations of every offered unit the union of the listing's blocks; returns whether any changed.

    Blocks of other sources than the host leave out what is booked of the unit. Raises Unavailable when a booking is in the
    way of a host's own.
    """
    firm: list[Period] = []
    yielding: list[Period] = []
    for period, source in Block.objects.filter(listing=listing_id).values_list("period", "source"):
        (firm if source == BY_HOST else yielding).append(Period(period.lower, period.upper))
    booked = booked_by_unit(listing_id) if yielding else {}
    units = Unit.objects.filter(listing=listing_id, is_offered=True).order_by("number").values_list("pk", flat=True)
    wanted = {unit: merge([*firm, *subtract(yielding, booked.get(unit, []))]) for unit in units}
    goals = {unit: set(periods) for unit, periods in wanted.items()}
    present: dict[int, set[Period]] = {unit: set() for unit in wanted}
    rows = Allocation.objects.filter(listing=listing_id, holder=BLOCK_HOLDER, is_active=True)
    surplus: list[int] = []
    for pk, unit, period in rows.values_list("pk", "unit", "period"):
        span = Period(period.lower, period.upper)
        if unit in present and span in goals[unit] and span not in present[unit]:
            present[unit].add(span)
        else:
            surplus.append(pk)
    has_changed = bool(surplus)
    for unit, periods in wanted.items():
        for span in periods:
            if span in present[unit]:
                continue
            row = _insert(
                listing_id=listing_id,
                unit_id=unit,
                quantity=1,
                period=span,
                holder=BLOCK_HOLDER,
                held_until=None,
                now=now,
            )
            if row is None:
                raise Unavailable("Bookings lie in this period.", field="start")
            has_changed = True
    Allocation.objects.filter(pk__in=surplus).delete()
    return has_changed


def booked_by_unit(listing_id: int) -> dict[int, list[Period]]:
    """What of each unit the constraint keeps for bookings: holds too, also those that have run out and were not cleared."""
    rows = Allocation.objects.filter(listing=listing_id, is_active=True, unit__isnull=False).exclude(
        holder=BLOCK_HOLDER
    )
    found: dict[int, list[Period]] = {}
    for unit, period in rows.values_list("unit", "period"):
        assert unit is not None
        found.setdefault(unit, []).append(Period(period.lower, period.upper))
    return found
