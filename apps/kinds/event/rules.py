"""What tickets take and cost. Pure Python."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.core.errors import Collector, Invalid, OutsideRules, Required
from apps.core.money import Money
from apps.core.periods import Period
from apps.listings.offers import HORIZON, HORIZON_DAYS, BookingRequest, Line, Occupancy, check_total

TICKETS = "Tickets"


@dataclass(frozen=True, slots=True)
class EventTerms:
    """When it takes place and for how many at most."""

    period: Period
    total_tickets: int


def check_tickets(tickets: int | None) -> int:
    """How many. Raises InputErrors for what would be wrong at every event."""
    problems = Collector()
    if tickets is None:
        problems.add(Required("The number of tickets is needed.", field="tickets"))
    elif tickets < 1:
        problems.add(Invalid("At least one ticket is booked.", field="tickets"))
    problems.raise_if_any()
    assert tickets is not None
    return tickets


def admission(
    terms: EventTerms, request: BookingRequest, *, now: datetime, present: Occupancy | None = None
) -> Occupancy:
    """The place of some tickets: the event's period, and that many of its stock.

    Raises InputErrors; whether as many are left is the ledger's to say.
    """
    problems = Collector()
    tickets = check_tickets(request.tickets)
    if tickets > terms.total_tickets and not (present and present.quantity == tickets):
        problems.add(OutsideRules(f"The event has {terms.total_tickets} tickets in all.", field="tickets"))
    if terms.period.start <= now:
        problems.add(OutsideRules("The event has begun."))
    elif terms.period.start > now + HORIZON:
        problems.add(OutsideRules(f"The event is more than {HORIZON_DAYS} days ahead."))
    problems.raise_if_any()
    return Occupancy(period=terms.period, occupied=terms.period, quantity=tickets)


def ticket_lines(*, tickets: int, price: Money) -> list[Line]:
    """Raises OutsideRules at `tickets` when the total is more than can be counted."""
    lines = [Line(TICKETS, Decimal(tickets), price, price.times(tickets))]
    check_total(lines, currency=price.currency, field="tickets")
    return lines
