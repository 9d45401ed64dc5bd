"""The host moves what people have booked: a listing that takes place once takes place at another time."""

from collections.abc import Iterable
from datetime import datetime

from psycopg2.extras import DateTimeTZRange

from apps.availability.actions import tell_listeners
from apps.availability.models import Allocation
from apps.bookings.announcing import announce_event
from apps.bookings.models import Booking, BookingEvent
from apps.bookings.states import LIVE, Actor, BookingEventType
from apps.bookings.telling import FAR, tell_of_move
from apps.core.db import require_transaction
from apps.core.families import AVAILABILITY
from apps.core.periods import Period
from apps.core.versions import of_its_listing


@of_its_listing(AVAILABILITY)
def move_along(*, listing_id: int, period: Period, actor: Actor, now: datetime) -> list[int]:
    """Move the live bookings of the listing, and their places, to `period`; each gets a CHANGED event that says so.

    A step of the host's change: the caller has locked the listing, so that no booking comes in between. Returns the
    bookings that moved.
    """
    require_transaction()
    moved = [
        booking
        for booking in Booking.objects.select_for_update(of=("self",))
        .select_related("listing__host", "guest", "bill")
        .filter(listing=listing_id, status__in=LIVE)
        .order_by("pk")
        if booking.span != period
    ]
    span = DateTimeTZRange(period.start, period.end)
    ids = [booking.pk for booking in moved]
    Booking.objects.filter(pk__in=ids).update(period=span, updated_at=now)
    Allocation.objects.filter(pk__in=[booking.allocation_id for booking in moved], is_active=True).update(period=span)
    events = BookingEvent.objects.bulk_create(
        BookingEvent(
            booking=booking, at=now, type=BookingEventType.CHANGED, actor=actor, data=_story(booking.span, period)
        )
        for booking in moved
    )
    for booking in moved:
        booking.period = span
    tell_of_move(list(zip(moved, events, strict=True)))
    for booking, event in zip(moved, events, strict=True):
        announce_event(booking, event)
    for booking in moved:
        booking.tell_listeners()
    tell_listeners(listing_id, period)
    return ids


def _story(old: Period, new: Period) -> dict[str, str]:
    return {
        "startsAt": new.start.isoformat(),
        "endsAt": new.end.isoformat(),
        "previousStartsAt": old.start.isoformat(),
        "previousEndsAt": old.end.isoformat(),
    }


def was_moved_far(booking: Booking, *, history: Iterable[BookingEvent] | None = None) -> bool:
    """Whether the host moved the start by more than a day, at once or bit by bit, since it was booked.

    `history` spares reading it again.
    """
    told = booking.history.all() if history is None else history
    moves = [event.data for event in told if event.type == BookingEventType.CHANGED]
    starts = [datetime.fromisoformat(data["previousStartsAt"]) for data in moves if "previousStartsAt" in data]
    return any(abs(booking.span.start - start) > FAR for start in starts)
