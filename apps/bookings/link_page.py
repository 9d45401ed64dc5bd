"""Where the link of a mail about a booking leads: what was booked, for whoever holds the link."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.bookings.models import Booking
from apps.bookings.receipts import receipt_url
from apps.bookings.selectors import find_booking
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


@require_safe
def booking_page(request: HttpRequest, reference: str) -> HttpResponse:
    """`/bookings/<reference>?token=...`: the booking of somebody without an account, to be read.

    404 without the right token, alike for what was never there: who has an account signs in with a program of theirs.
    """
    token = request.GET.get("token", "")
    booking = find_booking(viewer=None, reference=reference, access_token=token) if token else None
    told = {"title": "Your booking"} if booking is None else _told(booking)
    status = HTTPStatus.NOT_FOUND if booking is None else HTTPStatus.OK
    response = render(request, "bookings/booking.html", told, status=status)
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    response["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'"
    )
    return response


def _told(booking: Booking) -> dict[str, object]:
    details = [("Status", STATUS_WORDS[BookingStatus(booking.status)]), *details_for_guest(booking)]
    if booking.expires_at is not None:
        details.append(("Held until", moment(booking.expires_at, booking.listing.time_zone)))
    bill = booking.bill
    for label, money in (("Price", bill.total), ("Paid", bill.paid)):
        details.append((label, written(amount(money))))
    receipts = []
    for charge in bill.charges.order_by("pk"):
        url = receipt_url(charge, now=timezone.now())
        if url is not None:
            receipts.append((charge.receipt_number, url))
    return {"title": "Your booking", "details": details, "ticket": booking.ticket_code, "receipts": receipts}
