"""The end of what is charged at its end: the time used is priced, the place is freed, the saved card is charged once."""

from datetime import datetime

from django.db.models import F, Func
from psycopg2.extras import DateTimeTZRange

from apps.availability.actions import shorten
from apps.bookings.actions.hold import write_lines
from apps.bookings.models import Booking
from apps.bookings.selectors import booking_for, lock_listings
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core.db import require_transaction, unit_of_work
from apps.core.errors import NotAllowed, WrongState
from apps.core.money import Money
from apps.core.outbox import enqueue
from apps.core.periods import Period
from apps.listings.kinds import kind_of, relations
from apps.listings.offers import Occupancy, total_of
from apps.payments.actions import charge_saved_card, set_total
from apps.payments.models import PaymentTiming
from apps.users.models import User

BATCH = 50
IN_USE = (BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN)


@unit_of_work
def end(*, viewer: User | None, booking_id: int | None, access_token: str | None = None, now: datetime) -> Booking:
    """Leave now and pay for what was used.

    Raises NotFound at `booking_id`, NotAllowed for kinds that do not end so, WrongState unless it stands and has begun.
    """
    booking, side = booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token, lock=True)
    if not kind_of(booking.listing).ends_early:
        raise NotAllowed("A booking of this kind ends by itself.", field="booking_id")
    if booking.status not in IN_USE or booking.span.start >= now:
        raise WrongState("Only a booking that is under way can be ended.", field="booking_id")
    finish(booking, until=min(now, booking.span.end), now=now, actor=side)
    return booking


def finish(
    booking: Booking,
    *,
    until: datetime,
    now: datetime,
    actor: Actor,
    event: BookingEventType = BookingEventType.ENDED,
) -> None:
    """Complete a locked booking that was used until then, and have the saved card charged for it.

    `event` is what the history says before COMPLETED.
    """
    require_transaction()
    used = Period(booking.span.start, until)
    price = Money(booking.price_minor, booking.currency)
    lines = kind_of(booking.listing).lines(booking.listing, Occupancy(period=used, occupied=used), price=price)
    fee = total_of(lines, currency=booking.currency)
    booking.period = DateTimeTZRange(used.start, used.end)
    booking.save(update_fields=["period", "updated_at"])
    write_lines(booking, lines)
    set_total(booking.bill_id, fee, owed_since=now)
    booking.bill.refresh_from_db()
    shorten(booking.allocation_id, until)
    booking.record(event, now=now, actor=actor)
    booking.move_to(BookingStatus.COMPLETED, now=now, actor=actor)
    charge = charge_saved_card(booking.bill_id, amount=booking.bill.owed, now=now)
    if charge is not None:
        enqueue("bookings.carry_out_payment", charge_id=charge.pk)


@unit_of_work
def _finish_some(*, now: datetime) -> int:
    due = (
        Booking.objects.alias(used_until=Func(F("period"), function="upper"))
        .filter(status__in=IN_USE, used_until__lte=now, bill__timing=PaymentTiming.AT_END)
        .order_by("pk")
    )
    found = dict(due.values_list("pk", "listing")[:BATCH])
    lock_listings(found.values())
    over = list(
        due.filter(pk__in=found)
        .select_for_update(of=("self",), skip_locked=True)
        .select_related("bill", "allocation", "listing", *(f"listing__{name}" for name in relations()))
    )
    for booking in over:
        finish(booking, until=booking.span.end, now=now, actor=Actor.SYSTEM)
    return len(over)


def finish_due(*, now: datetime) -> int:
    """The sweep: bookings charged at their end whose period is over. Safe with many workers; returns how many."""
    total = 0
    while count := _finish_some(now=now):
        total += count
    return total
