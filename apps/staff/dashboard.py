"""What the dashboard tells: numbers of the last days, of now and of the days to come.

Each number is one statement that reads at most MOST_READ rows by an index, so that the page costs the same in a table of any
size; where there was more to read the section says so. Nothing is read for those who may not see it. Days are those of UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection

from apps.core.money import Money
from apps.users.models import User

RANGES = (7, 30, 90)
DEFAULT_RANGE = 30
# The newest of what is in the range; at five million bookings that is some weeks.
MOST_READ = 200_000
MOST_UNITS = 100_000
COMING_DAYS = 14
MOST_WAITING = 10_000

BOOKINGS = """
    SELECT (created_at AT TIME ZONE 'UTC')::date AS day, count(*),
        count(*) FILTER (WHERE confirmed_at IS NOT NULL), count(*) FILTER (WHERE status = 'EXPIRED')
    FROM (
        SELECT created_at, confirmed_at, status FROM bookings_booking
        WHERE created_at >= %(start)s AND created_at < %(end)s ORDER BY created_at DESC, id DESC LIMIT %(most)s
    ) AS newest GROUP BY 1
"""
REVENUE = """
    SELECT (paid_at AT TIME ZONE 'UTC')::date AS day, currency, count(*), sum(amount_minor - refunded_minor)
    FROM (
        SELECT paid_at, currency, amount_minor, refunded_minor FROM payments_charge
        WHERE paid_at >= %(start)s AND paid_at < %(end)s ORDER BY paid_at DESC LIMIT %(most)s
    ) AS newest GROUP BY 1, 2
"""
FAILED = """
    SELECT (updated_at AT TIME ZONE 'UTC')::date AS day, failure_code, count(*)
    FROM (
        SELECT updated_at, failure_code FROM payments_charge
        WHERE status = 'FAILED' AND updated_at >= %(start)s AND updated_at < %(end)s
        ORDER BY updated_at DESC LIMIT %(most)s
    ) AS newest GROUP BY 1, 2
"""
# What is sold by the piece takes no unit.
IN_USE = """
    WITH coming AS (
        SELECT allocation.unit_id, booking.period FROM (
            SELECT period, allocation_id FROM bookings_booking
            WHERE status IN ('CONFIRMED', 'CHECKED_IN') AND upper(period) > %(start)s AND lower(period) < %(end)s
            ORDER BY upper(period) LIMIT %(most)s
        ) AS booking JOIN availability_allocation AS allocation ON allocation.id = booking.allocation_id
        WHERE allocation.unit_id IS NOT NULL
    )
    SELECT day::date, count(DISTINCT coming.unit_id), (SELECT count(*) FROM coming)
    FROM generate_series(%(start)s, %(end)s - interval '1 day', interval '1 day') AS day
    LEFT JOIN coming ON coming.period && tstzrange(day, day + interval '1 day') GROUP BY 1
"""
# A table of more units than are counted is so large that what PostgreSQL believes of it is near enough.
UNITS = """
    SELECT CASE WHEN counted.number < %(most)s THEN counted.number ELSE
        greatest(counted.number, (SELECT reltuples::bigint FROM pg_class WHERE oid = 'availability_unit'::regclass)) END
    FROM (
        SELECT count(*) AS number FROM (SELECT 1 FROM availability_unit WHERE is_offered LIMIT %(most)s) AS offered
    ) AS counted
"""
WAITING = """
    SELECT (SELECT count(*) FROM (SELECT 1 FROM core_outboxmessage LIMIT %(most)s) AS waiting),
        coalesce((SELECT greatest(0, extract(epoch FROM %(now)s - created_at)) FROM core_outboxmessage
            ORDER BY id LIMIT 1), 0)
"""
HELD = """
    SELECT count(*) FROM (
        SELECT 1 FROM bookings_booking WHERE status = 'PENDING' AND expires_at > %(now)s LIMIT %(most)s
    ) AS held
"""


@dataclass(frozen=True, slots=True)
class Bookings:
    """Bookings made on each day, by what has become of them; `is_cut` where there were more than were read."""

    days: list[date]
    made: list[int]
    confirmed: list[int]
    expired: list[int]
    held_now: int
    is_cut: bool

    @property
    def expired_share(self) -> float:
        """Of the bookings of these days those whose hold ran out unpaid, 0 to 1."""
        return sum(self.expired) / sum(self.made) if any(self.made) else 0.0


@dataclass(frozen=True, slots=True)
class Revenue:
    """What was paid on each day, less what of it went back since, for each currency; the one with most payments first."""

    days: list[date]
    by_currency: dict[str, list[int]]
    is_cut: bool

    @property
    def totals(self) -> list[Money]:
        return [Money(sum(minors), currency) for currency, minors in self.by_currency.items()]


@dataclass(frozen=True, slots=True)
class FailedCharges:
    """Payments that failed on each day, and why, the most frequent reason first."""

    days: list[date]
    failed: list[int]
    reasons: list[tuple[str, int]]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The share of the offered units that somebody has on each of the coming days, 0 to 1."""

    days: list[date]
    shares: list[float]
    units: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """Jobs that were promised and have not left, MOST_WAITING at most, and for how long the oldest has waited."""

    waiting: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What one member of the staff is shown; None for what they may not see."""

    range_days: int
    bookings: Bookings | None = None
    occupancy: Occupancy | None = None
    revenue: Revenue | None = None
    failed: FailedCharges | None = None
    queue: Queue | None = None
    is_empty: bool = field(default=False)


def range_of(text: str) -> int:
    """The range that a page was asked for, in days; the default for what is none of RANGES."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 4 and int(text) in RANGES else DEFAULT_RANGE


def dashboard_for(*, viewer: User, range_days: int, now: datetime) -> Dashboard:
    """The last `range_days` days, today among them, and the coming ones."""
    today = now.astimezone(UTC).date()
    days = [today - timedelta(days=back) for back in reversed(range(range_days))]
    sees_bookings = viewer.has_perm("bookings.view_booking")
    shown = Dashboard(
        range_days=range_days,
        bookings=_bookings(days, now=now) if sees_bookings else None,
        occupancy=_occupancy(today) if sees_bookings or viewer.has_perm("availability.view_allocation") else None,
        revenue=_revenue(days) if viewer.has_perm("staff.see_revenue") else None,
        failed=_failed(days) if viewer.has_perm("payments.view_charge") else None,
        queue=_queue(now=now) if viewer.has_perm("core.view_outboxmessage") else None,
    )
    parts = (shown.bookings, shown.occupancy, shown.revenue, shown.failed, shown.queue)
    return Dashboard(range_days=range_days, is_empty=True) if not any(parts) else shown


def _bookings(days: list[date], *, now: datetime) -> Bookings:
    rows = {day: numbers for day, *numbers in _rows(BOOKINGS, **_window(days))}
    made, confirmed, expired = ([rows.get(day, (0, 0, 0))[at] for day in days] for at in range(3))
    ((held_now,),) = _rows(HELD, now=now, most=MOST_WAITING)
    return Bookings(days, made, confirmed, expired, held_now, is_cut=sum(made) >= MOST_READ)


def _revenue(days: list[date]) -> Revenue:
    rows = _rows(REVENUE, **_window(days))
    often: dict[str, int] = {}
    for _, currency, times, _ in rows:
        often[currency] = often.get(currency, 0) + times
    minors = {(currency, day): int(minor) for day, currency, _, minor in rows}
    by_currency = {
        currency: [minors.get((currency, day), 0) for day in days]
        for currency in sorted(often, key=lambda each: (-often[each], each))
    }
    return Revenue(days, by_currency, is_cut=sum(often.values()) >= MOST_READ)


def _failed(days: list[date]) -> FailedCharges:
    by_day = dict.fromkeys(days, 0)
    by_reason: dict[str, int] = {}
    for day, reason, times in _rows(FAILED, **_window(days)):
        by_day[day] += times
        by_reason[reason or "unknown"] = by_reason.get(reason or "unknown", 0) + times
    reasons = sorted(by_reason.items(), key=lambda each: (-each[1], each[0]))
    return FailedCharges(days, list(by_day.values()), reasons[:5], is_cut=sum(by_day.values()) >= MOST_READ)


def _occupancy(today: date) -> Occupancy:
    days = [today + timedelta(days=ahead) for ahead in range(COMING_DAYS)]
    rows = _rows(IN_USE, **_window(days))
    used = {day: number for day, number, _ in rows}
    ((units,),) = _rows(UNITS, most=MOST_UNITS)
    # Units that are offered no longer may still be used.
    shares = [min(1.0, used.get(day, 0) / units) if units else 0.0 for day in days]
    return Occupancy(days, shares, int(units), is_cut=any(read >= MOST_READ for _, _, read in rows))


def _queue(*, now: datetime) -> Queue:
    ((waiting, oldest),) = _rows(WAITING, most=MOST_WAITING, now=now)
    return Queue(waiting, float(oldest))


def _window(days: list[date]) -> dict[str, Any]:
    start = datetime.combine(days[0], time(0), UTC)
    return {"start": start, "end": start + timedelta(days=len(days)), "most": MOST_READ}


def _rows(statement: str, **values: Any) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return rows
