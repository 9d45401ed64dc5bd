"""What happens to a booking after it was held."""

from __future__ import annotations

from typing import Any

from apps.bookings import actions
from apps.bookings.models import Booking as BookingRow
from apps.listings.offers import BookingRequest
from schema.bookings.inputs import BookingActionInput, CancelBookingInput, ChangeBookingInput, CheckInBookingInput
from schema.bookings.mutations.book import BookingPayload
from schema.bookings.secrets import OpensBooking, remember_secret
from schema.core.context import Context
from schema.core.ids import read_global_id
from schema.core.limits import BOOKING
from schema.core.mutations import Mutation
from schema.core.permissions import anyone, signed_in

CHANGES = ("check_in", "check_out", "guests", "starts_at", "ends_at", "tickets")


def who_and_which(context: Context, data: Any) -> dict[str, Any]:
    """The part of an action's arguments that says who acts on which booking, when."""
    return {
        "viewer": context.user,
        "booking_id": read_global_id(data["booking_id"], "Booking"),
        "access_token": data.get("access_token"),
        "now": context.now,
    }


def asked_change(data: Any) -> BookingRequest:
    """The fields of a ChangeBookingInput in the terms of the kinds."""
    return BookingRequest(**{name: data.get(name) for name in CHANGES})


def changed(context: Context, booking: BookingRow, data: Any) -> dict[str, Any]:
    """The payload of a booking that was acted on. The secret is told only where the booking is made."""
    remember_secret(context, booking, data.get("access_token"))
    return {"booking": booking}


class ChangeBooking(OpensBooking, Mutation):
    """Other days, another length, another slot, other tickets: applied at once, the difference charged or refunded."""

    permission = anyone
    input_type = ChangeBookingInput
    payload_type = BookingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        BOOKING.spend_by(context, "change:")
        booking = actions.change(**who_and_which(context, data), change=asked_change(data))
        return changed(context, booking, data)


class CancelBooking(OpensBooking, Mutation):
    """Call a booking off. What the terms as booked promise goes back; from host and staff all of it."""

    permission = anyone
    input_type = CancelBookingInput
    payload_type = BookingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        booking = actions.cancel(**who_and_which(context, data), reason=data.get("reason", ""))
        return changed(context, booking, data)


class EndBooking(OpensBooking, Mutation):
    """Parking: leave now and pay for what was used."""

    permission = anyone
    input_type = BookingActionInput
    payload_type = BookingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        return changed(context, actions.end(**who_and_which(context, data)), data)


class CheckInBooking(Mutation):
    """The guest has arrived; for the host and staff, by booking or by scanned ticket."""

    permission = signed_in
    input_type = CheckInBookingInput
    payload_type = BookingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        booking = actions.check_in(
            viewer=context.require_user(),
            booking_id=read_global_id(data.get("booking_id"), "Booking"),
            has_id="booking_id" in data,
            ticket_code=data.get("ticket_code"),
            now=context.now,
        )
        return changed(context, booking, data)


class CheckOutBooking(OpensBooking, Mutation):
    """The guest has left; for the host and staff. What is left of the period is free again."""

    permission = anyone
    input_type = BookingActionInput
    payload_type = BookingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        return changed(context, actions.check_out(**who_and_which(context, data)), data)


class MarkNoShow(OpensBooking, Mutation):
    """The guest never came; for the host and staff. What is left of the period is free again, nothing goes back."""

    permission = anyone
    input_type = BookingActionInput
    payload_type = BookingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        return changed(context, actions.mark_no_show(**who_and_which(context, data)), data)
