"""Reading one booking."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import graphene

from apps.bookings.actions import change_quote
from apps.bookings.selectors import booking_at_the_door, booking_for, find_booking
from apps.core.errors import NotFound
from schema.bookings.inputs import ChangeBookingInput
from schema.bookings.mutations.life import asked_change, who_and_which
from schema.bookings.secrets import remember_secret
from schema.bookings.types import Booking
from schema.core.context import Info
from schema.core.errors import BadUserInput
from schema.core.ids import read_global_id
from schema.core.permissions import RootField, anyone
from schema.listings.values import Quote
from schema.users.guesses import booking_secret


class BookingQueries:
    """Mixed into Query."""

    booking = RootField(
        Booking,
        id=graphene.ID(description="The booking's id; or give its reference."),
        reference=graphene.String(description="The booking's reference, in any case."),
        access_token=graphene.String(description="The booking's secret, for callers without an account."),
        ticket_code=graphene.String(description="A scanned ticket code; for the event's host and staff."),
        permission=anyone,
        description="A booking that you may see: as its guest, its host, staff, or by its secret.",
    )

    change_quote = RootField(
        Quote,
        required=True,
        input=graphene.Argument(graphene.NonNull(ChangeBookingInput), description="The same as of changeBooking."),
        permission=anyone,
        description="What changeBooking would cost: the lines of the new booking; the total is the signed difference.",
    )

    def resolve_change_quote(root: None, info: Info, input: Any) -> Any:  # noqa: A002
        asked = who_and_which(info.context, input)
        with suppress(NotFound), booking_secret(info.context, asked["booking_id"], asked["access_token"]):
            booking_for(viewer=asked["viewer"], booking_id=asked["booking_id"], access_token=asked["access_token"])
        return change_quote(**asked, change=asked_change(input))

    def resolve_booking(
        root: None,
        info: Info,
        id: str | None = None,  # noqa: A002
        reference: str | None = None,
        access_token: str | None = None,
        ticket_code: str | None = None,
    ) -> Any:
        if sum(given is not None for given in (id, reference, ticket_code)) != 1:
            raise BadUserInput("Give one of id, reference and ticketCode.")
        if ticket_code is not None:
            return booking_at_the_door(viewer=info.context.user, ticket_code=ticket_code)
        booking_id = read_global_id(id, "Booking")
        try:
            with booking_secret(info.context, booking_id or reference, access_token):
                booking = find_booking(
                    viewer=info.context.user, booking_id=booking_id, reference=reference, access_token=access_token
                )
                if booking is None:
                    raise NotFound("There is no such booking.")
        except NotFound:
            return None
        if booking is not None and access_token is not None:
            remember_secret(info.context, booking, access_token)
        return booking
