"""What a guest gets back by canceling, by the terms as booked."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction

from apps.bookings.models import Booking, BookingEvent
from apps.bookings.rescheduling import was_moved_far
from apps.bookings.states import BookingStatus
from apps.core.money import Money
from apps.listings.models import CancellationPolicy
from apps.payments.models import PaymentTiming
from apps.payments.stripe_amounts import nearest_movable

NOTHING, HALF, ALL = Fraction(0), Fraction(1, 2), Fraction(1)


def share(*, policy: str, start: datetime, now: datetime) -> Fraction:
    """The share of what was paid that goes back. The limits are inclusive; after the start it is nothing."""
    left = start - now
    if left <= timedelta(0):
        return NOTHING
    match policy:
        case CancellationPolicy.FLEXIBLE:
            return ALL if left >= timedelta(hours=24) else NOTHING
        case CancellationPolicy.MODERATE:
            return ALL if left >= timedelta(days=5) else HALF
        case CancellationPolicy.STRICT:
            return HALF if left >= timedelta(days=7) else NOTHING
        case _:
            return NOTHING


def share_now(booking: Booking, *, now: datetime, history: Iterable[BookingEvent] | None = None) -> Fraction:
    """The share for this booking: everything where its host moved it far, else by the policy as booked."""
    if now < booking.span.start and was_moved_far(booking, history=history):
        return ALL
    return share(policy=booking.cancellation_policy, start=booking.span.start, now=now)


def refundable(booking: Booking, *, now: datetime, history: Iterable[BookingEvent] | None = None) -> Money:
    """What the guest would get back by canceling now, half up to what a card can be given.

    Nothing before it is paid or after it is over.
    `history` is the booking's, where it has been read already.
    """
    paid = booking.bill.paid
    if booking.status != BookingStatus.CONFIRMED or booking.bill.timing == PaymentTiming.AT_END or paid.minor == 0:
        return Money.zero(booking.currency)
    return nearest_movable(paid.times(share_now(booking, now=now, history=history)), of=paid)
