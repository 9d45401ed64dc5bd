"""What iCal feeds are read as."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import pytest

from apps.core.periods import Period, instant
from apps.hosting.feeds import MOST_EVENTS, BadFeed, read_feed

BERLIN = "Europe/Berlin"
START = datetime(2026, 11, 21, tzinfo=UTC)
WINDOW = Period(START, START + timedelta(days=1_100))


def nights(first: date, end: date) -> Period:
    return Period(instant(first, time(15), BERLIN), instant(end, time(11), BERLIN))


def feed(*events: str) -> bytes:
    bodies = "".join(f"BEGIN:VEVENT\r\n{event.strip()}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{bodies}END:VCALENDAR\r\n".encode()


def read(*events: str) -> list[tuple[str, str]]:
    """The periods, as (start, end) in UTC to the minute."""
    busy = read_feed(feed(*events), time_zone=BERLIN, days=nights, window=WINDOW)
    return [(f"{each.period.start:%y%m%dT%H%M}", f"{each.period.end:%y%m%dT%H%M}") for each in busy]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("UID:a\nDTSTART;VALUE=DATE:20261201\nDTEND;VALUE=DATE:20261203", [("261201T1400", "261203T1000")]),
        ("UID:a\nDTSTART;VALUE=DATE:20261201", [("261201T1400", "261202T1000")]),
        ("UID:a\nDTSTART;VALUE=DATE:20261201\nDTEND;VALUE=DATE:20261201", [("261201T1400", "261202T1000")]),
        ("UID:a\nDTSTART:20261201T120000Z\nDTEND:20261201T130000Z", [("261201T1200", "261201T1300")]),
        ("UID:a\nDTSTART:20261201T120000\nDURATION:PT90M", [("261201T1100", "261201T1230")]),
        (
            "UID:a\nDTSTART;TZID=America/New_York:20261201T120000\nDTEND;TZID=America/New_York:20261201T130000",
            [("261201T1700", "261201T1800")],
        ),
        ("UID:a\nDTSTART:20261201T120000Z\nDTEND:20261201T120000Z", []),
        ("UID:a\nDTSTART:20261201T120000Z\nDTEND:20261201T130000Z\nSTATUS:CANCELLED", []),
        ("UID:a\nDTSTART:20261201T120000Z\nDTEND:20261201T130000Z\nTRANSP:TRANSPARENT", []),
        ("UID:a\nDTSTART:20251201T120000Z\nDTEND:20251201T130000Z", []),
        ("UID:a\nDTSTART:20261120T120000Z\nDTEND:20261122T130000Z", [("261120T1200", "261122T1300")]),
        ("UID:a\nDTSTART:20400101T120000Z\nDTEND:20400102T130000Z", []),
        (
            "UID:a\nDTSTART;TZID=Europe/Berlin:20270326T090000\nDTEND;TZID=Europe/Berlin:20270326T100000\n"
            "RRULE:FREQ=DAILY;COUNT=3",
            # At nine by the wall on both sides of the night in which the clocks change.
            [("270326T0800", "270326T0900"), ("270327T0800", "270327T0900"), ("270328T0700", "270328T0800")],
        ),
        (
            "UID:a\nDTSTART;VALUE=DATE:20261201\nRRULE:FREQ=WEEKLY;UNTIL=20261215\nEXDATE;VALUE=DATE:20261208",
            [("261201T1400", "261202T1000"), ("261215T1400", "261216T1000")],
        ),
        (
            "UID:a\nDTSTART:20261201T120000Z\nDTEND:20261201T130000Z\nRDATE:20261203T120000Z,20261204T120000Z\n"
            "EXDATE:20261204T120000Z",
            [("261201T1200", "261201T1300"), ("261203T1200", "261203T1300")],
        ),
        # The first is one of the series, also where the rule does not meet it: a Tuesday, repeated on Fridays.
        (
            "UID:a\nDTSTART;VALUE=DATE:20261201\nRRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=1",
            [("261201T1400", "261202T1000"), ("261204T1400", "261205T1000")],
        ),
    ],
)
def test_an_event_takes_its_time(event: str, expected: list[tuple[str, str]]) -> None:
    assert read(event) == expected


def test_the_latest_version_of_an_event_counts() -> None:
    old = "UID:a\nSEQUENCE:1\nDTSTART:20261201T120000Z\nDTEND:20261201T130000Z"
    new = "UID:a\nSEQUENCE:2\nDTSTART:20261202T120000Z\nDTEND:20261202T130000Z"
    assert read(old, new) == read(new, old) == [("261202T1200", "261202T1300")]


def test_one_repetition_that_was_moved_is_where_it_was_moved_to() -> None:
    series = "UID:a\nDTSTART:20261201T120000Z\nDTEND:20261201T130000Z\nRRULE:FREQ=DAILY;COUNT=2"
    moved = "UID:a\nRECURRENCE-ID:20261202T120000Z\nDTSTART:20261205T120000Z\nDTEND:20261205T130000Z"
    assert read(series, moved) == [("261201T1200", "261201T1300"), ("261205T1200", "261205T1300")]


ONE = "DTSTART:20261201T120000Z\nDTEND:20261201T130000Z"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Sign in</html>",
        b"\xff\xfe\x00",
        b"BEGIN:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:a\r\nEND:VEVENT\r\n",
        feed("UID:a"),
        feed(f"UID:a\n{ONE}", "UID:b\nDTSTART:yesterday"),
        feed(f"UID:a\n{ONE}\nRRULE:FREQ=SECONDLY"),
        feed("UID:a\nDTSTART:00010101T000000\nDTEND:99991231T235959\nRRULE:FREQ=DAILY"),
        feed(f"UID:a\n{ONE}\nRRULE:FREQ=DAILY", "UID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261202T120000Z\n" + ONE),
        feed("UID:a\nDTSTART:18991201T120000Z\nDTEND:18991201T130000Z\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"),
        feed(f"UID:a\n{ONE}\nRDATE;VALUE=PERIOD:20261203T120000Z/PT3H"),
        feed(*[f"UID:{number}\nDTSTART:20261201T120000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY" for number in range(12)]),
        feed(*[f"UID:{number}\n{ONE}" for number in range(MOST_EVENTS + 1)]),
    ],
)
def test_what_cannot_be_read_as_a_whole_is_no_feed(content: bytes) -> None:
    with pytest.raises(BadFeed):
        read_feed(content, time_zone=BERLIN, days=nights, window=WINDOW)


def test_an_endless_series_ends_with_the_window() -> None:
    series: Sequence[tuple[str, str]] = read(f"UID:a\n{ONE}\nRRULE:FREQ=WEEKLY")
    assert len(series) == (WINDOW.end - datetime(2026, 12, 1, 12, tzinfo=UTC)).days // 7 + 1
