"""What the booking mutations take."""

from __future__ import annotations

import graphene

from schema.core.inputs import OMITTED, CleanedField, text, value
from schema.core.scalars import Date, DateTime


def access_token() -> graphene.String:
    """The argument of every action on a booking that was made without an account."""
    return graphene.String(description="The booking's secret, for callers without an account.")


def idempotency_key() -> graphene.String:
    """The argument that makes a retry safe."""
    return graphene.String(
        description="8 to 200 characters: the same key from the same caller within 24 hours gives the same answer."
    )


class ContactInput(graphene.InputObjectType):
    """Who books, without an account."""

    # Looked at where it counts alone: with an account it is ignored, whatever it says.
    email = graphene.String(required=True, description="Where the guest is written to.")
    first_name = value(graphene.String, null=OMITTED, description="First name.")
    last_name = value(graphene.String, null=OMITTED, description="Last name.")


def contact() -> CleanedField:
    """Who books without an account."""
    return value(ContactInput, null=OMITTED, description="Required without an account; ignored with one.")


class BookPropertyInput(graphene.InputObjectType):
    """Nights to hold."""

    property_id = graphene.ID(required=True, description="The property.")
    check_in = Date(required=True, description="The day of arrival, in the property's zone.")
    check_out = Date(required=True, description="The day of departure, in the property's zone.")
    guests = graphene.Int(required=True, description="How many people come.")
    contact = contact()
    idempotency_key = idempotency_key()


class BookServiceInput(graphene.InputObjectType):
    """An appointment to hold."""

    service_id = graphene.ID(required=True, description="The service.")
    starts_at = DateTime(required=True, description="The beginning of a free slot.")
    contact = contact()
    idempotency_key = idempotency_key()


class BookEventInput(graphene.InputObjectType):
    """Tickets to hold."""

    event_id = graphene.ID(required=True, description="The event.")
    tickets = graphene.Int(required=True, description="How many.")
    contact = contact()
    idempotency_key = idempotency_key()


class BookParkingSpotInput(graphene.InputObjectType):
    """Minutes to hold."""

    parking_spot_id = graphene.ID(required=True, description="The parking spot.")
    starts_at = value(DateTime, null=OMITTED, description="When the driver comes; now unless said.")
    minutes = graphene.Int(required=True, description="How long at first; it can be extended.")
    contact = contact()
    idempotency_key = idempotency_key()


class BookingActionInput(graphene.InputObjectType):
    """A booking to act on."""

    booking_id = graphene.ID(required=True, description="The booking.")
    access_token = access_token()


class CancelBookingInput(graphene.InputObjectType):
    """A booking to call off."""

    booking_id = graphene.ID(required=True, description="The booking.")
    access_token = access_token()
    reason = text(1000, description="Why; guest and host both see it.")


class ChangeBookingInput(graphene.InputObjectType):
    """What shall be different. Only fields of the booking's kind may be given."""

    booking_id = graphene.ID(required=True, description="The booking.")
    access_token = access_token()
    check_in = value(Date, null=OMITTED, description="Of a property: the new day of arrival.")
    check_out = value(Date, null=OMITTED, description="Of a property: the new day of departure.")
    guests = value(graphene.Int, null=OMITTED, description="Of a property: how many people come.")
    starts_at = value(DateTime, null=OMITTED, description="Of a service or a parking spot: the new start.")
    ends_at = value(DateTime, null=OMITTED, description="Of a parking spot: the new end.")
    tickets = value(graphene.Int, null=OMITTED, description="Of an event: how many tickets.")


class CheckInBookingInput(graphene.InputObjectType):
    """Who arrived: by booking or by scanned ticket, exactly one."""

    booking_id = value(graphene.ID, null=OMITTED, description="The booking.")
    ticket_code = value(graphene.String, null=OMITTED, description="The scanned ticket code of an event.")
