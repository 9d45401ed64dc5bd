"""The dashboard: its numbers are those of the rows, everybody sees what they may, and it reads little of big tables."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.bookings.models import Booking
from apps.core.models import OutboxMessage
from apps.payments.models import Bill, Charge, ChargeStatus
from apps.staff import dashboard
from apps.staff.charts import drawn
from apps.staff.dashboard import dashboard_for, range_of
from apps.users.models import User
from tests.recipes import make_clerk, make_property, make_staff

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def boss() -> User:
    return make_staff(is_superuser=True)


def booked(unit: Any, *, at: datetime, status: str = "CONFIRMED", start: datetime, nights: int = 1) -> Booking:
    """A booking as the ledgers hold it."""
    period = (start, start + nights * DAY)
    allocation = unit.allocations.create(
        listing=unit.listing,
        period=period,
        holder=Booking.objects.count() + 1,
        created_at=at,
        is_active=status != "EXPIRED",
    )
    return Booking.objects.create(
        status=status, listing=unit.listing, allocation=allocation, period=period, price_minor=1, currency="EUR",
        bill=Bill.objects.create(currency="EUR", total_minor=1, timing="NOW", created_at=at), cancellation_policy="FLEXIBLE",
        created_at=at, confirmed_at=at if status == "CONFIRMED" else None,
        expires_at=at + timedelta(minutes=15) if status == "PENDING" else None,
    )  # fmt: skip


def charged(*, at: datetime, minor: int, currency: str = "EUR", refunded: int = 0, failed: str = "") -> None:
    bill = Bill.objects.create(currency=currency, total_minor=minor, timing="NOW", created_at=at)
    status = ChargeStatus.FAILED if failed else ChargeStatus.SUCCEEDED
    charge = Charge.objects.create(
        bill=bill, timing="NOW", status=status, amount_minor=minor, refunded_minor=refunded, currency=currency,
        payment_method="pm", idempotency_key=f"key-{bill.pk}", failure_code=failed, created_at=at,
        paid_at=None if failed else at,
    )  # fmt: skip
    Charge.objects.filter(pk=charge.pk).update(updated_at=at)


def test_the_numbers_are_those_of_the_rows(boss: User) -> None:
    home = make_property(units=4)
    first, second, *_ = home.exclusive_units.order_by("number")
    far = NOON + 60 * DAY
    booked(first, at=NOON - 8 * DAY, start=far)
    booked(first, at=NOON - 6 * DAY - timedelta(hours=12), start=far + DAY)
    booked(first, at=NOON - 6 * DAY, start=far + 2 * DAY, status="EXPIRED")
    booked(first, at=NOON, start=NOON - timedelta(hours=2), nights=2)
    booked(second, at=NOON, start=NOON + timedelta(hours=2))
    booked(second, at=NOON, start=far, status="PENDING")
    charged(at=NOON, minor=1000)
    charged(at=NOON - DAY, minor=500, refunded=200)
    charged(at=NOON - DAY, minor=700, currency="JPY")
    charged(at=NOON - 9 * DAY, minor=9999)
    charged(at=NOON - 2 * DAY, minor=1, failed="card_declined")
    charged(at=NOON - 2 * DAY, minor=1, failed="card_declined")
    charged(at=NOON, minor=1, failed="expired_card")
    OutboxMessage.objects.all().delete()
    OutboxMessage.objects.create(task="x", created_at=NOON - timedelta(seconds=90))
    OutboxMessage.objects.create(task="x", created_at=NOON)

    shown = dashboard_for(viewer=boss, range_days=7, now=NOON)
    assert shown.bookings is not None
    assert (shown.bookings.days[0], shown.bookings.days[-1]) == ((NOON - 6 * DAY).date(), NOON.date())
    assert shown.bookings.made == [2, 0, 0, 0, 0, 0, 3]
    assert shown.bookings.confirmed == [1, 0, 0, 0, 0, 0, 2]
    assert shown.bookings.expired == [1, 0, 0, 0, 0, 0, 0]
    assert (shown.bookings.held_now, shown.bookings.expired_share) == (1, 0.2)
    assert shown.revenue is not None
    assert shown.revenue.by_currency == {"EUR": [0, 0, 0, 0, 0, 300, 1000], "JPY": [0, 0, 0, 0, 0, 700, 0]}
    assert [str(total) for total in shown.revenue.totals] == ["13.00 EUR", "700 JPY"]
    assert shown.failed is not None
    assert (shown.failed.failed, shown.failed.reasons) == (
        [0, 0, 0, 0, 2, 0, 1],
        [("card_declined", 2), ("expired_card", 1)],
    )
    assert shown.occupancy is not None
    # Both units today; on the second and third day one each: from noon to noon is two days of the calendar.
    assert (shown.occupancy.units, shown.occupancy.shares[:4]) == (4, [0.5, 0.5, 0.25, 0.0])
    assert shown.queue is not None
    assert (shown.queue.waiting, shown.queue.oldest_seconds) == (2, 90)
    assert not any(part.is_cut for part in (shown.bookings, shown.revenue, shown.failed, shown.occupancy))
    titles = {card.title: card.number for card in drawn(shown)["cards"]}
    assert titles["Revenue"] == "13.00 EUR"
    assert titles["Queue lag"] == "90 s"
    yen = next(json.loads(chart.data) for chart in drawn(shown)["charts"] if chart.name == "revenue-JPY")
    assert yen["datasets"][0]["data"][5] == 700.0


def test_reading_stops_early_and_says_so(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "MOST_READ", 2)
    unit = make_property().exclusive_units.get()
    for number in range(3):
        booked(unit, at=NOON - number * DAY, start=NOON + number * DAY)
        charged(at=NOON - number * DAY, minor=100)
    shown = dashboard_for(viewer=boss, range_days=7, now=NOON)
    assert shown.bookings is not None
    assert shown.revenue is not None
    # The newest are what is counted.
    assert (shown.bookings.made[-3:], shown.bookings.is_cut) == ([0, 1, 1], True)
    assert (shown.revenue.by_currency["EUR"][-3:], shown.revenue.is_cut) == ([0, 100, 100], True)
    assert shown.occupancy is not None
    assert shown.occupancy.is_cut


def test_units_beyond_counting_are_estimated(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    make_property(units=3)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE availability_unit")
    monkeypatch.setattr(dashboard, "MOST_UNITS", 2)
    shown = dashboard_for(viewer=boss, range_days=7, now=NOON)
    assert shown.occupancy is not None
    assert shown.occupancy.units == 3


def test_everybody_sees_what_they_may_and_nothing_else_is_read() -> None:
    parts = ("bookings", "occupancy", "revenue", "failed", "queue")
    expected = {
        "support": {"bookings", "occupancy", "failed"},
        "finance": {"bookings", "occupancy", "revenue", "failed"},
        "content": {"occupancy"},
    }
    for role, seen in expected.items():
        clerk = make_clerk(role)
        assert clerk.has_perm("x.y") is False
        with CaptureQueriesContext(connection) as queries:
            shown = dashboard_for(viewer=clerk, range_days=7, now=NOON)
        assert {part for part in parts if getattr(shown, part) is not None} == seen, role
        asked = " ".join(query["sql"] for query in queries)
        assert ("payments_charge" in asked) == ("failed" in seen)
        assert ("paid_at" in asked) == ("revenue" in seen)
        assert len(queries) <= 7
        client = Client()
        client.force_login(clerk)
        page = client.get("/admin/").content.decode()
        assert ("Revenue" in page) == ("revenue" in seen)
    client.force_login(make_staff())
    page = client.get("/admin/").content.decode()
    assert "There are no numbers for you here." in page
    assert "staff-cards" not in page


def test_an_empty_database_has_a_dashboard_too(boss: User) -> None:
    client = Client()
    client.force_login(boss)
    for days in ("", "7", "90", "-1", "30; DROP", "\u0667", "9999999999"):
        answer = client.get("/admin/", {"days": days})
        assert answer.status_code == 200
        assert answer.context["range_days"] == (int(days) if days in {"7", "90"} else 30)
    assert range_of("90") == 90
    numbers = {card.title: card.number for card in answer.context["cards"]}
    assert (numbers["Bookings made"], numbers["Revenue"], numbers["Occupancy today"]) == ("0", "0", "0%")


def test_every_statement_reads_by_an_index_and_no_more_than_its_bound() -> None:
    """Without sorting or scanning a table: what makes it cheap in a table of any size."""
    window: dict[str, Any] = {"start": NOON - 7 * DAY, "end": NOON, "most": 100, "now": NOON}
    wanted = {
        dashboard.BOOKINGS: "booking_newest",
        dashboard.REVENUE: "charge_paid",
        dashboard.FAILED: "charge_failed",
        dashboard.IN_USE: "booking_end",
        dashboard.HELD: "booking_expiry",
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        for statement, index in wanted.items():
            cursor.execute("EXPLAIN " + statement, window)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert f"using {index}" in plan, plan
            assert "Limit" in plan
