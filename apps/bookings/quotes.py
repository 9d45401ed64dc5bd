"""What something would cost and whether it is free, by the same rules and the same predicate as the booking."""

from dataclasses import dataclass, field
from datetime import datetime

from apps.availability.selectors import is_free
from apps.core.errors import DomainError, InputErrors, Unavailable
from apps.core.money import Money
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest, Line, total_of


@dataclass(frozen=True, slots=True)
class QuoteResult:
    """`total` is None, and there are no lines, where the request cannot be priced; the one error says why."""

    lines: list[Line] = field(default_factory=list)
    total: Money | None = None
    is_available: bool = False
    errors: list[DomainError] = field(default_factory=list)


def quote(*, listing: Listing, request: BookingRequest, now: datetime) -> QuoteResult:
    """Never raises for what was asked: an error is part of the answer."""
    kind = kind_of(listing)
    try:
        kind.check_request(request)
        occupancy = kind.occupancy(listing, request, now=now)
        lines = kind.lines(listing, occupancy, price=listing.price)
    except InputErrors as error:
        return QuoteResult(errors=error.errors[:1])
    except DomainError as error:
        return QuoteResult(errors=[error])
    total = total_of(lines, currency=listing.currency)
    if is_free(listing, occupancy.occupied, quantity=occupancy.quantity, now=now):
        return QuoteResult(lines=lines, total=total, is_available=True)
    taken = Unavailable("Fewer tickets are left." if occupancy.quantity else "This period is taken.")
    return QuoteResult(lines=lines, total=total, errors=[taken])
