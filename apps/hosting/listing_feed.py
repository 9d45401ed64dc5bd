"""What the feed of a listing says: when it is taken, for the host's calendar program and for other houses. Of guests nothing.

Blocks that were read from other houses are left out: they would come back from there, and neither side would ever forget them.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from apps.availability.models import BLOCK_HOLDER, BY_HOST, Allocation, Block, Stock, Unit
from apps.availability.selectors import taking
from apps.bookings.models import Booking
from apps.bookings.states import LIVE, BookingStatus
from apps.core.periods import Period, merge, subtract
from apps.hosting.addresses import booking_uid, own_uid
from apps.listings.kinds import kind_of, relations
from apps.listings.models import Listing

PRODUCT = "-//Holdfast//Listings//EN"
AHEAD = timedelta(days=1_100)


def feed_of(listing: Listing, *, now: datetime) -> bytes:
    """One event for each live booking and each block of the host that is not over.

    Of several units a booking takes one: it is shown without taking time, and an event says when the last unit is taken.
    What takes place once is one event, with how many tickets are sold.
    """
    listing = Listing.objects.select_related(*relations()).get(pk=listing.pk)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", listing.title)
    events = (
        _occasion(listing, now=now) if kind_of(listing).capacity(listing).stock is not None else _taken(listing, now)
    )
    for event in events:
        calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def _taken(listing: Listing, now: datetime) -> Iterator[Event]:
    has_many = Unit.objects.filter(listing=listing, is_offered=True).count() > 1
    window = Period(now, now + AHEAD)
    rows = Booking.objects.filter(listing=listing, status__in=LIVE, period__overlap=(window.start, window.end))
    for booking in rows.order_by("period", "pk"):
        status = "TENTATIVE" if booking.status == BookingStatus.PENDING else "CONFIRMED"
        summary = f"Booked ({booking.reference})"
        uid = booking_uid(booking.reference)
        yield _event(uid, booking.span, summary, status=status, is_busy=not has_many, at=booking.updated_at)
    blocks = list(
        Block.objects.filter(listing=listing, source=BY_HOST, period__overlap=(window.start, window.end)).order_by(
            "period", "pk"
        )
    )
    for block in blocks:
        uid = own_uid(f"block-{block.pk}", listing_id=listing.pk)
        yield _event(uid, _span(block), "Not available", at=block.created_at)
    if has_many:
        closed = [_span(block) for block in blocks]
        for period in subtract(_full(listing, window, now=now), closed):
            uid = own_uid(f"full-{int(period.start.timestamp())}", listing_id=listing.pk)
            yield _event(uid, period, "Fully booked", at=listing.updated_at)


def _span(block: Block) -> Period:
    return Period(block.period.lower, block.period.upper)


def _full(listing: Listing, window: Period, *, now: datetime) -> list[Period]:
    """When every unit is booked."""
    booked: dict[int, list[Period]] = {
        unit: [] for unit in Unit.objects.filter(listing=listing, is_offered=True).values_list("pk", flat=True)
    }
    rows = Allocation.objects.filter(
        taking(now=now), listing=listing, unit__is_offered=True, period__overlap=(window.start, window.end)
    ).exclude(holder=BLOCK_HOLDER)
    for unit, period in rows.values_list("unit", "period"):
        assert unit is not None
        booked[unit].append(Period(period.lower, period.upper))
    free = merge(part for taken in booked.values() for part in subtract([window], taken))
    return subtract([window], free)


def _occasion(listing: Listing, *, now: datetime) -> Iterator[Event]:
    stock = Stock.objects.filter(pk=listing.pk).first()
    sold = f" ({stock.taken} of {stock.capacity} sold)" if stock else ""
    for period in kind_of(listing).offered(listing, Period(now, now + AHEAD), now=now):
        uid = own_uid("occasion", listing_id=listing.pk)
        yield _event(uid, period, f"{listing.title}{sold}", at=listing.updated_at)


def _event(
    uid: str, period: Period, summary: str, *, at: datetime, status: str = "CONFIRMED", is_busy: bool = True
) -> Event:
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", at)
    event.add("dtstart", period.start)
    event.add("dtend", period.end)
    event.add("summary", summary)
    event.add("status", status)
    event.add("transp", "OPAQUE" if is_busy else "TRANSPARENT")
    return event
