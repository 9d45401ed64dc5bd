from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.money import Money
from apps.core.periods import Period, merge
from apps.kinds.service.rules import (
    Opening,
    ServiceTerms,
    appointment,
    appointment_lines,
    free_slots,
    grid,
    opened,
    overlapping,
)
from apps.listings.offers import BookingRequest, Occupancy
from tests.kinds.errors import refused

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)  # a Saturday
FAR = NOW + timedelta(days=730)
EVERY_DAY = range(1, 8)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def terms(
    *,
    zone: str = "UTC",
    duration: int = 60,
    buffer: int = 0,
    hours: tuple[tuple[time, time], ...] = ((time(9), time(17)),),
) -> ServiceTerms:
    return ServiceTerms(
        time_zone=zone,
        duration=minutes(duration),
        buffer=minutes(buffer),
        openings=tuple(Opening(weekday, opens, closes) for weekday in EVERY_DAY for opens, closes in hours),
    )


def whole_day(day: str) -> Period:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=14)
    return Period(start, start + timedelta(hours=52))


def starts(given_terms: ServiceTerms, window: Period) -> list[str]:
    return [f"{slot.start:%d %H:%M}" for slot in grid(given_terms, window, latest_start=FAR)]


def day_of(day: str, **more: Any) -> Period:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return Period(start, start + timedelta(days=1))


def test_the_grid_steps_by_duration_and_buffer_and_ends_before_closing() -> None:
    assert starts(terms(duration=60, buffer=30), day_of("2026-12-01")) == [
        "01 09:00",
        "01 10:30",
        "01 12:00",
        "01 13:30",
        "01 15:00",
    ]
    # 16:00 to 17:00 ends as the service closes; its buffer runs past.
    assert starts(terms(duration=60, buffer=360), day_of("2026-12-01")) == ["01 09:00", "01 16:00"]


def test_a_lunch_break_starts_the_grid_anew() -> None:
    given_terms = terms(duration=45, hours=((time(9), time(10, 40)), (time(13), time(14))))
    assert starts(given_terms, day_of("2026-12-01")) == ["01 09:00", "01 09:45", "01 13:00"]


def test_open_until_midnight_and_around_the_clock() -> None:
    assert starts(terms(hours=((time(22), time(0)),)), day_of("2026-12-01")) == ["01 22:00", "01 23:00"]
    assert len(starts(terms(hours=((time(0), time(0)),)), day_of("2026-12-01"))) == 24


def test_appointments_lie_wholly_inside_the_window() -> None:
    window = Period(datetime(2026, 12, 1, 9, 1, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC))
    assert starts(terms(), window) == ["01 10:00", "01 11:00"]


@pytest.mark.parametrize(
    ("zone", "day", "hours", "expected"),
    [
        # New York: 02:00-03:00 is skipped, two hours of wall time are one of elapsed time.
        ("America/New_York", "2027-03-14", (time(1), time(4)), ["14 06:00", "14 07:00"]),
        # Opening itself is skipped: forward by the gap.
        ("America/New_York", "2027-03-14", (time(2, 30), time(5)), ["14 07:30"]),
        # 01:00-02:00 comes twice: three hours of elapsed time.
        ("America/New_York", "2027-11-07", (time(1), time(3)), ["07 05:00", "07 06:00", "07 07:00"]),
        # Opening is ambiguous: the first.
        ("America/New_York", "2027-11-07", (time(1, 30), time(3)), ["07 05:30", "07 06:30"]),
        ("Europe/London", "2027-03-28", (time(0), time(3)), ["28 00:00", "28 01:00"]),
        ("Europe/London", "2027-10-31", (time(0), time(2)), ["30 23:00", "31 00:00", "31 01:00"]),
        ("Pacific/Auckland", "2027-04-04", (time(1), time(4)), ["03 12:00", "03 13:00", "03 14:00", "03 15:00"]),
        ("Pacific/Auckland", "2027-09-26", (time(1), time(4)), ["25 13:00", "25 14:00"]),
        ("Australia/Adelaide", "2027-10-03", (time(1), time(4)), ["02 15:30", "02 16:30"]),
        ("Australia/Lord_Howe", "2027-10-03", (time(1), time(4)), ["02 14:30", "02 15:30"]),
        ("Australia/Lord_Howe", "2027-04-04", (time(1), time(4)), ["03 14:00", "03 15:00", "03 16:00"]),
        ("Asia/Kolkata", "2027-03-14", (time(9), time(11)), ["14 03:30", "14 04:30"]),
        # What the clocks leave nothing of is closed.
        ("America/New_York", "2027-03-14", (time(2, 15), time(3)), []),
    ],
)
def test_the_grid_counts_elapsed_time(zone: str, day: str, hours: tuple[time, time], expected: list[str]) -> None:
    local_day = date.fromisoformat(day)
    given_terms = ServiceTerms(zone, minutes(60), minutes(0), (Opening(local_day.isoweekday(), hours[0], hours[1]),))
    assert starts(given_terms, whole_day(day)) == expected


@pytest.mark.parametrize(
    ("starts_at", "error"),
    [
        (None, ("REQUIRED", "starts_at")),
        (datetime(2026, 12, 1, 9, 30, tzinfo=UTC), ("OUTSIDE_RULES", "starts_at")),
        (datetime(2026, 12, 1, 9, 0, 0, 1, tzinfo=UTC), ("OUTSIDE_RULES", "starts_at")),
        (datetime(2026, 12, 1, 17, tzinfo=UTC), ("OUTSIDE_RULES", "starts_at")),
        (datetime(2026, 12, 1, 8, tzinfo=UTC), ("OUTSIDE_RULES", "starts_at")),
        (datetime(2026, 11, 21, 11, tzinfo=UTC), ("OUTSIDE_RULES", "starts_at")),
        (datetime(2028, 11, 21, 9, tzinfo=UTC), ("OUTSIDE_RULES", "starts_at")),
        (datetime.min.replace(tzinfo=UTC), ("OUTSIDE_RULES", "starts_at")),
        (datetime.max.replace(tzinfo=UTC), ("OUTSIDE_RULES", "starts_at")),
    ],
)
def test_what_is_refused(starts_at: datetime | None, error: tuple[str, str]) -> None:
    with refused(error):
        appointment(terms(), BookingRequest(starts_at=starts_at), now=NOW)


def test_the_buffer_is_occupied_and_not_part_of_the_period() -> None:
    start = datetime(2026, 12, 1, 15, tzinfo=UTC)
    place = appointment(
        terms(buffer=180, duration=120, hours=((time(10), time(17)),)), BookingRequest(starts_at=start), now=NOW
    )
    assert place == Occupancy(Period(start, start + minutes(120)), Period(start, start + minutes(300)))


def test_a_start_a_minute_ago_still_counts_at_its_own_time() -> None:
    start = NOW - timedelta(seconds=60)
    open_now = terms(hours=((time(11, 59), time(17)),))
    assert appointment(open_now, BookingRequest(starts_at=start), now=NOW).period.start == start
    with refused(("OUTSIDE_RULES", "starts_at")):
        appointment(open_now, BookingRequest(starts_at=start), now=NOW + timedelta(microseconds=1))


def test_a_change_that_leaves_the_time_keeps_the_place() -> None:
    period = Period(NOW - minutes(30), NOW + minutes(30))
    present = Occupancy(period, period)
    assert appointment(terms(), BookingRequest(starts_at=period.start), now=NOW, present=present) == present


def test_free_slots_are_those_that_some_member_can_take_with_the_buffer() -> None:
    window = day_of("2026-12-01")
    at = window.start
    # Given one member with 10:15 to 10:20 taken, and another away until 12:00
    busy = [[Period(at + minutes(615), at + minutes(620))], [Period(at, at + minutes(720))]]
    free = free_slots(terms(duration=60, buffer=30), window, busy, now=NOW)
    # Then 09:00 is lost to its own buffer and 10:30 is free
    assert [f"{slot.start:%H:%M}" for slot in free] == ["10:30", "12:00", "13:30", "15:00"]
    assert free_slots(terms(), window, [], now=NOW) == []


def test_free_slots_are_to_come_and_inside_the_horizon() -> None:
    today = free_slots(terms(), day_of("2026-11-21"), [[]], now=NOW)
    assert [slot.start.hour for slot in today] == [12, 13, 14, 15, 16]
    assert free_slots(terms(), Period(NOW - timedelta(days=9), NOW), [[]], now=NOW) == []
    last = free_slots(terms(), Period(FAR, FAR + timedelta(days=9)), [[]], now=NOW)
    assert [slot.start for slot in last] == [FAR]


def test_what_is_open_is_clipped_and_merged() -> None:
    given_terms = terms(hours=((time(9), time(12)), (time(12), time(14)), (time(22), time(0))))
    start = datetime(2026, 12, 1, 10, tzinfo=UTC)
    assert opened(given_terms, Period(start, start + timedelta(hours=13))) == [
        Period(start, start + timedelta(hours=4)),
        Period(start + timedelta(hours=12), start + timedelta(hours=13)),
    ]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((1, time(9), time(12)), (1, time(12), time(14)), False),
        ((1, time(9), time(12)), (1, time(11, 59), time(14)), True),
        ((1, time(9), time(12)), (2, time(9), time(12)), False),
        ((1, time(22), time(0)), (2, time(0), time(3)), False),
        ((1, time(20), time(0)), (1, time(23), time(0)), True),
        ((1, time(9), time(12)), (1, time(9), time(12)), True),
    ],
)
def test_overlapping_openings(first: tuple[Any, ...], second: tuple[Any, ...], expected: bool) -> None:
    assert overlapping([Opening(*second), Opening(*first)]) is expected


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(["America/New_York", "Europe/London", "Pacific/Auckland", "Australia/Lord_Howe", "UTC"]),
    day=st.sampled_from([date(2027, 3, 14), date(2027, 3, 28), date(2027, 4, 4), date(2027, 10, 3), date(2027, 11, 7)]),
    opens=st.integers(0, 23),
    closes=st.integers(0, 24),
    duration=st.integers(1, 300),
    buffer=st.integers(0, 120),
    busy=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 200)), max_size=5),
)
def test_every_free_slot_is_bookable_and_none_overlap(
    zone: str, day: date, opens: int, closes: int, duration: int, buffer: int, busy: list[tuple[int, int]]
) -> None:
    given_terms = terms(zone=zone, duration=duration, buffer=buffer, hours=((time(opens), time(closes % 24)),))
    window = whole_day(day.isoformat())
    taken = merge(Period(window.start + minutes(at), window.start + minutes(at + length)) for at, length in busy)

    if opens >= closes % 24 != 0:
        assert free_slots(given_terms, window, [taken], now=NOW) == []
        return
    free = free_slots(given_terms, window, [taken], now=NOW)
    places = [appointment(given_terms, BookingRequest(starts_at=slot.start), now=NOW) for slot in free]
    assert [place.period for place in places] == free
    # Within one opening; a buffer may run past closing, into the next one.
    days = [day + timedelta(days=offset) for offset in range(-1, 3)]
    for opening in (on for on in (given_terms.openings[local.weekday()].on(local, zone) for local in days) if on):
        own = [place.occupied for place in places if opening.contains(place.period)]
        assert all(not former.overlaps(latter) for former, latter in pairwise(own))
    assert all(not place.occupied.overlaps(hole) for place in places for hole in taken)


def test_one_line() -> None:
    (line,) = appointment_lines(price=Money(4_500, "EUR"))
    assert (line.label, line.quantity, line.amount) == ("Appointment", Decimal(1), Money(4_500, "EUR"))
