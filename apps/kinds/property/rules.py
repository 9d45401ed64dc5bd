"""What a stay takes and costs. Pure Python: nights are days of the property's zone, prices are per night."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from apps.core.errors import Collector, Invalid, OutsideRules, Required
from apps.core.money import Money
from apps.core.periods import Period, instant, local_date
from apps.listings.offers import HORIZON_DAYS, BookingRequest, Line, Occupancy

NIGHTS = "Nights"
CLEANING_FEE = "Cleaning fee"


@dataclass(frozen=True, slots=True)
class StayTerms:
    """What a property allows. `check_out_time` is never after `check_in_time`, so that nights lie side by side."""

    time_zone: str
    check_in_time: time
    check_out_time: time
    min_nights: int
    max_nights: int
    max_guests: int


def check_days(check_in: date | None, check_out: date | None, guests: int | None) -> tuple[date, date]:
    """The two days. Raises InputErrors for what would be wrong at every property."""
    problems = Collector()
    if check_in is None:
        problems.add(Required("A stay needs its first day.", field="check_in"))
    if check_out is None:
        problems.add(Required("A stay needs its last day.", field="check_out"))
    if check_in is not None and check_out is not None and check_out <= check_in:
        problems.add(Invalid("A stay ends on a later day than it starts.", field="check_out"))
    if guests is not None and guests < 1:
        problems.add(Invalid("At least one guest stays.", field="guests"))
    problems.raise_if_any()
    assert check_in is not None
    assert check_out is not None
    return check_in, check_out


def stay(terms: StayTerms, request: BookingRequest, *, now: datetime, present: Occupancy | None = None) -> Occupancy:
    """The place of a stay: from check-in time of its first to check-out time of its last day, on the local wall.

    Guests are optional, as in a quote. Raises InputErrors. Of a stay that is changed, days and guests that stay as
    they are keep their instants and are not checked again.
    """
    check_in, check_out = check_days(request.check_in, request.check_out, request.guests)
    same_start = present is not None and present.check_in == check_in
    same_end = present is not None and present.check_out == check_out
    problems = Collector()
    if not same_start:
        today = local_date(now, terms.time_zone)
        if check_in < today:
            problems.add(OutsideRules("The first day is in the past.", field="check_in"))
        elif (check_in - today).days > HORIZON_DAYS:
            problems.add(OutsideRules(f"At most {HORIZON_DAYS} days ahead can be booked.", field="check_in"))
    nights = (check_out - check_in).days
    if not (same_start and same_end):
        if nights < terms.min_nights:
            problems.add(OutsideRules(f"A stay has at least {terms.min_nights} nights.", field="check_out"))
        elif nights > terms.max_nights:
            problems.add(OutsideRules(f"A stay has at most {terms.max_nights} nights.", field="check_out"))
    same_guests = present is not None and present.guests == request.guests
    if request.guests is not None and request.guests > terms.max_guests and not same_guests:
        problems.add(OutsideRules(f"At most {terms.max_guests} guests can stay.", field="guests"))
    problems.raise_if_any()

    start = present.period.start if present and same_start else instant(check_in, terms.check_in_time, terms.time_zone)
    end = present.period.end if present and same_end else instant(check_out, terms.check_out_time, terms.time_zone)
    # Only a stay that has begun can be given a last day in the past.
    if present is not None and not same_end and end <= now:
        problems.add(OutsideRules("The last day is in the past.", field="check_out"))
        problems.raise_if_any()
    period = Period(start, end)
    return Occupancy(period=period, occupied=period, check_in=check_in, check_out=check_out, guests=request.guests)


def stay_lines(*, nights: int, price: Money, cleaning_fee: Money | None, booked: Sequence[Line] = ()) -> list[Line]:
    """Nights, then the cleaning fee where there is one. A stay that is changed keeps the fee it was booked with."""
    lines = [Line(NIGHTS, Decimal(nights), price, price.times(nights))]
    if booked:
        return lines + [line for line in booked if line.label == CLEANING_FEE]
    if cleaning_fee is not None:
        lines.append(Line(CLEANING_FEE, Decimal(1), cleaning_fee, cleaning_fee))
    return lines


def last_moment(*, max_nights: int, now: datetime) -> datetime:
    """After this no stay that can be booked at `now` goes on."""
    return now + timedelta(days=HORIZON_DAYS + max_nights)
