"""Reads about services: their slots, one by one and as a condition of a search."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, DateTimeField, F, Func, Value, prefetch_related_objects
from django.db.models.sql.compiler import SQLCompiler

from apps.availability.calendars import busy_by_listing
from apps.availability.selectors import busy_by_unit, unit_is_free
from apps.core.periods import Period
from apps.kinds.service import rules
from apps.kinds.service.models import Service
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.listings.offers import HORIZON


def terms_of(listing: Listing) -> rules.ServiceTerms:
    """The service's terms; its opening hours may have been prefetched."""
    service: Service = listing.service
    return rules.ServiceTerms(
        time_zone=listing.time_zone,
        duration=timedelta(minutes=service.duration_minutes),
        buffer=timedelta(minutes=service.buffer_minutes),
        openings=tuple(
            rules.Opening(weekday=hours.weekday, opens_at=hours.opens_at, closes_at=hours.closes_at)
            for hours in service.opening_hours.all()
        ),
    )


def slots(*, listing: Listing, window: Period, now: datetime) -> list[Period]:
    """The free appointments to come that lie inside the window, in order."""
    terms = terms_of(listing)
    ahead = window.clip(Period(now, now + HORIZON + terms.step))
    if ahead is None:
        return []
    busy = busy_by_unit(listing.pk, Period(ahead.start, ahead.end + terms.buffer), now=now)
    return rules.free_slots(terms, ahead, busy, now=now)


def slots_of(*, listings: Sequence[Listing], window: Period, now: datetime) -> dict[int, list[Period]]:
    """The same for many services at once."""
    prefetch_related_objects(listings, *kind_of(listings[0]).prefetched)
    terms = {listing.pk: terms_of(listing) for listing in listings}
    longest = max(timing.step for timing in terms.values())
    ahead = window.clip(Period(now, now + HORIZON + longest))
    if ahead is None:
        return {listing.pk: [] for listing in listings}
    busy = busy_by_listing(list(terms), Period(ahead.start, ahead.end + longest), now=now)
    found: dict[int, list[Period]] = {}
    for pk, timing in terms.items():
        own = ahead.clip(Period(now, now + HORIZON + timing.step))
        found[pk] = rules.free_slots(timing, own, busy[pk], now=now) if own else []
    return found


class SomeSlot(Func):
    """Whether a condition holds for some slot: of its arguments the last is the condition, the rest the function's.

    In the condition SLOT_START and SLOT_END stand for the slot.
    """

    function = "service_slots"
    template = "EXISTS (SELECT 1 FROM %(function)s(%(arguments)s) AS slot WHERE %(condition)s)"
    output_field = BooleanField()
    conditional = True

    def as_sql(  # type: ignore[override]  # of a Func's many options none has a meaning here
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, list[Any]]:
        *arguments, condition = [compiler.compile(source) for source in self.get_source_expressions()]
        sql = self.template % {
            "function": self.function,
            "arguments": ", ".join(argument for argument, _ in arguments),
            "condition": condition[0],
        }
        return sql, [value for _, values in (*arguments, condition) for value in values]


SLOT_START = Func(template="slot.starts_at", output_field=DateTimeField())
SLOT_END = Func(template="slot.frees_at", output_field=DateTimeField())


def some_slot_is_free(window: Period, *, now: datetime) -> SomeSlot:
    """A condition on a listing queryset: some appointment inside the window could be booked at `now`.

    The window must not begin before what can be booked at `now`.
    """
    return SomeSlot(
        F("pk"),
        F("time_zone"),
        Value(window.start, output_field=DateTimeField()),
        Value(window.end, output_field=DateTimeField()),
        Value(now + HORIZON, output_field=DateTimeField()),
        unit_is_free(SLOT_START, SLOT_END, now=now),
    )
