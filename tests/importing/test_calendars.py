"""Day calendars as blocks."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from psycopg2.extras import DateTimeTZRange

from apps.availability import actions as availability
from apps.availability.models import BLOCK_HOLDER, Allocation, Block
from apps.core.db import unit_of_work
from apps.core.periods import Period
from apps.importing.calendars import folded
from apps.listings.models import Listing
from tests.importing.files import NOW, SUMMARY, run, write_csv

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def home(tmp_path: Path) -> Listing:
    run(write_csv(tmp_path / "stays.csv", SUMMARY), "airbnb-summary")
    return Listing.objects.get()


def calendar(path: Path, days: str, *, first: date = date(2027, 3, 12), listing: str = "1001") -> Path:
    """A calendar with a letter a day."""
    rows = [
        {"listing_id": listing, "date": str(first + timedelta(days=number)), "available": free, "price": "$50.00"}
        for number, free in enumerate(days)
    ]
    return write_csv(path, *rows)


def blocks() -> list[tuple[datetime, datetime]]:
    return [(row.period.lower, row.period.upper) for row in Block.objects.order_by("period")]


def held() -> list[tuple[datetime, datetime]]:
    rows = Allocation.objects.filter(holder=BLOCK_HOLDER, is_active=True).order_by("period")
    return [(row.period.lower, row.period.upper) for row in rows]


def test_days_fold_into_half_open_ranges() -> None:
    days = [date(2027, 1, day) for day in (5, 1, 2, 3, 7)]
    assert folded(days) == [
        (date(2027, 1, 1), date(2027, 1, 4)),
        (date(2027, 1, 5), date(2027, 1, 6)),
        (date(2027, 1, 7), date(2027, 1, 8)),
    ]


def test_taken_days_become_blocks_from_check_in_to_check_out(tmp_path: Path, home: Listing) -> None:
    # The clocks go forward in New York on the night to the 14th.
    done = run(calendar(tmp_path / "calendar.csv", "tffft"), "airbnb-calendar")

    assert (done.summary.read, done.summary.changed, done.summary.refused) == (5, 5, 0)
    expected = [(datetime(2027, 3, 13, 20, tzinfo=UTC), datetime(2027, 3, 16, 15, tzinfo=UTC))]
    assert blocks() == held() == expected
    block = Block.objects.get()
    assert (block.listing, block.source) == (home, "airbnb-calendar")


def test_the_same_calendar_again_writes_nothing(tmp_path: Path, home: Listing) -> None:
    path = calendar(tmp_path / "calendar.csv", "ftfftfft")
    run(path, "airbnb-calendar")
    before = (sorted(Block.objects.values_list("pk")), sorted(Allocation.objects.values_list("pk")))

    done = run(path, "airbnb-calendar")

    assert (done.summary.changed, done.summary.unchanged) == (0, 8)
    assert before == (sorted(Block.objects.values_list("pk")), sorted(Allocation.objects.values_list("pk")))
    assert len(before[0]) == 3


def test_a_newer_calendar_replaces_the_days_it_speaks_of_and_no_others(tmp_path: Path, home: Listing) -> None:
    path = tmp_path / "calendar.csv"
    run(calendar(path, "fffff", first=date(2027, 6, 1)), "airbnb-calendar")
    run(calendar(path, "ttf", first=date(2027, 6, 4)), "airbnb-calendar")

    expected = [
        (datetime(2027, 6, 1, 19, tzinfo=UTC), datetime(2027, 6, 4, 19, tzinfo=UTC)),
        (datetime(2027, 6, 6, 19, tzinfo=UTC), datetime(2027, 6, 7, 15, tzinfo=UTC)),
    ]
    assert blocks() == held() == expected


def test_a_block_of_the_host_stays(tmp_path: Path, home: Listing) -> None:
    period = Period(datetime(2027, 6, 1, tzinfo=UTC), datetime(2027, 6, 20, tzinfo=UTC))
    unit_of_work(availability.block)(home.pk, period, reason="Painting", source="HOST", now=NOW)
    path = tmp_path / "calendar.csv"
    run(calendar(path, "ff", first=date(2027, 6, 19)), "airbnb-calendar")
    assert held() == [(period.start, datetime(2027, 6, 21, 15, tzinfo=UTC))]

    run(calendar(path, "tt", first=date(2027, 6, 19)), "airbnb-calendar")

    assert blocks() == held() == [(period.start, period.end)]


def test_a_booking_stands_and_is_told(tmp_path: Path, home: Listing) -> None:
    booked = Period(datetime(2027, 6, 3, 19, tzinfo=UTC), datetime(2027, 6, 5, 15, tzinfo=UTC))
    Allocation.objects.create(
        listing=home,
        unit=home.exclusive_units.get(),
        period=DateTimeTZRange(booked.start, booked.end),
        holder=7,
        created_at=NOW,
    )
    report = tmp_path / "report.csv"
    path = calendar(tmp_path / "calendar.csv", "ffffffff", first=date(2027, 6, 1))

    done = run(path, "airbnb-calendar", report)

    assert (done.summary.changed, done.summary.refused, done.summary.repaired) == (8, 0, 1)
    assert "4,repaired,a booking stands from 2027-06-03; the block leaves it out" in report.read_text()
    expected = [
        (datetime(2027, 6, 1, 19, tzinfo=UTC), booked.start),
        (booked.end, datetime(2027, 6, 9, 15, tzinfo=UTC)),
    ]
    assert blocks() == held() == expected
    assert Allocation.objects.get(holder=7).is_active
    # The ledger's own step agrees: a later block of the host finds nothing in its way.
    later = Period(datetime(2027, 8, 1, tzinfo=UTC), datetime(2027, 8, 2, tzinfo=UTC))
    unit_of_work(availability.block)(home.pk, later, reason="", source="HOST", now=NOW)
    assert held() == [*expected, (later.start, later.end)]
    # When the booking is gone, the same file closes the gap.
    Allocation.objects.filter(holder=7).update(is_active=False)
    assert run(path, "airbnb-calendar").summary.changed == 8
    assert blocks()[0] == (datetime(2027, 6, 1, 19, tzinfo=UTC), datetime(2027, 6, 9, 15, tzinfo=UTC))


def test_days_that_cannot_be_are_refused_one_by_one(tmp_path: Path, home: Listing) -> None:
    rows = [
        {"listing_id": "1001", "date": "2027-06-01", "available": "f"},
        {"listing_id": "1001", "date": "2027-06-01", "available": "t"},
        {"listing_id": "1001", "date": "2027-06-31", "available": "f"},
        {"listing_id": "1001", "date": "2027-06-02", "available": "?"},
        {"listing_id": "404", "date": "2027-06-02", "available": "f"},
        {"listing_id": "404", "date": "2027-06-03", "available": "f"},
    ]
    done = run(write_csv(tmp_path / "calendar.csv", *rows), "airbnb-calendar")
    assert done.refused == [
        "line 3: refused: 2027-06-01 is on line 2 already",
        "line 4: refused: day is no date: '2027-06-31'",
        "line 5: refused: free is neither yes nor no: '?'",
        "line 6: refused: there is no stay 404",
        "line 7: refused: there is no stay 404",
    ]
    assert (done.summary.read, done.summary.accepted) == (6, 1)
    assert len(blocks()) == 1


def test_days_of_many_listings_may_be_mixed(tmp_path: Path) -> None:
    stays = [{**SUMMARY, "id": str(number)} for number in range(3)]
    run(write_csv(tmp_path / "stays.csv", *stays), "airbnb-summary")
    rows = [
        {"listing_id": str(number), "date": f"2027-06-0{day}", "available": "f"}
        for day in (1, 2)
        for number in range(3)
    ]
    done = run(write_csv(tmp_path / "calendar.csv", *rows), "airbnb-calendar")
    assert done.summary.changed == 6
    expected = (datetime(2027, 6, 1, 19, tzinfo=UTC), datetime(2027, 6, 3, 15, tzinfo=UTC))
    assert blocks() == held() == [expected] * 3
