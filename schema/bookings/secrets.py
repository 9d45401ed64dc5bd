"""Which bookings this request has shown the secret of, so that what only the guest may see opens below them too."""

from __future__ import annotations

from apps.bookings.models import Booking
from apps.bookings.policies import side_of
from apps.bookings.states import Actor
from schema.core.context import Context


def remember_secret(context: Context, booking: Booking, secret: str | None) -> None:
    """Keep the secret for the rest of the request; whether it is right is asked when it matters."""
    if secret:
        context.state["access_token", booking.pk] = secret


def is_guest(context: Context, booking: Booking) -> bool:
    """Whether the caller is the booking's guest: by account or by secret."""
    secret = context.state.get(("access_token", booking.pk))
    return side_of(booking, viewer=context.user, access_token=secret) is Actor.GUEST
