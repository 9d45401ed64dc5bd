"""Half-open periods of time in UTC, and the way between instants and the wall clock of a place."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """[start, end): both aware, in UTC. Raises ValueError when empty or naive."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a period is made of aware instants")
        if self.end <= self.start:
            raise ValueError("a period ends after it starts")

    def overlaps(self, other: "Period") -> bool:
        """Back-to-back periods do not overlap."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: "Period") -> bool:
        return self.start <= other.start and other.end <= self.end

    def clip(self, window: "Period") -> "Period | None":
        """The part inside `window`, if any."""
        start, end = max(self.start, window.start), min(self.end, window.end)
        return Period(start, end) if start < end else None

    @property
    def length(self) -> timedelta:
        return self.end - self.start


def merge(periods: Iterable[Period]) -> list[Period]:
    """The union as ordered periods that neither overlap nor touch."""
    merged: list[Period] = []
    for period in sorted(periods):
        if merged and period.start <= merged[-1].end:
            if period.end > merged[-1].end:
                merged[-1] = Period(merged[-1].start, period.end)
        else:
            merged.append(period)
    return merged


def subtract(periods: Iterable[Period], taken: Iterable[Period]) -> list[Period]:
    """What is left of `periods` without `taken`, ordered and merged."""
    left: list[Period] = []
    holes = merge(taken)
    for period in merge(periods):
        start = period.start
        for hole in holes:
            if hole.end <= start:
                continue
            if hole.start >= period.end:
                break
            if hole.start > start:
                left.append(Period(start, hole.start))
            start = max(start, hole.end)
            if start >= period.end:
                break
        if start < period.end:
            left.append(Period(start, period.end))
    return left


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(name for name in available_timezones() if name not in {"localtime", "Factory", "posixrules"})


def is_time_zone(name: str) -> bool:
    """Whether `name` is an IANA zone."""
    return name in _zone_names()


def zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def instant(day: date, clock: time, time_zone: str) -> datetime:
    """The UTC instant of a wall-clock time.

    A time that the clocks skip is moved forward by the gap; of a time that comes twice the first counts.
    """
    local = datetime.combine(day, clock.replace(tzinfo=None, fold=0), tzinfo=ZoneInfo(time_zone))
    return local.astimezone(UTC)


def local_date(moment: datetime, time_zone: str) -> date:
    """The calendar day in the zone at that moment."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
