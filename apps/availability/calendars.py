"""The calendars of many listings at once, by the same predicate as one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import DateTimeField, QuerySet, Value
from django.db.models.functions import Lower, Upper

from apps.availability.models import Block, Unit
from apps.availability.selectors import taken_in, tickets_left_of
from apps.core.along import Along
from apps.core.periods import Period, merge, subtract
from apps.core.reads import INSTANT, INTEGERS, OneOf, Parameter, Read
from apps.listings.kinds import kind_of
from apps.listings.models import Listing

# Of which listing, of which unit, from when to when.
Busy = tuple[int, int, datetime | None, datetime | None]


def _busy(*, ids: Parameter, start: Parameter, end: Parameter, now: Parameter) -> QuerySet[Any]:
    """Of each offered unit a row without a period, and one for each period that is taken of it."""
    nothing = Value(None, output_field=DateTimeField())
    units = Unit.objects.filter(OneOf("listing_id", ids), is_offered=True)
    taken = taken_in(start, end, now=now).filter(OneOf("listing_id", ids))
    return units.values_list("listing_id", "pk", nothing, nothing).union(
        taken.values_list("listing_id", "unit_id", Lower("period"), Upper("period")), all=True
    )


BUSY: Read[Busy] = Read(_busy, ids=INTEGERS, start=INSTANT, end=INSTANT, now=INSTANT)


def busy_along(window: Period, *, now: datetime) -> Along:
    """When listings are taken, to come along with them, for `free_periods_of`."""
    return Along(BUSY, by="pk", place="ids", start=window.start, end=window.end, now=now)


def busy_by_listing(
    listing_ids: Sequence[int], window: Period, *, now: datetime, came: Mapping[int, list[Busy]] | None = None
) -> dict[int, list[list[Period]]]:
    """For each offered unit of each listing, when it is taken inside the window: merged and ordered.

    `came` is what came along with the listings.
    """
    busy: dict[int, dict[int, list[Period]]] = {pk: {} for pk in listing_ids}
    if came is None:
        rows = BUSY.rows(ids=list(listing_ids), start=window.start, end=window.end, now=now)
    else:
        rows = [row for pk in listing_ids for row in came[pk]]
    for listing, unit, start, end in rows:
        periods = busy[listing].setdefault(unit, [])
        if start is not None and end is not None:
            periods.append(Period(start, end))
    return {pk: [merge(periods) for periods in units_of.values()] for pk, units_of in busy.items()}


def free_periods_of(
    listings: Sequence[Listing], window: Period, *, now: datetime, came: Mapping[int, list[Busy]] | None = None
) -> dict[int, list[Period]]:
    """When at least one unit of each listing is free inside the window; of a counted kind its period while some is left.

    `came` is what came along with the listings, by `busy_along`.
    """
    kinds = {listing.pk: kind_of(listing) for listing in listings}
    for kind in set(kinds.values()):
        kind.prepare([each for each in listings if kinds[each.pk] is kind])
    counted = [listing.pk for listing in listings if kinds[listing.pk].capacity(listing).stock is not None]
    left = tickets_left_of(counted, now=now) if counted else {}
    exclusive = [pk for pk in kinds if pk not in set(counted)]
    busy = busy_by_listing(exclusive, window, now=now, came=came) if exclusive else {}
    free: dict[int, list[Period]] = {}
    for listing in listings:
        offered = kinds[listing.pk].offered(listing, window, now=now)
        if listing.pk in busy:
            free[listing.pk] = merge(part for taken in busy[listing.pk] for part in subtract(offered, taken))
        else:
            free[listing.pk] = offered if left.get(listing.pk, 0) > 0 else []
    return free


def blocks_of_many(listing_ids: Iterable[int], window: Period) -> dict[int, list[Block]]:
    """The blocks of each listing that touch the window, as the host said them, in order."""
    ids = list(listing_ids)
    found: dict[int, list[Block]] = {pk: [] for pk in ids}
    rows = Block.objects.filter(listing__in=ids, period__overlap=(window.start, window.end))
    for block in rows.order_by("listing", "period", "pk"):
        found[block.listing_id].append(block)
    return found
