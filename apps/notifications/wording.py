"""How instants, periods and amounts are written to people."""

from datetime import datetime

from apps.core.money import Money
from apps.core.periods import Period, zone


def amount(money: Money) -> str:
    """With the currency's digits and its code: 1,234.50 EUR, 1,050 JPY, 1.050 KWD."""
    return f"{money.amount:,} {money.currency}"


def moment(instant: datetime, time_zone: str) -> str:
    """On the wall of a place, and which wall: Tue 1 Dec 2026, 15:00 CET (Europe/Berlin)."""
    local = instant.astimezone(zone(time_zone))
    return f"{_day(local)}, {local:%H:%M} {local:%Z} ({time_zone})"


def span(period: Period, time_zone: str) -> str:
    """From when to when on the wall of a place; the day is not said twice."""
    start, end = period.start.astimezone(zone(time_zone)), period.end.astimezone(zone(time_zone))
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{_day(end)}, {end:%H:%M}"
    zones = f"{start:%Z}" if start.tzname() == end.tzname() else f"{start:%Z}/{end:%Z}"
    return f"{_day(start)}, {start:%H:%M} to {until} {zones} ({time_zone})"


def _day(local: datetime) -> str:
    return f"{local:%a} {local.day} {local:%b %Y}"
