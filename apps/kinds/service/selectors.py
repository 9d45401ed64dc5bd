"""Reads about services: their slots, one by one and as a condition of a search."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import DateTimeRangeField
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, OuterRef, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast
from django.db.models.sql.compiler import SQLCompiler

from apps.availability.calendars import busy_by_listing
from apps.availability.selectors import busy_by_unit, busy_units
from apps.core.periods import Period
from apps.core.reads import INTEGERS, OneOf, Parameter, Read
from apps.core.rows import Row
from apps.kinds.service import rules
from apps.kinds.service.models import OpeningHours, Service
from apps.listings.models import Listing
from apps.listings.offers import HORIZON

LONGEST_BUFFER = timedelta(minutes=1440)


def _opening_hours(*, ids: Parameter) -> QuerySet[OpeningHours]:
    return OpeningHours.objects.filter(OneOf("service_id", ids)).order_by("service", "weekday", "opens_at")


OPENING_HOURS: Read[OpeningHours] = Read(_opening_hours, ids=INTEGERS)
READ = "read_opening_hours"
# What comes with a listing: of each its number, the weekday, and from when to when.
ALONG = "opening_hours_along"
ALONG_PARTS = ("pk", "weekday", "opens_at", "closes_at")


def opening_hours_along() -> ArraySubquery:
    """The opening hours of a service, as an annotation of its listing for `opening_hours_of`."""
    parts = (Cast(part, TextField()) for part in ALONG_PARTS)
    told = Func(Value(" "), *parts, function="concat_ws", output_field=TextField())
    hours = OpeningHours.objects.filter(service=OuterRef("pk")).order_by("weekday", "opens_at")
    return ArraySubquery(hours.values_list(told))


def _come_along(told: Sequence[str]) -> list[OpeningHours]:
    found = []
    for each in told:
        pk, weekday, opens_at, closes_at = each.split(" ")
        found.append(
            OpeningHours(
                pk=int(pk),
                weekday=int(weekday),
                opens_at=time.fromisoformat(opens_at),
                closes_at=time.fromisoformat(closes_at),
            )
        )
    return found


def read_opening_hours(listings: Sequence[Listing]) -> None:
    """Have the opening hours of the services at hand, read with one statement where they are not."""
    lacking = {listing.pk: listing.service for listing in listings if READ not in vars(listing.service)}
    found: dict[int, list[OpeningHours]] = {pk: [] for pk in lacking}
    for hours in OPENING_HOURS.rows(ids=list(lacking)) if lacking else ():
        found[hours.service_id].append(hours)
    for pk, service in lacking.items():
        setattr(service, READ, found[pk])


def opening_hours_of(listing: Listing) -> list[OpeningHours]:
    """When the service is open, from Monday on."""
    service: Service = listing.service
    if isinstance(service, Row):
        read_opening_hours([listing])
    elif READ not in vars(service) and ALONG in vars(listing):
        setattr(service, READ, _come_along(vars(listing)[ALONG]))
    at_hand: list[OpeningHours] | None = vars(service).get(READ)
    return list(service.opening_hours.all()) if at_hand is None else at_hand


def terms_of(listing: Listing) -> rules.ServiceTerms:
    """The service's terms."""
    service: Service = listing.service
    return rules.ServiceTerms(
        time_zone=listing.time_zone,
        duration=timedelta(minutes=service.duration_minutes),
        buffer=timedelta(minutes=service.buffer_minutes),
        openings=tuple(
            rules.Opening(weekday=hours.weekday, opens_at=hours.opens_at, closes_at=hours.closes_at)
            for hours in opening_hours_of(listing)
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
    read_opening_hours(listings)
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
    """Whether some member of staff of a service is free for some slot.

    Its arguments: the members as `busy_units` has them, the window, and what the database's `service_slots` takes. Each
    calendar is read once instead of once a slot, and whoever is taken throughout is out before any slot is made.
    """

    template = """EXISTS (
        SELECT FROM %(members)s AS member CROSS JOIN LATERAL service_slots(%(arguments)s) AS slot
        WHERE (member.busy @> %(window)s) IS NOT TRUE
            AND (member.busy && tstzrange(slot.starts_at, slot.frees_at)) IS NOT TRUE
    )"""
    output_field = BooleanField()
    conditional = True

    def as_sql(  # type: ignore[override]  # of a Func's many options none has a meaning here
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, list[Any]]:
        members, window, *arguments = [compiler.compile(source) for source in self.get_source_expressions()]
        sql = self.template % {
            "members": members[0],
            "window": window[0],
            "arguments": ", ".join(argument for argument, _ in arguments),
        }
        return sql, [value for _, values in (members, *arguments, window) for value in values]


def asked_of_slots(window: Period, *, now: datetime) -> dict[str, datetime]:
    """The moments that `some_slot_is_free` is about, for a window that does not begin before `now`."""
    return {
        "start": window.start,
        "end": window.end,
        # What follows the last appointment of the window must be free too.
        "touched_until": window.end + LONGEST_BUFFER,
        "latest": now + HORIZON,
        "now": now,
    }


def some_slot_is_free(
    *, start: Combinable, end: Combinable, touched_until: Combinable, latest: Combinable, now: Combinable
) -> SomeSlot:
    """A condition on a listing queryset: some appointment in [start, end) could be booked at `now`.

    The other moments are as `asked_of_slots` has them.
    """
    return SomeSlot(
        busy_units(start, touched_until, now=now),
        Func(start, end, function="tstzrange", output_field=DateTimeRangeField()),
        F("pk"),
        F("time_zone"),
        start,
        end,
        latest,
    )
