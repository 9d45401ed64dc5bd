"""What parking takes and costs. Pure Python: time is elapsed time, prices are per hour."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from apps.core.errors import Collector, DomainError, Invalid, OutsideRules, Required
from apps.core.money import Money, quantize
from apps.core.periods import Period
from apps.listings.offers import BookingRequest, Line, Occupancy, check_start

HOURS = "Hours"
MINUTE = timedelta(minutes=1)
# What a line's quantity can hold; the amount is reckoned from the minutes.
HOUR_DIGITS = 4


def minutes_started(length: timedelta) -> int:
    """Every minute that began counts, and at least one."""
    return max(1, -(-length // MINUTE))


def fee(*, minutes: int, price: Money) -> Money:
    """`minutes` at `price` an hour, rounded once, half up."""
    return price.times(Fraction(minutes, 60))


def hour_lines(*, length: timedelta, price: Money) -> list[Line]:
    """One line: the hours of the started minutes. The same at booking and, for the time used, at the end."""
    minutes = minutes_started(length)
    hours = quantize(Decimal(minutes) / 60, digits=HOUR_DIGITS)
    return [Line(HOURS, hours, price, fee(minutes=minutes, price=price))]


@dataclass(frozen=True, slots=True)
class ParkingTerms:
    """The longest time from the start on."""

    max_minutes: int


def check_length(request: BookingRequest) -> None:
    """Raises InputErrors for a length that would be wrong at every spot."""
    problems = Collector()
    if request.minutes is not None and request.ends_at is not None:
        problems.add(Invalid("Give the minutes or the end, not both.", field="ends_at"))
    elif request.minutes is None and request.ends_at is None:
        problems.add(Required("The end is needed.", field="ends_at"))
    elif request.minutes is not None and request.minutes < 1:
        problems.add(Invalid("A car is parked for at least one minute.", field="minutes"))
    problems.raise_if_any()


def parking_time(
    terms: ParkingTerms, request: BookingRequest, *, now: datetime, present: Occupancy | None = None
) -> Occupancy:
    """The place of a car: from `starts_at`, or from now, for `minutes` or until `ends_at`; nothing is rounded.

    Raises InputErrors. A car that is parked already keeps its start; what lies within the time that was booked is never
    too long.
    """
    starts_at = now if request.starts_at is None else request.starts_at
    minutes, ends_at = request.minutes, request.ends_at
    check_length(request)
    problems = Collector()
    if ends_at is not None and ends_at - starts_at < MINUTE:
        problems.add(_too_short(ends_at, now=now, present=present))
    problems.raise_if_any()

    has_begun = present is not None and present.period.start <= now
    if present is None or starts_at != present.period.start:
        with problems.caught():
            if has_begun:
                raise OutsideRules("The car is parked already.", field="starts_at")
            check_start(starts_at, now=now, field="starts_at")
            starts_at = max(starts_at, now)
    longest = timedelta(minutes=terms.max_minutes)
    if minutes is not None:
        if minutes > terms.max_minutes:
            problems.add(OutsideRules(f"At most {terms.max_minutes} minutes can be booked.", field="minutes"))
    elif ends_at is not None and ends_at - starts_at > longest and not _lies_within(starts_at, ends_at, present):
        field = _moved(ends_at, present=present)
        # Of a start that is wrong by itself nothing more is told.
        if field == "ends_at" or not problems.errors:
            problems.add(OutsideRules(f"At most {terms.max_minutes} minutes can be booked.", field=field))
    elif ends_at is not None and ends_at <= now:
        problems.add(OutsideRules("The end is in the past.", field="ends_at"))
    problems.raise_if_any()
    end = ends_at if minutes is None else starts_at + timedelta(minutes=minutes)
    assert end is not None
    period = Period(starts_at.astimezone(UTC), end.astimezone(UTC))
    return Occupancy(period=period, occupied=period)


def _lies_within(starts_at: datetime, ends_at: datetime, present: Occupancy | None) -> bool:
    return present is not None and present.period.start <= starts_at and ends_at <= present.period.end


def _moved(ends_at: datetime, *, present: Occupancy | None) -> str:
    """Which end of the time a change moves: where its end is as it was, it can only be the start."""
    return "starts_at" if present is not None and ends_at == present.period.end else "ends_at"


def _too_short(ends_at: datetime, *, now: datetime, present: Occupancy | None) -> DomainError:
    # For a car that is parked already an end before its start is first of all one in the past.
    if present is not None and present.period.start <= now and ends_at <= now:
        return OutsideRules("The end is in the past.", field="ends_at")
    return Invalid("A car is parked for at least one minute.", field=_moved(ends_at, present=present))


def last_moment(*, max_minutes: int, latest_start: datetime) -> datetime:
    """After this no car that starts until `latest_start` is parked."""
    return latest_start + timedelta(minutes=max_minutes)
