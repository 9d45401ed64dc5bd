"""Using what was booked: arriving, leaving, never coming. The host's and staff's to say."""

from datetime import datetime, time, timedelta

from apps.availability.actions import shorten
from apps.bookings.actions.end import finish
from apps.bookings.models import Booking
from apps.bookings.selectors import booking_for, booking_of_ticket
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core.db import unit_of_work
from apps.core.errors import Invalid, NotAllowed, NotFound, OutsideRules, Required, WrongState
from apps.core.periods import instant, local_date
from apps.payments.actions import drop_saved_cards, mark_debts
from apps.payments.models import PaymentTiming
from apps.users.models import User

LEAST_USE = timedelta(minutes=1)


def _hosts_booking(
    *, viewer: User | None, booking_id: int | None, access_token: str | None = None
) -> tuple[Booking, Actor]:
    booking, side = booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token, lock=True)
    if side is Actor.GUEST:
        raise NotAllowed("This is for the host or staff to do.", field="booking_id")
    return booking, side


def _require(booking: Booking, status: BookingStatus, *, field: str = "booking_id") -> None:
    if booking.status != status:
        raise WrongState(f"The booking is {booking.status}.", field=field)


@unit_of_work
def check_in(
    *, viewer: User, booking_id: int | None = None, has_id: bool, ticket_code: str | None = None, now: datetime
) -> Booking:
    """The guest is there: from midnight of the first day, on the listing's wall, until the end of the period.

    By id (`has_id`, whatever became of it) or by ticket code, exactly one. Raises Required and Invalid for the whole
    input, NotFound at what was given, NotAllowed to the guest, OutsideRules outside that time, WrongState unless it is
    CONFIRMED.
    """
    if has_id and ticket_code is not None:
        raise Invalid("Give the booking or its ticket code, not both.")
    if not has_id and ticket_code is None:
        raise Required("Give the booking or its ticket code.")
    if ticket_code is not None:
        booking_id = booking_of_ticket(ticket_code)
        try:
            booking, side = booking_for(viewer=viewer, booking_id=booking_id, lock=True)
        except NotFound:
            raise NotFound("There is no such ticket.", field="ticket_code") from None
        if side is Actor.GUEST:
            raise NotAllowed("This is for the host or staff to do.", field="ticket_code")
    else:
        booking, side = _hosts_booking(viewer=viewer, booking_id=booking_id)
    field = "booking_id" if has_id else "ticket_code"
    _require(booking, BookingStatus.CONFIRMED, field=field)
    time_zone = booking.listing.time_zone
    first = instant(local_date(booking.span.start, time_zone), time(0), time_zone)
    if not first <= now < booking.span.end:
        raise OutsideRules("It is not the time of this booking.", field=field)
    booking.move_to(BookingStatus.CHECKED_IN, now=now, actor=side)
    return booking


@unit_of_work
def check_out(
    *, viewer: User | None, booking_id: int | None, access_token: str | None = None, now: datetime
) -> Booking:
    """The guest has left; what was left of the period is free again at once, and what is charged at its end is charged.

    Raises NotFound and NotAllowed at `booking_id`, WrongState unless it is CHECKED_IN.
    """
    booking, side = _hosts_booking(viewer=viewer, booking_id=booking_id, access_token=access_token)
    _require(booking, BookingStatus.CHECKED_IN)
    booking.checked_out_at = now
    booking.save(update_fields=["checked_out_at", "updated_at"])
    if booking.bill.timing == PaymentTiming.AT_END:
        # Who leaves before the time has begun pays for the least there is.
        until = min(max(now, booking.span.start + LEAST_USE), booking.span.end)
        finish(booking, until=until, now=now, actor=side, event=BookingEventType.CHECKED_OUT)
    else:
        booking.record(BookingEventType.CHECKED_OUT, now=now, actor=side)
        booking.move_to(BookingStatus.COMPLETED, now=now, actor=side)
        mark_debts([booking.bill_id], now=now)
    shorten(booking.allocation_id, now)
    return booking


@unit_of_work
def mark_no_show(
    *, viewer: User | None, booking_id: int | None, access_token: str | None = None, now: datetime
) -> Booking:
    """The guest never came: what is left of the period is free again, nothing goes back.

    Raises NotFound and NotAllowed at `booking_id`, WrongState unless CONFIRMED, OutsideRules before the start.
    """
    booking, side = _hosts_booking(viewer=viewer, booking_id=booking_id, access_token=access_token)
    _require(booking, BookingStatus.CONFIRMED)
    if now <= booking.span.start:
        raise OutsideRules("The guest may still come: it has not begun.", field="booking_id")
    booking.move_to(BookingStatus.NO_SHOW, now=now, actor=side)
    shorten(booking.allocation_id, now)
    # Nothing was used: a card that was saved for the end is not charged.
    drop_saved_cards(booking.bill_id, now=now)
    return booking
