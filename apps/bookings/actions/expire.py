"""Time passes: holds run out, bookings that nobody touched come to their end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db.models import F, Func, QuerySet

from apps.availability.actions import release
from apps.availability.models import Allocation
from apps.bookings.models import Booking
from apps.bookings.selectors import lock_booking, lock_listings
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core.db import require_transaction, unit_of_work
from apps.core.errors import Unavailable
from apps.core.periods import Period
from apps.payments.actions import cancel_open_charges, mark_debts
from apps.payments.models import Charge, ChargeStatus, PaymentTiming

BATCH = 100

Args = ParamSpec("Args")
Result = TypeVar("Result")


class InTheWay(Unavailable):
    """Holds that have run out are in the way, and somebody else may be ending them at this moment."""

    def __init__(self, refused: Unavailable, *, listing_id: int, now: datetime) -> None:
        super().__init__(refused.message, field=refused.field)
        self.listing_id = listing_id
        self.now = now


def past_dead_holds(action: Callable[Args, Result]) -> Callable[Args, Result]:
    """The action is called once more after InTheWay, when nobody is ending run-out holds of the listing any more.

    It is to be a whole unit of work, with `dead_holds_cleared` or `expire_every_dead_hold` in it. Who waits has no lock that
    those who end them could want: not the account's, say.
    """

    @wraps(action)
    def run(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        try:
            return action(*args, **kwargs)
        except InTheWay as refused:
            clear_dead_holds(listing_id=refused.listing_id, now=refused.now)
            return action(*args, **kwargs)

    return run


def _dead(now: datetime) -> QuerySet[Booking]:
    # By listing, because each gives back stock of its listing and two sweeps must not wait for each other's.
    return Booking.objects.filter(
        status=BookingStatus.PENDING, allocation__is_active=True, allocation__held_until__lte=now
    ).order_by("listing", "pk")


def _expire_all(dead: QuerySet[Booking], *, now: datetime, waits: bool = False) -> int:
    """Expire those that are still dead once they are locked. Returns how many there were.

    The caller has locked their listings. A booking that somebody else is ending right now is theirs: who has locked more
    than the listings must not wait for it, lest both wait for each other. A payment that began between the look and the
    lock leaves the row of the booking as it was and has its place kept.
    """
    locked = list(dead.select_for_update(of=("self",), skip_locked=not waits).select_related("allocation"))
    places = Allocation.objects.filter(
        pk__in=[booking.allocation_id for booking in locked], is_active=True, held_until__lte=now
    )
    run_out = set(places.values_list("pk", flat=True)) if locked else set()
    expired = [booking for booking in locked if booking.allocation_id in run_out]
    for booking in expired:
        expire(booking, now=now)
    return len(expired)


def expire(booking: Booking, *, now: datetime) -> None:
    """End a hold whose time is over; the caller has locked the booking."""
    require_transaction()
    booking.move_to(BookingStatus.EXPIRED, now=now, actor=Actor.SYSTEM)
    release(booking.allocation_id)
    cancel_open_charges(booking.bill_id, now=now)


def _dead_in(*, listing_id: int, period: Period | None, now: datetime) -> QuerySet[Booking]:
    dead = _dead(now).filter(allocation__listing=listing_id)
    if period is None:
        return dead
    return dead.filter(allocation__period__overlap=(period.start, period.end))


def expire_dead_holds(*, listing_id: int, period: Period | None, now: datetime) -> int:
    """Clear run-out holds out of the way of the period (None: of the whole listing), in the caller's transaction.

    The caller has locked the listing, at least shared. Those that somebody else is ending are passed by. Returns how many
    there were.
    """
    require_transaction()
    return _expire_all(_dead_in(listing_id=listing_id, period=period, now=now), now=now)


@contextmanager
def dead_holds_cleared(*, listing_id: int, period: Period | None, now: datetime) -> Iterator[None]:
    """For a block that takes a place of the listing, where `expire_dead_holds` has made room. In `past_dead_holds`.

    Where there were any, an Unavailable of the block is raised as InTheWay: nobody may have the place.
    """
    require_transaction()
    if not _dead_in(listing_id=listing_id, period=period, now=now).exists():
        yield
        return
    expire_dead_holds(listing_id=listing_id, period=period, now=now)
    try:
        yield
    except Unavailable as refused:
        raise InTheWay(refused, listing_id=listing_id, now=now) from refused


def expire_every_dead_hold(*, listing_id: int, period: Period | None, now: datetime) -> None:
    """As `expire_dead_holds`, for whoever has use for nothing less than all of it. In `past_dead_holds`.

    Raises InTheWay where somebody else has locked one of them.
    """
    expire_dead_holds(listing_id=listing_id, period=period, now=now)
    if _dead_in(listing_id=listing_id, period=period, now=now).exists():
        refused = Unavailable("A hold of it is just running out: try again.")
        raise InTheWay(refused, listing_id=listing_id, now=now)


@unit_of_work
def clear_dead_holds(*, listing_id: int, now: datetime) -> int:
    """End the run-out holds of the listing, and wait for those who are ending some. Returns how many there were."""
    lock_listings([listing_id])
    return _expire_all(_dead_in(listing_id=listing_id, period=None, now=now), now=now, waits=True)


@unit_of_work
def _expire_some(*, now: datetime) -> int:
    found = dict(_dead(now).values_list("pk", "listing")[:BATCH])
    lock_listings(found.values())
    return _expire_all(_dead(now).filter(pk__in=found), now=now)


def expire_holds(*, now: datetime) -> int:
    """The sweep: every hold that has run out by `now`. Safe with many workers; returns how many it ended."""
    total = 0
    while count := _expire_some(now=now):
        total += count
    return total


def _unanswered(now: datetime) -> QuerySet[Charge]:
    """Payments that have waited for their payer as long as a hold lasts, where no hold ends them."""
    too_old = now - timedelta(seconds=settings.HOLD_SECONDS)
    return Charge.objects.filter(status=ChargeStatus.REQUIRES_ACTION, created_at__lte=too_old).exclude(
        bill__booking__status=BookingStatus.PENDING
    )


@unit_of_work
def _give_up(*, booking_id: int, now: datetime) -> bool:
    lock_booking(booking_id)
    booking = Booking.objects.get(pk=booking_id)
    if not _unanswered(now).filter(bill=booking.bill_id).exists():
        return False
    cancel_open_charges(booking.bill_id, now=now)
    booking.tell_listeners()
    return True


def give_up_unanswered(*, now: datetime) -> int:
    """The sweep: nobody answered the bank about a payment for a booking that stands or is over.

    The payment is canceled, so that the rest can be paid with another card. Safe with many workers; returns how many.
    """
    bookings = Booking.objects.filter(bill__charges__in=_unanswered(now)).order_by("pk")
    return sum(_give_up(booking_id=pk, now=now) for pk in list(bookings.values_list("pk", flat=True)[:BATCH]))


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
    bills = []
    for booking in ended:
        booking.move_to(BookingStatus.COMPLETED, now=now, actor=Actor.SYSTEM, event=BookingEventType.COMPLETED)
        bills.append(booking.bill_id)
    if bills:
        mark_debts(bills, now=now)
    return len(bills)


def complete_ended(*, now: datetime) -> int:
    """Bookings paid in advance whose period is over become COMPLETED. Returns how many."""
    total = 0
    while count := _complete_some(now=now):
        total += count
    return total
