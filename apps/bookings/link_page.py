"""Where the link of a mail about a booking leads: what was booked, for whoever holds the link."""

from datetime import datetime

from apps.bookings.models import Booking
from apps.bookings.receipts import receipt_url
from apps.bookings.states import BookingStatus
from apps.bookings.telling import details_for_guest
from apps.notifications.wording import amount, moment, written

STATUS_WORDS = {
    BookingStatus.PENDING: "Held, not confirmed yet",
    BookingStatus.CONFIRMED: "Confirmed",
    BookingStatus.CHECKED_IN: "In use",
    BookingStatus.COMPLETED: "Over",
    BookingStatus.CANCELED: "Canceled",
    BookingStatus.EXPIRED: "Not paid in time, given up",
    BookingStatus.NO_SHOW: "Nobody came",
}


def told_on_page(booking: Booking, *, now: datetime) -> dict[str, object]:
    """What the page of a booking says."""
    details = [("Status", STATUS_WORDS[BookingStatus(booking.status)]), *details_for_guest(booking)]
    if booking.expires_at is not None:
        details.append(("Held until", moment(booking.expires_at, booking.listing.time_zone)))
    bill = booking.bill
    for label, money in (("Price", bill.total), ("Paid", bill.paid)):
        details.append((label, written(amount(money))))
    receipts = []
    for charge in bill.charges.order_by("pk"):
        url = receipt_url(charge, now=now)
        if url is not None:
            receipts.append((charge.receipt_number, url))
    return {"title": "Your booking", "details": details, "ticket": booking.ticket_code, "receipts": receipts}
