"""What an appointment takes and costs, and the grid on which appointments start. Pure Python.

Opening hours are local wall-clock times; from each opening on the grid counts elapsed minutes, so that a night in
which the clocks change has as many slots as it has time.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

from apps.core.errors import Collector, InputErrors, OutsideRules, Required
from apps.core.money import Money
from apps.core.periods import Period, days_between, instant, local_date, merge
from apps.listings.offers import HORIZON, BookingRequest, Line, Occupancy, check_start

APPOINTMENT = "Appointment"
MIDNIGHT = time(0)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Opening:
    """Open on a weekday (ISO: 1 is Monday); closing at 00:00 is the end of that day."""

    weekday: int
    opens_at: time
    closes_at: time

    def on(self, day: date, time_zone: str) -> Period | None:
        """The opening on that day; None where a change of the clocks leaves nothing of it."""
        opens = instant(day, self.opens_at, time_zone)
        closes_on = day + DAY if self.closes_at == MIDNIGHT else day
        closes = instant(closes_on, self.closes_at, time_zone)
        return Period(opens, closes) if opens < closes else None


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """How long an appointment takes, how long nothing follows it, and when the service is open."""

    time_zone: str
    duration: timedelta
    buffer: timedelta
    openings: tuple[Opening, ...]

    @property
    def step(self) -> timedelta:
        return self.duration + self.buffer


def overlapping(openings: Sequence[Opening]) -> bool:
    """Whether two openings of a weekday have time in common; touching is allowed."""
    ordered = sorted(openings, key=lambda opening: (opening.weekday, opening.opens_at))
    return any(
        former.weekday == latter.weekday and (former.closes_at == MIDNIGHT or latter.opens_at < former.closes_at)
        for former, latter in pairwise(ordered)
    )


def opening_periods(terms: ServiceTerms, window: Period) -> Iterator[Period]:
    """The openings that touch the window, in order."""
    # An opening that the clocks push forward may reach into the next day.
    first = local_date(window.start, terms.time_zone) - DAY
    by_weekday: dict[int, list[Opening]] = {}
    for opening in sorted(terms.openings, key=lambda opening: opening.opens_at):
        by_weekday.setdefault(opening.weekday, []).append(opening)
    for day in days_between(first, local_date(window.end, terms.time_zone)):
        for opening in by_weekday.get(day.isoweekday(), ()):
            period = opening.on(day, terms.time_zone)
            if period is not None and period.overlaps(window):
                yield period


def grid(terms: ServiceTerms, window: Period, *, latest_start: datetime) -> Iterator[Period]:
    """Every appointment that lies inside the window, whether free or not, starting at `latest_start` at the latest.

    From each opening on every duration + buffer; it ends before closing, its buffer need not.
    """
    for opening in opening_periods(terms, window):
        skipped = max(0, -((opening.start - window.start) // terms.step))
        start = opening.start + skipped * terms.step
        last = min(min(opening.end, window.end) - terms.duration, latest_start)
        while start <= last:
            yield Period(start, start + terms.duration)
            start += terms.step


def bookable_window(window: Period, *, now: datetime, time_zone: str, longest: timedelta) -> Period | None:
    """The part of the window between the beginning of today and the end of the last appointment in reach."""
    today = instant(local_date(now, time_zone), MIDNIGHT, time_zone)
    return window.clip(Period(today, now + HORIZON + longest))


def free_slots(
    terms: ServiceTerms, window: Period, busy_by_member: Sequence[Sequence[Period]], *, now: datetime
) -> list[Period]:
    """The appointments to come inside the window for which some member of staff is free, buffer included.

    `busy_by_member` holds merged, ordered periods for each member of staff.
    """
    if window.end <= now:
        return []
    ahead = Period(max(window.start, now), window.end).clip(Period(now, now + HORIZON + terms.step))
    if ahead is None:
        return []
    starts = [[period.start for period in busy] for busy in busy_by_member]

    def is_free(member: int, place: Period) -> bool:
        before = bisect_right(starts[member], place.start)
        busy = busy_by_member[member]
        return not any(busy[index].overlaps(place) for index in (before - 1, before) if 0 <= index < len(busy))

    # Two openings may meet in one place where the clocks push the former forward.
    return sorted(
        {
            slot
            for slot in grid(terms, ahead, latest_start=now + HORIZON)
            if any(is_free(member, Period(slot.start, slot.end + terms.buffer)) for member in range(len(starts)))
        }
    )


def check_given(starts_at: datetime | None) -> datetime:
    """The start. Raises InputErrors without one."""
    if starts_at is None:
        raise InputErrors([Required("The start is needed.", field="starts_at")])
    return starts_at


def appointment(
    terms: ServiceTerms, request: BookingRequest, *, now: datetime, present: Occupancy | None = None
) -> Occupancy:
    """The place of the appointment that starts at `starts_at`, with its buffer after it.

    Raises InputErrors. A start up to GRACE ago still counts, at its own time: that is where the grid is.
    """
    problems = Collector()
    starts_at = check_given(request.starts_at)
    if present is not None and present.period.start == starts_at:
        return present
    with problems.caught():
        check_start(starts_at, now=now, field="starts_at")
    problems.raise_if_any()
    period = Period(starts_at.astimezone(UTC), starts_at.astimezone(UTC) + terms.duration)
    if period not in grid(terms, period, latest_start=period.start):
        problems.add(OutsideRules("No appointment starts at this time.", field="starts_at"))
    problems.raise_if_any()
    return Occupancy(period=period, occupied=Period(period.start, period.end + terms.buffer))


def opened(terms: ServiceTerms, window: Period) -> list[Period]:
    """When the service is open inside the window: merged, ordered, clipped."""
    clipped = (period.clip(window) for period in opening_periods(terms, window))
    return merge(period for period in clipped if period)


def appointment_lines(*, price: Money) -> list[Line]:
    """One appointment."""
    return [Line(APPOINTMENT, Decimal(1), price, price)]
