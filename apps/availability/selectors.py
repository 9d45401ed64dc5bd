"""Reads of the capacity ledger. What is displayed as free uses the same predicate as the write."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import DateTimeRangeField
from django.db.models import (
    Aggregate,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.expressions import Combinable, Subquery
from django.db.models.functions import Coalesce

from apps.availability.models import Allocation, Block, Stock, Unit
from apps.core.periods import Period, merge, subtract
from apps.listings.kinds import kind_of
from apps.listings.models import Listing

Instant = datetime | Combinable


def taking(*, now: Instant) -> Q:
    """The condition on Allocation of being taken: active, and not a hold that has run out."""
    return Q(is_active=True) & (Q(held_until=None) | Q(held_until__gt=now))


def overlapping(start: Instant, end: Instant, *, now: Instant) -> QuerySet[Allocation]:
    """The allocations that take something of [start, end): instants, or where they will be.

    To be asked of a unit or a listing. Its bounds are compared, and not the periods themselves, so that the index of its own
    answers: that of all periods, which keeps them apart, takes longer for one unit, and read for a short window it holds what
    everybody else has booked in it.
    """
    return Allocation.objects.filter(taking(now=now), period__startswith__lt=end, period__endswith__gt=start)


def free_units(listing: int | Combinable, taken: QuerySet[Allocation]) -> QuerySet[Unit]:
    """The offered units of the listing of which nothing is taken by these allocations, lowest number first."""
    return Unit.objects.filter(~Exists(taken.filter(unit=OuterRef("pk"))), listing=listing, is_offered=True).order_by(
        "number"
    )


def taken_in(start: Any, end: Any, *, now: Any) -> QuerySet[Allocation]:
    """The same of offered units."""
    return overlapping(start, end, now=now).filter(unit__is_offered=True)


def taken_of(listing_ids: Sequence[int], window: Period, *, now: datetime) -> QuerySet[Allocation]:
    """The allocations of the offered units of these listings that take something of the window."""
    return taken_in(window.start, window.end, now=now).filter(listing__in=listing_ids)


def unit_is_free(start: Instant, end: Instant, *, now: Instant, listing: str = "pk") -> Exists:
    """A condition on a listing queryset: some offered unit is free for the whole of [start, end).

    `start` and `end` may be expressions over the listing; `listing` is the queryset's path to the listing's key. Inside
    the subqueries expressions must be wrapped by the caller in OuterRef one level per subquery: two here.
    """
    taken = overlapping(start, end, now=now).filter(unit=OuterRef("pk"))
    units = Unit.objects.filter(~Exists(taken), listing=OuterRef(listing), is_offered=True)
    # OFFSET 0 keeps it a question about one listing. Without, PostgreSQL may turn it into a join and work out the free
    # units of all listings first, for a page of twenty.
    return Exists(units, template="EXISTS(%(subquery)s OFFSET 0)")


class Union(Aggregate):
    """All periods of the rows as one multirange."""

    function = "range_agg"
    output_field = DateTimeRangeField()


def busy_units(start: Instant, end: Instant, *, now: Instant, listing: str = "pk") -> Subquery:
    """For a FROM inside a condition on a listing queryset: the offered units of the listing, one row each.

    The one column, `busy`, is a multirange that holds at least what is taken of [start, end); null where nothing is.
    """
    taken = overlapping(start, end, now=now).filter(unit=OuterRef("pk"))
    busy = Subquery(taken.order_by().values("unit").annotate(busy=Union("period")).values("busy"))
    units = Unit.objects.filter(listing=OuterRef(listing), is_offered=True).annotate(busy=busy).values("busy")
    return Subquery(units, template="(%(subquery)s OFFSET 0)")


def tickets_left(*, now: Instant, listing: str = "pk") -> Combinable:
    """An expression over a listing queryset: tickets that could be sold now, counting run-out holds as free."""
    dead = (
        Allocation.objects.filter(listing=OuterRef("pk"), unit=None, is_active=True, held_until__lte=now)
        .order_by()
        .values("listing")
        .annotate(dead=Sum("quantity"))
        .values("dead")
    )
    left = (
        Stock.objects.filter(pk=OuterRef(listing))
        .annotate(left=F("capacity") - F("taken") + Coalesce(Subquery(dead, output_field=IntegerField()), Value(0)))
        .values("left")
    )
    return Coalesce(Subquery(left, output_field=IntegerField()), Value(0))


def tickets_left_of(listing_ids: list[int], *, now: datetime) -> dict[int, int]:
    """The same for many listings at once."""
    rows = Stock.objects.filter(pk__in=listing_ids).annotate(left=tickets_left(now=now)).values_list("pk", "left")
    return dict(rows)


def free_now(listing_ids: list[int], *, now: datetime, until: datetime) -> dict[int, bool]:
    """Whether some unit of each listing is free for the whole of [now, until)."""
    free = set(
        Listing.objects.filter(unit_is_free(now, until, now=now), pk__in=listing_ids).values_list("pk", flat=True)
    )
    return {pk: pk in free for pk in listing_ids}


def free_places(places: Collection[tuple[int, Period]], *, now: datetime) -> set[tuple[int, Period]]:
    """Those of the places, a listing's id and a period each, in which some unit is free throughout. One statement for all."""
    wanted: dict[Period, list[int]] = {}
    for listing_id, period in places:
        wanted.setdefault(period, []).append(listing_id)
    if not wanted:
        return set()
    first, *others = (
        Listing.objects.filter(unit_is_free(period.start, period.end, now=now), pk__in=listing_ids)
        .order_by()
        .values_list("pk", Value(number))
        for number, (period, listing_ids) in enumerate(wanted.items())
    )
    periods = list(wanted)
    return {(pk, periods[number]) for pk, number in (first.union(*others, all=True) if others else first)}


def busy_by_unit(listing_id: int, window: Period, *, now: datetime) -> list[list[Period]]:
    """For each offered unit, when it is taken inside the window: merged and ordered."""
    busy: dict[int, list[Period]] = {
        pk: [] for pk in Unit.objects.filter(listing=listing_id, is_offered=True).values_list("pk", flat=True)
    }
    for unit, period in taken_of([listing_id], window, now=now).values_list("unit", "period"):
        busy[unit].append(Period(period.lower, period.upper))
    return [merge(periods) for periods in busy.values()]


def is_free(
    listing: Listing, period: Period, *, quantity: int | None, now: datetime, besides: Allocation | None = None
) -> bool:
    """Whether the ledger would give the place now: a unit, or that many tickets. `besides` is to be given up for it."""
    if quantity is not None:
        left = tickets_left_of([listing.pk], now=now).get(listing.pk, 0)
        if besides is not None:
            own = Allocation.objects.filter(pk=besides.pk, is_active=True)
            left += own.aggregate(own=Sum("quantity"))["own"] or 0
        return left >= quantity
    taken = overlapping(period.start, period.end, now=now).filter(unit=OuterRef("pk"))
    if besides is not None:
        taken = taken.exclude(holder=besides.holder)
    return Unit.objects.filter(~Exists(taken), listing=listing.pk, is_offered=True).exists()


def free_periods(listing: Listing, window: Period, *, now: datetime) -> list[Period]:
    """When at least one unit is free inside the window; of a counted kind its period while something is left."""
    kind = kind_of(listing)
    offered = kind.offered(listing, window, now=now)
    if kind.capacity(listing).stock is not None:
        return offered if tickets_left_of([listing.pk], now=now).get(listing.pk, 0) > 0 else []
    free: list[Period] = []
    for busy in busy_by_unit(listing.pk, window, now=now):
        free.extend(subtract(offered, busy))
    return merge(free)


def blocks_of(listing_id: int, window: Period) -> QuerySet[Block]:
    """The blocks that touch the window, as the host said them, in order."""
    return Block.objects.filter(listing=listing_id, period__overlap=(window.start, window.end)).order_by("period", "pk")
