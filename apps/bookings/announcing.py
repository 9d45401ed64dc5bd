"""What integrators are told of a booking: each row of its history, with how the booking looked then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.bookings.states import Actor, BookingEventType
from apps.core.ids import global_id
from apps.core.money import Money
from apps.core.periods import Period
from apps.integrations import payloads
from apps.integrations.models import EventType
from apps.integrations.payloads import instant, instant_or_none
from apps.integrations.recording import announce

if TYPE_CHECKING:
    from apps.bookings.models import Booking, BookingEvent

TYPES = {
    BookingEventType.HELD: EventType.BOOKING_HELD,
    BookingEventType.CONFIRMED: EventType.BOOKING_CONFIRMED,
    BookingEventType.CHANGED: EventType.BOOKING_CHANGED,
    BookingEventType.CHECKED_IN: EventType.BOOKING_CHECKED_IN,
    BookingEventType.CHECKED_OUT: EventType.BOOKING_CHECKED_OUT,
    BookingEventType.ENDED: EventType.BOOKING_ENDED,
    BookingEventType.COMPLETED: EventType.BOOKING_COMPLETED,
    BookingEventType.CANCELED: EventType.BOOKING_CANCELED,
    BookingEventType.EXPIRED: EventType.BOOKING_EXPIRED,
    BookingEventType.NO_SHOW: EventType.BOOKING_NO_SHOW,
    BookingEventType.PAYMENT_STARTED: EventType.PAYMENT_STARTED,
    BookingEventType.PAYMENT_SUCCEEDED: EventType.PAYMENT_SUCCEEDED,
    BookingEventType.PAYMENT_FAILED: EventType.PAYMENT_FAILED,
    BookingEventType.REFUNDED: EventType.PAYMENT_REFUNDED,
}


def announce_event(booking: Booking, event: BookingEvent) -> None:
    """Let integrators be told of what has just been written into the history, in its transaction."""
    announce(
        TYPES[BookingEventType(event.type)],
        listing_id=booking.listing_id,
        topic=f"booking:{booking.pk}",
        data=lambda: _data(booking, event),
        now=event.at,
    )


def _data(booking: Booking, event: BookingEvent) -> payloads.Data:
    # What is at hand may be older than what this transaction has written.
    row = type(booking).objects.select_related("listing", "bill").get(pk=booking.pk)
    # A guest's own words are not left with others, who could not forget them with us.
    is_guest = event.actor == Actor.GUEST
    # A change is written into the history before the bill.
    total = Money(event.data.get("totalMinor", row.bill.total_minor), row.currency)
    return {
        "booking": {
            "id": global_id("Booking", row.pk),
            "reference": row.reference,
            "status": row.status,
            "period": payloads.period(Period(row.period.lower, row.period.upper)),
            "checkIn": row.check_in and row.check_in.isoformat(),
            "checkOut": row.check_out and row.check_out.isoformat(),
            "tickets": row.tickets,
            "guests": row.guests,
            "total": payloads.money(total),
            "expiresAt": instant_or_none(row.expires_at),
            "createdAt": instant(row.created_at),
            "confirmedAt": instant_or_none(row.confirmed_at),
            "checkedInAt": instant_or_none(row.checked_in_at),
            "checkedOutAt": instant_or_none(row.checked_out_at),
            "canceledAt": instant_or_none(row.canceled_at),
        },
        "listing": payloads.listing_data(row.listing),
        "actor": event.actor,
        "details": {name: value for name, value in event.data.items() if not (is_guest and name == "reason")},
    }
