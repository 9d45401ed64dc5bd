"""Using what was booked: arriving, leaving, never coming. The host's and staff's to say."""

from datetime import datetime, time

from apps.availability.actions import shorten
from apps.bookings.models import Booking
from apps.bookings.selectors import booking_for, booking_of_ticket
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core.db import unit_of_work
from apps.core.errors import Invalid, NotAllowed, NotFound, OutsideRules, Required, WrongState
from apps.core.periods import instant, local_date
from apps.users.models import User


def _hosts_booking(
    *, viewer: User | None, booking_id: int | None, access_token: str | None = None
) -> tuple[Booking, Actor]:
    booking, side = booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token, lock=True)
    if side is Actor.GUEST:
        raise NotAllowed("This is for the host or staff to do.", field="booking_id")
    return booking, side


def _require(booking: Booking, *statuses: BookingStatus) -> None:
    if booking.status not in statuses:
        raise WrongState(f"The booking is {booking.status}.", field="booking_id")


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
    _require(booking, BookingStatus.CONFIRMED)
    time_zone = booking.listing.time_zone
    first = instant(local_date(booking.span.start, time_zone), time(0), time_zone)
    if not first <= now < booking.span.end:
        raise OutsideRules("It is not the time of this booking.", field="booking_id" if has_id else "ticket_code")
    booking.move_to(BookingStatus.CHECKED_IN, now=now, actor=side)
    return booking


@unit_of_work
def check_out(
    *, viewer: User | None, booking_id: int | None, access_token: str | None = None, now: datetime
) -> Booking:
    """The guest has left; what was left of the period is free again at once.

    Raises NotFound and NotAllowed at `booking_id`, WrongState unless it is CHECKED_IN.
    """
    booking, side = _hosts_booking(viewer=viewer, booking_id=booking_id, access_token=access_token)
    _require(booking, BookingStatus.CHECKED_IN)
    booking.checked_out_at = now
    booking.save(update_fields=["checked_out_at", "updated_at"])
    booking.record(BookingEventType.CHECKED_OUT, now=now, actor=side)
    booking.move_to(BookingStatus.COMPLETED, now=now, actor=side)
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
    return booking
