"""Time passes: guests are reminded of what is about to begin, and of a place they are about to have to leave."""

from datetime import datetime, timedelta

from django.db.models import DateTimeField, Exists, F, Func, Max, OuterRef, Q, QuerySet
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from apps.bookings.models import Booking
from apps.bookings.states import BookingEventType, BookingStatus
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


def _last_news(booking: Booking) -> datetime:
    """When the guest was last mailed of the time of the booking."""
    news = booking.history.filter(type__in=(BookingEventType.CONFIRMED, BookingEventType.CHANGED))
    return news.aggregate(last=Max("at"))["last"] or booking.created_at


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
    for rows, bound, before in ((starts, "start", BEFORE_START), (ends, "end", BEFORE_END)):
        for booking in rows[:BATCH]:
            due = getattr(booking.span, bound)
            Reminder.objects.create(booking=booking, moment=due, created_at=now)
            remind(booking, is_fresh=_last_news(booking) > due - before, now=now)
            count += 1
    return count


def remind_due(*, now: datetime) -> int:
    """The sweep: a day before the start, or ten minutes before the end of what one leaves when one likes.

    Each guest once, and again where the booking was moved since. Whoever was mailed of the booking's time within that day, or
    those minutes, finds the reminder in their account and gets no second mail. Safe with many workers; returns how many.
    """
    total = 0
    while count := _remind_some(now=now):
        total += count
    return total
