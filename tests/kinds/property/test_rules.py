from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.money import Money
from apps.core.periods import Period
from apps.kinds.property.rules import CLEANING_FEE, StayTerms, stay, stay_lines
from apps.listings.offers import BookingRequest, Line, Occupancy, total_of
from tests.kinds.errors import refused

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ZONES = [
    "America/New_York",
    "Europe/London",
    "Pacific/Auckland",
    "Australia/Adelaide",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "UTC",
]


def terms(**changes: Any) -> StayTerms:
    given_terms = {
        "time_zone": "Europe/London",
        "check_in_time": time(15),
        "check_out_time": time(11),
        "min_nights": 2,
        "max_nights": 14,
        "max_guests": 4,
        **changes,
    }
    return StayTerms(**given_terms)


def request(check_in: str | None = "2026-12-01", check_out: str | None = "2026-12-04", **more: Any) -> BookingRequest:
    return BookingRequest(
        check_in=date.fromisoformat(check_in) if check_in else None,
        check_out=date.fromisoformat(check_out) if check_out else None,
        **more,
    )


# One night across each change of the clocks: what lies between 15:00 and 11:00 of the next day.
@pytest.mark.parametrize(
    ("zone", "first_day", "start", "hours"),
    [
        ("America/New_York", "2027-03-13", "2027-03-13T20:00Z", 19),
        ("America/New_York", "2027-11-06", "2027-11-06T19:00Z", 21),
        ("Europe/London", "2027-03-27", "2027-03-27T15:00Z", 19),
        ("Europe/London", "2027-10-30", "2027-10-30T14:00Z", 21),
        ("Pacific/Auckland", "2027-04-03", "2027-04-03T02:00Z", 21),
        ("Pacific/Auckland", "2027-09-25", "2027-09-25T03:00Z", 19),
        ("Australia/Adelaide", "2027-04-03", "2027-04-03T04:30Z", 21),
        ("Australia/Adelaide", "2027-10-02", "2027-10-02T05:30Z", 19),
        ("Australia/Lord_Howe", "2027-04-03", "2027-04-03T04:00Z", 20.5),
        ("Australia/Lord_Howe", "2027-10-02", "2027-10-02T04:30Z", 19.5),
        ("Asia/Kolkata", "2027-03-13", "2027-03-13T09:30Z", 20),
    ],
)
def test_a_night_lasts_as_long_as_the_clocks_of_the_place_say(
    zone: str, first_day: str, start: str, hours: float
) -> None:
    day = date.fromisoformat(first_day)
    asked = BookingRequest(check_in=day, check_out=day + timedelta(days=1))

    place = stay(terms(time_zone=zone, min_nights=1), asked, now=NOW)

    begin = datetime.fromisoformat(start)
    assert place.period == Period(begin, begin + timedelta(hours=hours))
    assert place.occupied == place.period
    assert place.quantity is None


@pytest.mark.parametrize(
    ("zone", "day", "check_in_time", "expected"),
    [
        # 02:30 is skipped: forward by the gap, to 03:30 EDT.
        ("America/New_York", "2027-03-14", time(2, 30), "2027-03-14T07:30Z"),
        # 01:30 comes twice: the first, EDT.
        ("America/New_York", "2027-11-07", time(1, 30), "2027-11-07T05:30Z"),
        # A gap of half an hour, and half an hour twice.
        ("Australia/Lord_Howe", "2027-10-03", time(2, 15), "2027-10-02T15:45Z"),
        ("Australia/Lord_Howe", "2027-04-04", time(1, 45), "2027-04-03T14:45Z"),
    ],
)
def test_check_in_at_a_skipped_or_doubled_time(zone: str, day: str, check_in_time: time, expected: str) -> None:
    first = date.fromisoformat(day)
    asked = BookingRequest(check_in=first, check_out=first + timedelta(days=1))
    house = terms(time_zone=zone, check_in_time=check_in_time, check_out_time=time(1), min_nights=1)
    assert stay(house, asked, now=NOW).period.start == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("asked", "errors"),
    [
        (request(None, None), [("REQUIRED", "check_in"), ("REQUIRED", "check_out")]),
        (request("2026-12-01", None), [("REQUIRED", "check_out")]),
        (request("2026-12-04", "2026-12-04"), [("INVALID", "check_out")]),
        (request("2026-12-04", "2026-12-01", guests=0), [("INVALID", "check_out"), ("INVALID", "guests")]),
        (request(guests=-1), [("INVALID", "guests")]),
        (request(guests=5), [("OUTSIDE_RULES", "guests")]),
        (request("2026-11-20", "2026-11-23"), [("OUTSIDE_RULES", "check_in")]),
        (request("2026-12-01", "2026-12-02"), [("OUTSIDE_RULES", "check_out")]),
        (request("2026-12-01", "2026-12-16"), [("OUTSIDE_RULES", "check_out")]),
        (request("2028-11-21", "2028-11-23"), [("OUTSIDE_RULES", "check_in")]),
        (
            request("2026-11-20", "2026-11-21", guests=9),
            [("OUTSIDE_RULES", "check_in"), ("OUTSIDE_RULES", "check_out"), ("OUTSIDE_RULES", "guests")],
        ),
        (request("0001-01-01", "9999-12-31"), [("OUTSIDE_RULES", "check_in"), ("OUTSIDE_RULES", "check_out")]),
        (request("9999-12-30", "9999-12-31"), [("OUTSIDE_RULES", "check_in"), ("OUTSIDE_RULES", "check_out")]),
        (request(guests=2**31 - 1), [("OUTSIDE_RULES", "guests")]),
    ],
)
def test_what_is_refused(asked: BookingRequest, errors: list[tuple[str, str]]) -> None:
    with refused(*errors):
        stay(terms(), asked, now=NOW)


@pytest.mark.parametrize(
    "asked",
    [
        request("2026-11-21", "2026-11-23"),
        request("2028-11-20", "2028-11-22"),
        request("2026-12-01", "2026-12-15", guests=4),
        request("2026-12-01", "2026-12-03", guests=1),
    ],
)
def test_the_bounds_are_inclusive(asked: BookingRequest) -> None:
    place = stay(terms(), asked, now=NOW)
    assert (place.check_in, place.check_out, place.guests) == (asked.check_in, asked.check_out, asked.guests)


def test_today_is_bookable_until_its_last_minute_where_the_house_is() -> None:
    # Given it is 23:59 of the 21st in Auckland, 10:59 UTC, long after check-in time
    late = datetime(2026, 11, 21, 10, 59, tzinfo=UTC)
    house = terms(time_zone="Pacific/Auckland", min_nights=1)

    assert stay(house, request("2026-11-21", "2026-11-22"), now=late).period.start < late
    with refused(("OUTSIDE_RULES", "check_in")):
        stay(house, request("2026-11-21", "2026-11-22"), now=late + timedelta(minutes=1))


def test_a_change_keeps_what_it_leaves() -> None:
    # Given a stay that has begun, booked when check-in was at 14:00 and five guests were allowed
    begun = Period(datetime(2026, 11, 19, 14, tzinfo=UTC), datetime(2026, 11, 23, 10, tzinfo=UTC))
    present = Occupancy(begun, begun, check_in=date(2026, 11, 19), check_out=date(2026, 11, 23), guests=5)

    longer = stay(terms(), request("2026-11-19", "2026-11-25", guests=5), now=NOW, present=present)
    assert longer.period == Period(begun.start, datetime(2026, 11, 25, 11, tzinfo=UTC))
    assert longer.guests == 5
    fewer = stay(terms(min_nights=9), request("2026-11-19", "2026-11-23", guests=2), now=NOW, present=present)
    assert fewer.period == begun

    with refused(("OUTSIDE_RULES", "check_out")):
        stay(terms(), request("2026-11-19", "2026-11-21", guests=5), now=NOW, present=present)
    with refused(("OUTSIDE_RULES", "check_in")):
        stay(terms(), request("2026-11-18", "2026-11-23", guests=5), now=NOW, present=present)
    with refused(("OUTSIDE_RULES", "guests")):
        stay(terms(), request("2026-11-19", "2026-11-23", guests=6), now=NOW, present=present)


@given(
    st.sampled_from(ZONES),
    st.dates(date(2026, 11, 22), date(2028, 11, 1)),
    st.integers(1, 14),
    st.integers(1, 14),
)
def test_stays_back_to_back_touch_only_with_the_cleaning_gap(zone: str, day: date, first: int, second: int) -> None:
    house = terms(time_zone=zone, min_nights=1)
    middle = day + timedelta(days=first)
    left = stay(house, BookingRequest(check_in=day, check_out=middle), now=NOW)
    right = stay(house, BookingRequest(check_in=middle, check_out=middle + timedelta(days=second)), now=NOW)
    assert not left.occupied.overlaps(right.occupied)
    assert right.period.start - left.period.end == timedelta(hours=4)


def test_lines_are_nights_and_then_the_cleaning_fee() -> None:
    price, fee = Money(12_345, "EUR"), Money(4_000, "EUR")
    lines = stay_lines(nights=3, price=price, cleaning_fee=fee)
    assert [(line.label, line.quantity, line.unit_amount, line.amount) for line in lines] == [
        ("Nights", Decimal(3), price, Money(37_035, "EUR")),
        ("Cleaning fee", Decimal(1), fee, fee),
    ]
    assert total_of(lines, currency="EUR") == Money(41_035, "EUR")
    assert len(stay_lines(nights=3, price=price, cleaning_fee=None)) == 1


def test_a_changed_stay_keeps_the_fee_it_was_booked_with() -> None:
    price, old = Money(100, "EUR"), Money(7, "EUR")
    booked = [Line("Nights", Decimal(1), price, price), Line(CLEANING_FEE, Decimal(1), old, old)]
    lines = stay_lines(nights=2, price=price, cleaning_fee=Money(9_999, "USD"), booked=booked)
    assert [line.amount for line in lines] == [Money(200, "EUR"), old]
    without = stay_lines(nights=2, price=price, cleaning_fee=Money(9_999, "USD"), booked=booked[:1])
    assert [line.amount for line in without] == [Money(200, "EUR")]
