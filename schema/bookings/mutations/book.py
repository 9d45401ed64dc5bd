"""Holding something: one mutation for each kind, one way for all."""

from __future__ import annotations

from typing import Any, ClassVar

import graphene

from apps.bookings.actions import Contact, hold
from apps.bookings.models import Booking as BookingRow
from apps.listings.offers import BookingRequest
from schema.bookings import loaders
from schema.bookings.inputs import BookEventInput, BookParkingSpotInput, BookPropertyInput, BookServiceInput
from schema.bookings.secrets import remember_secret
from schema.bookings.types import Booking
from schema.core.context import Context
from schema.core.ids import read_global_id
from schema.core.limits import BOOKING
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import anyone


class BookingPayload(Payload):
    """The booking, or why there is none."""

    booking = graphene.Field(Booking, description="The booking as it is now.")
    access_token = graphene.String(
        description="To a caller without an account: the booking's secret. The same again on a retry with the same key."
    )


def booking_payload(context: Context, booking: BookingRow) -> dict[str, Any]:
    """The payload of a booking that its caller just made; remembers the secret, which is the caller's."""
    remember_secret(context, booking, booking.access_token)
    if booking.written is not None:
        context.loaders.prime(loaders.lines_by_booking, {booking.pk: booking.written.lines})
        context.loaders.prime(loaders.history_by_booking, {booking.pk: booking.written.history})
        loaders.prime_payments(context, {booking.bill_id: []})
    return {"booking": booking, "access_token": booking.access_token}


class Book(Mutation):
    """What the four have in common."""

    permission = anyone
    # What it is counted for can be given back.
    begins_with_statement = True
    payload_type = BookingPayload
    type_name: ClassVar[str]
    kind_code: ClassVar[str]
    listing_field: ClassVar[str]

    @classmethod
    def request(cls, data: Any) -> BookingRequest:
        """The input in the terms of the kinds."""
        raise NotImplementedError

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        BOOKING.spend_by(context)
        contact = data.get("contact")
        booking = hold(
            kind_code=cls.kind_code,
            listing_id=read_global_id(data[cls.listing_field], cls.type_name),
            listing_field=cls.listing_field,
            request=cls.request(data),
            guest=context.user,
            contact=Contact(
                email=contact["email"],
                first_name=contact.get("first_name", ""),
                last_name=contact.get("last_name", ""),
            )
            if contact
            else None,
            idempotency_key=data.get("idempotency_key"),
            now=context.now,
        )
        return booking_payload(context, booking)


class BookProperty(Book):
    """Hold nights of a property for a while. Pay to confirm."""

    input_type = BookPropertyInput
    type_name, kind_code, listing_field = "Property", "PROPERTY", "property_id"

    @classmethod
    def request(cls, data: Any) -> BookingRequest:
        return BookingRequest(check_in=data["check_in"], check_out=data["check_out"], guests=data["guests"])


class BookService(Book):
    """Hold an appointment for a while. Pay to confirm."""

    input_type = BookServiceInput
    type_name, kind_code, listing_field = "Service", "SERVICE", "service_id"

    @classmethod
    def request(cls, data: Any) -> BookingRequest:
        return BookingRequest(starts_at=data["starts_at"])


class BookEvent(Book):
    """Hold tickets of an event for a while. Pay to confirm."""

    input_type = BookEventInput
    type_name, kind_code, listing_field = "Event", "EVENT", "event_id"

    @classmethod
    def request(cls, data: Any) -> BookingRequest:
        return BookingRequest(tickets=data["tickets"])


class BookParkingSpot(Book):
    """Hold a parking spot for a while. Saving a card confirms; it is charged when the driver leaves."""

    input_type = BookParkingSpotInput
    type_name, kind_code, listing_field = "ParkingSpot", "PARKING_SPOT", "parking_spot_id"

    @classmethod
    def request(cls, data: Any) -> BookingRequest:
        return BookingRequest(starts_at=data.get("starts_at"), minutes=data["minutes"])
