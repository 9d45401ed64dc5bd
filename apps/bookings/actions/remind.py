"""Time passes: guests are reminded of what is about to begin, and of a place they are about to have to leave."""

from datetime import datetime, timedelta

from django.db.models import DateTimeField, Exists, F, Func, OuterRef, Q, QuerySet
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from apps.bookings.models import Booking
from apps.bookings.states import BookingStatus
from apps.bookings.telling import remind
from apps.core.db import unit_of_work
from apps.listings.kinds import all_kinds, relations
from apps.notifications.models import Reminder

BEFORE_START = timedelta(hours=24)
BEFORE_END = timedelta(minutes=10)
BATCH = 100


def _due(bound: str, *, before: timedelta, now: datetime) -> QuerySet[Booking]:
    """Bookings whose `lower` or `upper` bound comes within `before` and of which nobody was reminded yet."""
    moment = Func(F("period"), function=bound, output_field=DateTimeField())
    told = Reminder.objects.filter(booking=OuterRef("pk"), moment=OuterRef("moment"))
    return (
        Booking.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
        .select_related("bill", "guest", "listing", *(f"listing__{name}" for name in relations()))
        .alias(moment=moment)
        .filter(GreaterThan(moment, now), LessThanOrEqual(moment, now + before), ~Exists(told))
        .order_by("pk")
    )


@unit_of_work
def _remind_some(*, now: datetime) -> int:
    leaving = [kind.code for kind in all_kinds() if kind.ends_early]
    starts = _due("lower", before=BEFORE_START, now=now).filter(
        ~Q(listing__kind__in=leaving), status=BookingStatus.CONFIRMED
    )
    ends = _due("upper", before=BEFORE_END, now=now).filter(
        listing__kind__in=leaving, status__in=(BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN)
    )
    count = 0
    for rows, bound in ((starts, "start"), (ends, "end")):
        for booking in rows[:BATCH]:
            Reminder.objects.create(booking=booking, moment=getattr(booking.span, bound), created_at=now)
            remind(booking, now=now)
            count += 1
    return count


def remind_due(*, now: datetime) -> int:
    """The sweep: a day before the start, or ten minutes before the end of what one leaves when one likes.

    Each guest once, and again where the booking was moved since. Safe with many workers; returns how many.
    """
    total = 0
    while count := _remind_some(now=now):
        total += count
    return total
