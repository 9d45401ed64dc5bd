from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apps.core.errors import OutsideRules
from apps.core.money import Money
from apps.core.periods import Period
from apps.kinds.event.rules import EventTerms, admission, ticket_lines
from apps.listings.offers import BookingRequest, Occupancy
from tests.kinds.errors import refused

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def terms(start: datetime = NOW + HOUR, total_tickets: int = 100) -> EventTerms:
    return EventTerms(Period(start, start + 2 * HOUR), total_tickets)


@pytest.mark.parametrize("tickets", [1, 100])
def test_tickets_take_stock_for_the_events_period(tickets: int) -> None:
    place = admission(terms(), BookingRequest(tickets=tickets), now=NOW)
    assert place == Occupancy(terms().period, terms().period, quantity=tickets)


@pytest.mark.parametrize(
    ("tickets", "error"),
    [
        (None, ("REQUIRED", "tickets")),
        (0, ("INVALID", "tickets")),
        (-5, ("INVALID", "tickets")),
        (101, ("OUTSIDE_RULES", "tickets")),
        (2**31 - 1, ("OUTSIDE_RULES", "tickets")),
    ],
)
def test_wrong_numbers_of_tickets(tickets: int | None, error: tuple[str, str]) -> None:
    with refused(error):
        admission(terms(), BookingRequest(tickets=tickets), now=NOW)


@pytest.mark.parametrize(
    "start", [NOW, NOW - HOUR, NOW + timedelta(days=730, microseconds=1), datetime(9999, 12, 1, tzinfo=UTC)]
)
def test_only_before_it_begins_and_inside_the_horizon(start: datetime) -> None:
    with refused(("OUTSIDE_RULES", "")):
        admission(terms(start), BookingRequest(tickets=1), now=NOW)


def test_the_last_and_the_furthest_moment() -> None:
    assert admission(terms(NOW + timedelta(microseconds=1)), BookingRequest(tickets=1), now=NOW).quantity == 1
    assert admission(terms(NOW + timedelta(days=730)), BookingRequest(tickets=1), now=NOW).quantity == 1


def test_lines_and_the_largest_total() -> None:
    price = Money(1_050, "JPY")
    (line,) = ticket_lines(tickets=3, price=price)
    assert (line.label, line.quantity, line.unit_amount, line.amount) == (
        "Tickets",
        Decimal(3),
        price,
        Money(3_150, "JPY"),
    )
    assert ticket_lines(tickets=900_719, price=Money(10_000_000_000, "EUR"))
    with pytest.raises(OutsideRules) as caught:
        ticket_lines(tickets=900_720, price=Money(10_000_000_000, "EUR"))
    assert caught.value.field == ("tickets",)
