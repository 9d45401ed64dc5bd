"""Time passes: holds run out, bookings that nobody touched come to their end."""

from datetime import datetime

from django.db.models import F, Func, QuerySet

from apps.availability.actions import release
from apps.bookings.models import Booking
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core.db import require_transaction, unit_of_work
from apps.core.periods import Period
from apps.payments.actions import cancel_open_charges
from apps.payments.models import PaymentTiming

BATCH = 100


def _dead(now: datetime) -> QuerySet[Booking]:
    # A booking that somebody else is ending right now is theirs: waiting for it could only end in a deadlock.
    return (
        Booking.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("allocation")
        .filter(status=BookingStatus.PENDING, allocation__is_active=True, allocation__held_until__lte=now)
        .order_by("pk")
    )


def expire(booking: Booking, *, now: datetime) -> None:
    """End a hold whose time is over; the caller has locked the booking."""
    require_transaction()
    booking.move_to(BookingStatus.EXPIRED, now=now, actor=Actor.SYSTEM)
    release(booking.allocation_id)
    cancel_open_charges(booking.bill_id, now=now)


def expire_dead_holds(*, listing_id: int, period: Period | None, now: datetime) -> int:
    """Clear run-out holds out of the way of the period (None: of the whole listing), in the caller's transaction.

    Returns how many there were.
    """
    require_transaction()
    dead = _dead(now).filter(allocation__listing=listing_id)
    if period is not None:
        dead = dead.filter(allocation__period__overlap=(period.start, period.end))
    count = 0
    for booking in dead:
        expire(booking, now=now)
        count += 1
    return count


@unit_of_work
def _expire_some(*, now: datetime) -> int:
    count = 0
    for booking in _dead(now)[:BATCH]:
        expire(booking, now=now)
        count += 1
    return count


def expire_holds(*, now: datetime) -> int:
    """The sweep: every hold that has run out by `now`. Safe with many workers; returns how many it ended."""
    total = 0
    while count := _expire_some(now=now):
        total += count
    return total


@unit_of_work
def _complete_some(*, now: datetime) -> int:
    ended = (
        Booking.objects.select_for_update(of=("self",), skip_locked=True)
        .alias(used_until=Func(F("period"), function="upper"))
        .filter(
            status__in=(BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN),
            used_until__lte=now,
            bill__timing=PaymentTiming.NOW,
        )
        .order_by("pk")[:BATCH]
    )
    count = 0
    for booking in ended:
        booking.move_to(BookingStatus.COMPLETED, now=now, actor=Actor.SYSTEM, event=BookingEventType.COMPLETED)
        count += 1
    return count


def complete_ended(*, now: datetime) -> int:
    """Bookings paid in advance whose period is over become COMPLETED. Returns how many."""
    total = 0
    while count := _complete_some(now=now):
        total += count
    return total
