"""Which bookings this request has shown the secret of, so that what only the guest may see opens below them too."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from apps.bookings.models import Booking
from apps.bookings.policies import side_of
from apps.bookings.states import Actor
from schema.core.context import Context
from schema.core.ids import read_global_id
from schema.users.guesses import booking_secret


def remember_secret(context: Context, booking: Booking, secret: str | None) -> None:
    """Keep the secret for the rest of the request; whether it is right is asked when it matters."""
    if secret:
        context.state["access_token", booking.pk] = secret


class OpensBooking:
    """Mixed into the mutations that take a booking's secret, left of `Mutation`: wrong secrets are counted and slow down."""

    @classmethod
    def around(cls, context: Context, data: Any) -> AbstractContextManager[object]:
        booking_id = read_global_id(data.get("booking_id"), "Booking")
        return booking_secret(context, booking_id, data.get("access_token"))


def is_guest(context: Context, booking: Booking) -> bool:
    """Whether the caller is the booking's guest: by account or by secret."""
    secret = context.state.get(("access_token", booking.pk))
    return side_of(booking, viewer=context.user, access_token=secret) is Actor.GUEST
