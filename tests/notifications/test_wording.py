"""How instants are written to people."""

from datetime import UTC, datetime, timedelta

from apps.core.periods import Period
from apps.notifications.wording import moment, span


def test_each_day_and_month_has_its_name() -> None:
    first = datetime(2028, 1, 1, 9, 5, tzinfo=UTC)
    for days in range(366):
        instant = first + timedelta(days=days, minutes=7 * days)
        day = f"{instant:%a} {instant.day} {instant:%b %Y}"
        assert moment(instant, "UTC") == f"{day}, {instant:%H:%M} UTC (UTC)"


def test_the_wall_is_the_place_s() -> None:
    instant = datetime(2026, 12, 1, 14, 0, tzinfo=UTC)
    assert moment(instant, "Europe/Berlin") == "Tue 1 Dec 2026, 15:00 CET (Europe/Berlin)"
    # A zone without letters is said as its distance.
    assert moment(instant, "America/Sao_Paulo") == "Tue 1 Dec 2026, 11:00 -03 (America/Sao_Paulo)"


def test_a_day_and_a_zone_are_not_said_twice() -> None:
    start = datetime(2027, 3, 27, 23, 30, tzinfo=UTC)
    over_the_change = Period(start, start + timedelta(hours=2))
    assert span(over_the_change, "Europe/Berlin") == ("Sun 28 Mar 2027, 00:30 to 03:30 CET/CEST (Europe/Berlin)")
    assert span(Period(start, start + timedelta(days=2)), "UTC") == (
        "Sat 27 Mar 2027, 23:30 to Mon 29 Mar 2027, 23:30 UTC (UTC)"
    )
