"""Why something cannot be booked: every reason that there is, beside the answer that the API gives.

The answer itself is the quote's and the hold's; what is added here are the rows behind it, which only staff may see.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Model, Sum

from apps.availability.models import BLOCK_HOLDER, BY_HOST, Allocation, Block, Stock, Unit
from apps.availability.selectors import free_periods, overlapping, taking, tickets_left_of
from apps.bookings.models import Booking
from apps.bookings.quotes import QuoteResult, quote
from apps.core.errors import DomainError, InputErrors, NotFound
from apps.core.periods import Period
from apps.hosting.models import ImportedCalendar
from apps.listings.kinds import kind_of
from apps.listings.models import Listing, ListingStatus
from apps.listings.offers import BookingRequest, Occupancy

# How much around the period is looked through for what is free, and how much is told of that and of what takes it.
AROUND = timedelta(days=7)
MOST_FREE = 20
MOST_TAKERS = 100


@dataclass(frozen=True, slots=True)
class Taker:
    """What takes something of the period. `row` is the booking, block or calendar that stands behind it."""

    words: str
    start: datetime
    end: datetime
    row: Model | None
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class UnitState:
    """One unit, and what takes it; nothing, where it is free."""

    number: int
    takers: list[Taker]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`answer` is what the API's quote says to somebody who books; the first of `problems` is its error.

    `problems` are all that is wrong, `notes` what else is worth knowing. `units` and `tickets` say who has the place.
    """

    answer: QuoteResult
    problems: list[DomainError]
    occupancy: Occupancy | None = None
    units: list[UnitState] = field(default_factory=list)
    tickets: list[Taker] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    free: list[Period] = field(default_factory=list)


def explain(*, listing: Listing, request: BookingRequest, unit_number: int | None = None, now: datetime) -> Explanation:
    """Why the request cannot be booked at `now`, or that it can; `unit_number` looks at one unit alone besides."""
    # To a stranger what is not published is not there, and what else is wrong with the request is nobody's to know.
    answer = quote(listing=listing, request=request, now=now)
    hidden = unseen(listing)
    broken = rules_broken(listing, request, now=now)
    problems = [*hidden, *broken, *(answer.errors if not broken else [])]
    if hidden:
        answer = QuoteResult(errors=list(hidden))
    occupancy = _occupancy(listing, request, now=now)
    notes = list(_notes(listing))
    if occupancy is None:
        return Explanation(answer, problems, notes=notes, free=_free_around(listing, request, now=now))
    if occupancy.quantity is not None:
        tickets = _ticket_holders(listing, now=now)
        stock = Stock.objects.filter(pk=listing.pk).first()
        left = tickets_left_of([listing.pk], now=now).get(listing.pk, 0)
        if stock is not None:
            notes.append(f"{left} of {stock.capacity} tickets are left, and {occupancy.quantity} are asked for.")
        return Explanation(answer, problems, occupancy, tickets=tickets, notes=notes)
    units = _units(listing, occupancy.occupied, unit_number=unit_number, now=now)
    if occupancy.occupied != occupancy.period:
        buffer = int((occupancy.occupied.end - occupancy.period.end) / timedelta(minutes=1))
        notes.append(f"After it {buffer} minutes are kept free, and have to be free too.")
    free = [] if answer.is_available else _free_around(listing, request, now=now, around=occupancy.period)
    return Explanation(answer, problems, occupancy, units=units, notes=notes, free=free)


def unseen(listing: Listing) -> list[DomainError]:
    """Why nobody but host and staff sees the listing; nothing, where everybody does."""
    if listing.deleted_at is not None:
        return [NotFound("The listing was deleted.", field="listing_id")]
    if listing.status != ListingStatus.PUBLISHED:
        state = "a draft" if listing.status == ListingStatus.DRAFT else "archived"
        return [NotFound(f"The listing is {state}: nobody can book it.", field="listing_id")]
    return []


def rules_broken(listing: Listing, request: BookingRequest, *, now: datetime) -> list[DomainError]:
    """Everything that is wrong with the request by the rules of its kind, in the order in which the API finds it."""
    kind = kind_of(listing)
    try:
        kind.check_request(request)
        kind.lines(listing, kind.occupancy(listing, request, now=now), price=listing.price)
    except InputErrors as error:
        return list(error.errors)
    except DomainError as error:
        return [error]
    return []


def _occupancy(listing: Listing, request: BookingRequest, *, now: datetime) -> Occupancy | None:
    kind = kind_of(listing)
    try:
        kind.check_request(request)
        return kind.occupancy(listing, request, now=now)
    except DomainError:
        return None


def _notes(listing: Listing) -> Iterable[str]:
    host = listing.host
    if not host.is_active or host.deleted_at is not None:
        yield "The host's account is closed: nobody looks after the listing, but what is published can be booked."
    if not Unit.objects.filter(listing=listing, is_offered=True).exists() and not Stock.objects.filter(pk=listing.pk):
        yield "The listing has no unit on offer."


def _units(listing: Listing, place: Period, *, unit_number: int | None, now: datetime) -> list[UnitState]:
    """Each unit with what takes something of the place, by the predicate that the hold uses."""
    units = Unit.objects.filter(listing=listing, is_offered=True).order_by("number")
    if unit_number is not None:
        units = units.filter(number=unit_number)
    taken = overlapping(place.start, place.end, now=now).filter(listing=listing, unit__in=units)
    rows = list(taken.order_by("period", "pk")[:MOST_TAKERS])
    takers = _takers(listing, rows)
    found: dict[int, list[Taker]] = {}
    for row in rows:
        found.setdefault(row.unit_id or 0, []).extend(takers[row.pk])
    return [UnitState(unit.number, found.get(unit.pk, [])) for unit in units]


def _takers(listing: Listing, rows: list[Allocation]) -> dict[int, list[Taker]]:
    bookings = {row.allocation_id: row for row in Booking.objects.filter(allocation__in=rows)}
    blocks: list[Block] = []
    calendars: dict[str, ImportedCalendar] = {}
    if any(row.holder == BLOCK_HOLDER for row in rows):
        first, last = min(row.occupied.start for row in rows), max(row.occupied.end for row in rows)
        blocks = list(Block.objects.filter(listing=listing, period__overlap=(first, last)).order_by("period", "pk"))
        calendars = {row.name: row for row in ImportedCalendar.objects.filter(listing=listing)}
    found: dict[int, list[Taker]] = {}
    for row in rows:
        if row.holder == BLOCK_HOLDER:
            behind = [
                block for block in blocks if Period(block.period.lower, block.period.upper).overlaps(row.occupied)
            ]
            found[row.pk] = [_of_block(block, calendars) for block in behind] or [_of_place(row, "a block")]
        else:
            booking = bookings.get(row.pk)
            found[row.pk] = [_of_place(row, "a booking", booking)]
    return found


def _of_place(row: Allocation, words: str, booking: Booking | None = None) -> Taker:
    if booking is not None:
        words = f"booking {booking.reference}, {booking.status.replace('_', ' ').lower()}"
        if row.held_until is not None:
            words = f"{words}, held until {row.held_until:%Y-%m-%d %H:%M:%S} UTC"
    return Taker(words, row.occupied.start, row.occupied.end, booking or row, row.quantity)


def _of_block(block: Block, calendars: dict[str, ImportedCalendar]) -> Taker:
    said = f": {block.reason}" if block.reason else ""
    calendar = calendars.get(block.source)
    if calendar is not None:
        words = f"the imported calendar “{calendar.name}”{said}"
    elif block.source == BY_HOST:
        words = f"a block of the host{said}"
    else:
        words = f"a block that came with imported data ({block.source}){said}"
    return Taker(words, block.period.lower, block.period.upper, block)


def _ticket_holders(listing: Listing, *, now: datetime) -> list[Taker]:
    """Who has tickets, the most first."""
    rows = list(
        Allocation.objects.filter(taking(now=now), listing=listing, unit=None).order_by("-quantity", "pk")[:MOST_TAKERS]
    )
    bookings = {row.allocation_id: row for row in Booking.objects.filter(allocation__in=rows)}
    total = (
        Allocation.objects.filter(taking(now=now), listing=listing, unit=None).aggregate(n=Sum("quantity"))["n"] or 0
    )
    told = [_of_place(row, "a booking", bookings.get(row.pk)) for row in rows]
    rest = total - sum(row.quantity for row in rows)
    if rest:
        told.append(Taker("further bookings", rows[0].occupied.start, rows[0].occupied.end, None, rest))
    return told


def _free_around(
    listing: Listing, request: BookingRequest, *, now: datetime, around: Period | None = None
) -> list[Period]:
    """When something is free a week before and after."""
    if around is None:
        begins = request.starts_at
        if request.check_in is not None:
            begins = kind_of(listing).days(listing, request.check_in, request.check_in + timedelta(days=1)).start
        if begins is None:
            return []
        around = Period(begins, begins + timedelta(days=1))
    start = max(now, around.start - AROUND)
    end = around.end + AROUND
    return free_periods(listing, Period(start, end), now=now)[:MOST_FREE] if start < end else []
