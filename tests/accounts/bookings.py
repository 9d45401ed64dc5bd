"""Bookings for tests about accounts."""

from datetime import UTC, date, datetime, timedelta

from apps.bookings.actions import Contact, hold
from apps.bookings.models import Booking
from apps.bookings.states import Actor, BookingStatus
from apps.core.db import unit_of_work
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.users.models import User


def book_home(home: Listing, *, guest: User | None = None, email: str = "", weeks: int = 4) -> Booking:
    """Two nights of the home in so many weeks: of the guest's account, or for the address."""
    arrival = date.today() + timedelta(weeks=weeks)
    return hold(
        kind_code="PROPERTY",
        listing_id=home.pk,
        listing_field="property_id",
        request=BookingRequest(check_in=arrival, check_out=arrival + timedelta(days=2), guests=2),
        guest=guest,
        contact=Contact(email=email, first_name="Grace", last_name="Hopper") if email else None,
        now=datetime.now(UTC),
    )


def lead_to(booking: Booking, *statuses: BookingStatus) -> Booking:
    """Take the booking through these states, as if all that leads there had happened."""
    for status in statuses:
        unit_of_work(booking.move_to)(status, now=datetime.now(UTC), actor=Actor.SYSTEM)
    return booking


def completed(booking: Booking) -> Booking:
    return lead_to(booking, BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN, BookingStatus.COMPLETED)
