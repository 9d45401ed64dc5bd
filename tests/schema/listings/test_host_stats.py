"""What a host is told of how their listings did."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.payments.models import Bill
from apps.reviews.models import Review
from tests.recipes import make_event, make_guest, make_host, make_parking_spot, make_property, make_service
from tests.schema.listings.api import ask, top_code

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
OLD = datetime(2026, 1, 1, tzinfo=UTC)
STATS = """query($from: Date!, $to: Date!) { me { hostStats(from: $from, to: $to) {
    bookings canceled occupancy averageRating revenue { amountMinor currency } } } }"""
NOTHING: dict[str, Any] = {"bookings": 0, "canceled": 0, "occupancy": 0.0, "averageRating": None, "revenue": []}


def stats(host: Any, first: str = "2026-12-01", end: str = "2026-12-11") -> Any:
    body = ask(STATS, {"from": first, "to": end}, viewer=host)
    assert "errors" not in body, body
    return body["data"]["me"]["hostStats"]


def book(listing: Listing, status: str, *, captured: int = 0, refunded: int = 0, **asked: Any) -> Booking:
    booking = hold(
        kind_code=listing.kind, listing_id=listing.pk, listing_field="id", request=BookingRequest(**asked),
        guest=make_guest(), now=NOW,
    )  # fmt: skip
    expires_at = booking.expires_at if status == "PENDING" else None
    Booking.objects.filter(pk=booking.pk).update(status=status, expires_at=expires_at)
    Bill.objects.filter(pk=booking.bill_id).update(captured_minor=captured, refunded_minor=refunded)
    return booking


def day(number: int) -> date:
    return date(2026, 12, number)


def test_what_begins_in_the_window_is_counted_and_earns() -> None:
    host = make_host()
    home = make_property(host=host, units=5, created_at=OLD, time_zone="UTC")
    yen = make_event(host=host, currency="JPY", starts_at=datetime(2026, 12, 5, 18, tzinfo=UTC), created_at=OLD)
    book(home, "CONFIRMED", captured=20_000, check_in=day(1), check_out=day(3), guests=1)
    book(home, "COMPLETED", captured=10_000, refunded=4_000, check_in=day(10), check_out=day(11), guests=1)
    book(home, "CANCELED", captured=10_000, refunded=5_000, check_in=day(4), check_out=day(5), guests=1)
    book(home, "PENDING", check_in=day(4), check_out=day(5), guests=1)
    book(home, "EXPIRED", check_in=day(4), check_out=day(5), guests=1)
    book(home, "CONFIRMED", captured=99, check_in=day(11), check_out=day(12), guests=1)
    book(yen, "NO_SHOW", captured=700, tickets=2)
    book(make_property(), "CONFIRMED", captured=1, check_in=day(1), check_out=day(3), guests=1)
    found = stats(host)
    assert (found["bookings"], found["canceled"]) == (3, 1)
    assert found["revenue"] == [
        {"amountMinor": 31_000, "currency": "EUR"},
        {"amountMinor": 700, "currency": "JPY"},
    ]
    # 44 hours of the first stay; 9 hours of the last night before the window ends; of five units for ten days.
    assert found["occupancy"] == pytest.approx((44 + 9) / (5 * 240))


def test_occupancy_is_of_time_that_was_offered() -> None:
    host = make_host()
    hours = [(weekday, time(9), time(17)) for weekday in range(1, 8)]
    service = make_service(host=host, staff=2, hours=hours, time_zone="UTC", created_at=OLD)
    book(service, "COMPLETED", starts_at=datetime(2026, 12, 2, 9, tzinfo=UTC))
    assert stats(host)["occupancy"] == pytest.approx(1 / (10 * 8 * 2))
    spot = make_parking_spot(host=host, created_at=datetime(2026, 12, 10, tzinfo=UTC))
    book(spot, "CONFIRMED", starts_at=datetime(2026, 12, 10, tzinfo=UTC), minutes=120)
    assert stats(host)["occupancy"] == pytest.approx((1 + 2) / (160 + 24))
    make_property(host=host, status="DRAFT", created_at=OLD)
    make_event(host=host, created_at=OLD)
    assert stats(host)["occupancy"] == pytest.approx(3 / 184)


def test_the_ratings_of_the_window_are_averaged() -> None:
    home = make_property()
    for rating, at, fields in (
        (5, NOW, {}),
        (4, NOW, {}),
        (4, NOW, {}),
        (1, NOW - timedelta(days=30), {}),
        (1, NOW, {"hidden_at": NOW}),
        (1, NOW, {"source": "data", "external_id": "1"}),
    ):
        Review.objects.create(
            listing=home, author=make_guest(), rating=rating, comment="x", created_at=at, updated_at=at, **fields
        )
    assert stats(home.host, "2026-11-21", "2026-11-22")["averageRating"] == 4.33
    assert stats(home.host, "2026-11-22", "2026-11-23")["averageRating"] is None


def test_without_listings_there_is_nothing() -> None:
    assert stats(make_guest()) == NOTHING
    assert stats(make_host(), "2020-01-01", "2030-01-01") == NOTHING


def test_the_days_must_be_some_and_not_too_many() -> None:
    host = make_host()
    for first, end in (("2026-12-01", "2026-12-01"), ("2026-12-02", "2026-12-01"), ("2010-01-01", "2026-12-01")):
        body = ask(STATS, {"from": first, "to": end}, viewer=host)
        assert top_code(body) == "BAD_USER_INPUT"
