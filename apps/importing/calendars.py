"""Day calendars as blocks: nights that a source does not offer, folded into half-open periods."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from apps.core.db import unit_of_work
from apps.core.periods import Period, instant, local_date
from apps.importing.blocking import replace_blocks
from apps.importing.listings import Outcome
from apps.importing.mapping import Mapping
from apps.importing.problems import Refused
from apps.importing.records import Record
from apps.listings.kinds import kind_named
from apps.listings.models import Listing

DAY = timedelta(days=1)


@dataclass(slots=True)
class Calendar:
    """What a file says of one listing: the days it speaks of, by whether they are free."""

    listing: str
    days: dict[date, bool] = field(default_factory=dict)
    lines: dict[date, int] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Raises Refused for a day that was told before."""
        day = record.values["day"]
        if day in self.days:
            raise Refused(f"{day} is on line {self.lines[day]} already")
        self.days[day] = record.values["free"]
        self.lines[day] = record.line


def folded(days: Iterable[date]) -> list[tuple[date, date]]:
    """Runs of consecutive days as half-open ranges: the 1st to the 3rd, all three, is (1st, 4th)."""
    runs: list[tuple[date, date]] = []
    for day in sorted(days):
        if runs and runs[-1][1] == day:
            runs[-1] = (runs[-1][0], day + DAY)
        else:
            runs.append((day, day + DAY))
    return runs


@unit_of_work
def load_calendars(calendars: Sequence[Calendar], *, mapping: Mapping, now: datetime) -> Outcome:
    """Block the nights that are not free, on every unit of each listing, from check-in time to check-out time.

    The days a calendar speaks of are replaced, others stay as they are. A booking stands, and is reported; days of a
    listing that is not there are refused. Counts are of days.
    """
    outcome = Outcome()
    found = {
        listing.external_id: listing
        for listing in Listing.objects.select_related("property").filter(
            source=mapping.source,
            external_id__in=[calendar.listing for calendar in calendars],
            kind=kind_named("PROPERTY").code,
        )
    }
    wanted: dict[int, tuple[list[Period], list[Period]]] = {}
    of_listing: dict[int, Calendar] = {}
    for calendar in calendars:
        listing = found.get(calendar.listing)
        if listing is None:
            outcome.refused += [(line, f"there is no stay {calendar.listing}") for line in calendar.lines.values()]
            continue
        hours = (listing.property.check_in_time, listing.property.check_out_time, listing.time_zone)
        windows = [_window(first, end, hours) for first, end in folded(calendar.days)]
        taken = [day for day, is_free in calendar.days.items() if not is_free]
        wanted[listing.pk] = windows, [_nights(first, end, hours) for first, end in folded(taken)]
        of_listing[listing.pk] = calendar
    changed, standing = replace_blocks(wanted, source=mapping.calendar, reason=mapping.reason, now=now)
    for pk, bookings in standing.items():
        calendar = of_listing[pk]
        zone = next(listing.time_zone for listing in found.values() if listing.pk == pk)
        for booking in bookings:
            day = local_date(booking.start, zone)
            line = calendar.lines.get(day) or min(calendar.lines.values())
            outcome.repaired.append((line, f"a booking stands from {day}; the block leaves it out"))
    for pk, calendar in of_listing.items():
        if pk in changed:
            outcome.changed += len(calendar.days)
        else:
            outcome.unchanged += len(calendar.days)
    return outcome


Hours = tuple[time, time, str]


def _nights(first: date, end: date, hours: Hours) -> Period:
    """The nights from day to day: what a stay of those dates would take."""
    return Period(instant(first, hours[0], hours[2]), instant(end, hours[1], hours[2]))


def _window(first: date, end: date, hours: Hours) -> Period:
    """From check-in to check-in: what days speak of, so that windows of neighbouring days leave no gap."""
    return Period(instant(first, hours[0], hours[2]), instant(end, hours[0], hours[2]))
