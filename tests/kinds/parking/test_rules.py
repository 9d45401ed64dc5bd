from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.money import Money
from apps.core.periods import Period
from apps.kinds.parking.rules import ParkingTerms, fee, hour_lines, minutes_started, parking_time
from apps.listings.offers import BookingRequest, Occupancy, total_of
from tests.kinds.errors import refused

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
TERMS = ParkingTerms(max_minutes=120)


def after(**delta: float) -> datetime:
    return NOW + timedelta(**delta)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ({"minutes": 30}, NOW, after(minutes=30)),
        ({"minutes": 1}, NOW, after(minutes=1)),
        ({"minutes": 120}, NOW, after(minutes=120)),
        ({"ends_at": after(minutes=45, seconds=7)}, NOW, after(minutes=45, seconds=7)),
        ({"starts_at": after(hours=1), "minutes": 5}, after(hours=1), after(hours=1, minutes=5)),
        ({"starts_at": after(hours=1), "ends_at": after(hours=3)}, after(hours=1), after(hours=3)),
        ({"starts_at": after(days=730), "minutes": 5}, after(days=730), after(days=730, minutes=5)),
        # A client's now, a little old.
        ({"starts_at": after(seconds=-60), "minutes": 10}, NOW, after(minutes=10)),
        ({"starts_at": after(seconds=-60), "ends_at": after(minutes=120)}, NOW, after(minutes=120)),
    ],
)
def test_a_time_is_taken_as_asked(asked: dict[str, Any], start: datetime, end: datetime) -> None:
    place = parking_time(TERMS, BookingRequest(**asked), now=NOW)
    assert place == Occupancy(Period(start, end), Period(start, end))


@pytest.mark.parametrize(
    ("asked", "errors"),
    [
        ({}, [("REQUIRED", "ends_at")]),
        ({"starts_at": after(hours=1)}, [("REQUIRED", "ends_at")]),
        ({"minutes": 0}, [("INVALID", "minutes")]),
        ({"minutes": -1}, [("INVALID", "minutes")]),
        ({"minutes": 5, "ends_at": after(minutes=5)}, [("INVALID", "ends_at")]),
        ({"starts_at": after(hours=1), "ends_at": after(hours=1)}, [("INVALID", "ends_at")]),
        ({"starts_at": after(hours=1), "ends_at": after(hours=1, seconds=59)}, [("INVALID", "ends_at")]),
        ({"starts_at": after(hours=1), "ends_at": datetime.min.replace(tzinfo=UTC)}, [("INVALID", "ends_at")]),
        ({"minutes": 121}, [("OUTSIDE_RULES", "minutes")]),
        ({"minutes": 2**31 - 1}, [("OUTSIDE_RULES", "minutes")]),
        ({"ends_at": after(minutes=120, microseconds=1)}, [("OUTSIDE_RULES", "ends_at")]),
        ({"ends_at": datetime.max.replace(tzinfo=UTC)}, [("OUTSIDE_RULES", "ends_at")]),
        ({"starts_at": after(seconds=-60, microseconds=-1), "minutes": 5}, [("OUTSIDE_RULES", "starts_at")]),
        ({"starts_at": after(days=730, microseconds=1), "minutes": 5}, [("OUTSIDE_RULES", "starts_at")]),
        ({"starts_at": datetime.max.replace(tzinfo=UTC), "minutes": 5}, [("OUTSIDE_RULES", "starts_at")]),
        ({"starts_at": datetime.min.replace(tzinfo=UTC), "minutes": 5}, [("OUTSIDE_RULES", "starts_at")]),
        (
            {"starts_at": after(hours=-5), "minutes": 500},
            [("OUTSIDE_RULES", "starts_at"), ("OUTSIDE_RULES", "minutes")],
        ),
    ],
)
def test_what_is_refused(asked: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    with refused(*errors):
        parking_time(TERMS, BookingRequest(**asked), now=NOW)


def test_changing_the_end_of_a_parked_car() -> None:
    # Given a car parked an hour ago for another half hour
    period = Period(after(hours=-1), after(minutes=30))
    present = Occupancy(period, period)

    def until(end: datetime, start: datetime = period.start) -> Occupancy:
        return parking_time(TERMS, BookingRequest(starts_at=start, ends_at=end), now=NOW, present=present)

    assert until(after(minutes=60)).period == Period(period.start, after(minutes=60))
    assert until(after(seconds=1)).period == Period(period.start, after(seconds=1))
    with refused(("OUTSIDE_RULES", "ends_at")):
        until(after(minutes=60, seconds=1))
    for past in (NOW, after(minutes=-30), after(hours=-2)):
        with refused(("OUTSIDE_RULES", "ends_at")):
            until(past)
    with refused(("OUTSIDE_RULES", "starts_at")):
        until(after(minutes=60), start=after(minutes=10))


def test_moving_the_start_of_a_car_that_is_not_there_yet() -> None:
    # Given the longest time there is, an hour from now on
    period = Period(after(minutes=60), after(minutes=60 + TERMS.max_minutes))
    present = Occupancy(period, period)

    def moved(**change: Any) -> Period:
        asked = BookingRequest(starts_at=period.start, ends_at=period.end).merged_with(BookingRequest(**change))
        return parking_time(TERMS, asked, now=NOW, present=present).period

    assert moved(starts_at=after(minutes=70)) == Period(after(minutes=70), period.end)
    for start in (after(minutes=-2), after(minutes=30), after(minutes=59, seconds=59)):
        with refused(("OUTSIDE_RULES", "starts_at")):
            moved(starts_at=start)
    for start in (period.end, period.end + timedelta(hours=1), period.end - timedelta(seconds=59)):
        with refused(("INVALID", "starts_at")):
            moved(starts_at=start)
    with refused(("OUTSIDE_RULES", "ends_at")):
        moved(ends_at=period.end + timedelta(seconds=1))
    with refused(("INVALID", "ends_at")):
        moved(ends_at=period.start)


def test_what_lies_within_the_booked_time_is_never_too_long() -> None:
    # Given twice the longest time, booked when that was allowed
    longest = timedelta(minutes=TERMS.max_minutes)
    period = Period(after(minutes=60), after(minutes=60) + 2 * longest)
    present = Occupancy(period, period)

    def moved(start: datetime, end: datetime) -> Period:
        return parking_time(TERMS, BookingRequest(starts_at=start, ends_at=end), now=NOW, present=present).period

    shorter = Period(period.start + timedelta(minutes=1), period.end - timedelta(minutes=1))
    assert moved(shorter.start, shorter.end) == shorter
    with refused(("OUTSIDE_RULES", "ends_at")):
        moved(period.start + timedelta(minutes=1), period.end + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [(0, 1), (0.000001, 1), (59.9, 1), (60, 1), (60.000001, 2), (119, 2), (3600, 60), (3601, 61)],
)
def test_minutes_that_began_count(seconds: float, minutes: int) -> None:
    assert minutes_started(timedelta(seconds=seconds)) == minutes


@pytest.mark.parametrize(
    ("minutes", "price", "expected"),
    [(1, 29, 0), (1, 30, 1), (1, 250, 4), (7, 250, 29), (25, 100, 42), (30, 1, 1), (60, 333, 333), (90, 333, 500)],
)
def test_the_fee_is_rounded_once_half_up(minutes: int, price: int, expected: int) -> None:
    assert fee(minutes=minutes, price=Money(price, "EUR")) == Money(expected, "EUR")


@given(st.integers(0, 43_200 * 60), st.integers(0, 10_000_000_000))
def test_the_line_sums_to_the_fee_and_never_falls_with_time(seconds: int, price: int) -> None:
    rate = Money(price, "EUR")
    lines = hour_lines(length=timedelta(seconds=seconds), price=rate)
    total = total_of(lines, currency="EUR")
    assert total == fee(minutes=minutes_started(timedelta(seconds=seconds)), price=rate)
    assert total.minor <= total_of(hour_lines(length=timedelta(seconds=seconds + 1), price=rate), currency="EUR").minor


def test_hours_are_shown_as_a_decimal() -> None:
    (line,) = hour_lines(length=timedelta(minutes=25), price=Money(100, "EUR"))
    assert (line.label, line.quantity, line.amount) == ("Hours", Decimal("0.4167"), Money(42, "EUR"))
    (whole,) = hour_lines(length=timedelta(minutes=90), price=Money(333, "EUR"))
    assert (whole.quantity, whole.amount) == (Decimal("1.5"), Money(500, "EUR"))
