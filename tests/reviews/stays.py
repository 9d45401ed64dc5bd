"""Guests who were there."""

from datetime import UTC, datetime

from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.users.models import User
from tests.recipes import make_guest


def book_ticket(listing: Listing, guest: User, *, status: str = "COMPLETED") -> Booking:
    """A booking of an event in that status, as if all that leads there had happened."""
    booking = hold(
        kind_code="EVENT",
        listing_id=listing.pk,
        listing_field="event_id",
        request=BookingRequest(tickets=1),
        guest=guest,
        now=datetime.now(UTC),
    )
    expires_at = booking.expires_at if status == "PENDING" else None
    Booking.objects.filter(pk=booking.pk).update(status=status, expires_at=expires_at)
    return booking


def visitor(listing: Listing) -> User:
    """Somebody with a completed booking of the event."""
    guest = make_guest()
    book_ticket(listing, guest)
    return guest
