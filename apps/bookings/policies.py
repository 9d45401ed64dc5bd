"""Who stands where towards a booking."""

from apps.bookings.models import Booking
from apps.bookings.states import Actor
from apps.users.models import User, UserRole


def side_of(booking: Booking, *, viewer: User | None, access_token: str | None = None) -> Actor | None:
    """As whom the caller may see the booking; None when it does not exist for them.

    The secret token opens bookings made without an account only, and makes its holder the guest.
    """
    if access_token and booking.is_opened_by(access_token):
        return Actor.GUEST
    if viewer is None:
        return None
    if booking.guest_id == viewer.pk:
        return Actor.GUEST
    if booking.listing.host_id == viewer.pk:
        return Actor.HOST
    return Actor.STAFF if viewer.role == UserRole.STAFF else None
