"""What something would cost and whether it is free, by the same rules and the same predicate as the booking."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from apps.availability.selectors import free_places, tickets_left_of
from apps.core.errors import DomainError, InputErrors, Unavailable
from apps.core.money import Money
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest, Line, Occupancy, total_of


@dataclass(frozen=True, slots=True)
class QuoteResult:
    """`total` is None, and there are no lines, where the request cannot be priced; the one error says why."""

    lines: list[Line] = field(default_factory=list)
    total: Money | None = None
    is_available: bool = False
    errors: list[DomainError] = field(default_factory=list)


Asked = tuple[Listing, BookingRequest]


def quote(*, listing: Listing, request: BookingRequest, now: datetime) -> QuoteResult:
    """Never raises for what was asked: an error is part of the answer."""
    return quote_all(asked=[(listing, request)], now=now)[listing, request]


def quote_all(*, asked: Iterable[Asked], now: datetime) -> dict[Asked, QuoteResult]:
    """The same for many at once, with as many statements as for one of each kind."""
    asked = list(asked)
    _prefetch([listing for listing, _ in asked])
    results: dict[Asked, QuoteResult] = {}
    priced: dict[Asked, tuple[Occupancy, list[Line]]] = {}
    for each in asked:
        planned = _plan(*each, now=now)
        if isinstance(planned, DomainError):
            results[each] = QuoteResult(errors=[planned])
        else:
            priced[each] = planned
    left = tickets_left_of([listing.pk for (listing, _), (plan, _) in priced.items() if plan.quantity], now=now)
    places = {(listing.pk, plan.occupied) for (listing, _), (plan, _) in priced.items() if plan.quantity is None}
    free = free_places(places, now=now)
    for (listing, request), (plan, lines) in priced.items():
        in_time = (listing.pk, plan.occupied) in free
        is_available = in_time if plan.quantity is None else left.get(listing.pk, 0) >= plan.quantity
        taken = Unavailable("Fewer tickets are left." if plan.quantity else "This period is taken.")
        results[listing, request] = QuoteResult(
            lines=lines,
            total=total_of(lines, currency=listing.currency),
            is_available=is_available,
            errors=[] if is_available else [taken],
        )
    return results


def _prefetch(listings: list[Listing]) -> None:
    """Brings what the kinds read to answer, for all listings of a kind at once."""
    for kind in {kind_of(listing) for listing in listings}:
        kind.prepare([each for each in listings if kind_of(each) is kind])


def _plan(listing: Listing, request: BookingRequest, *, now: datetime) -> tuple[Occupancy, list[Line]] | DomainError:
    """What it would take and cost, or the first thing that is wrong with it."""
    kind = kind_of(listing)
    try:
        kind.check_request(request)
        occupancy = kind.occupancy(listing, request, now=now)
        return occupancy, kind.lines(listing, occupancy, price=listing.price)
    except InputErrors as error:
        return error.errors[0]
    except DomainError as error:
        return error
