"""The pages of bookings that are no GraphQL: receipts, and tickets as pictures. Each is opened by its address alone."""

import io
from http import HTTPStatus

import segno
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.bookings.link_page import told_on_page
from apps.bookings.receipt_pdf import receipt_pdf
from apps.bookings.receipt_words import facts, rows, sums
from apps.bookings.receipts import Expired, Receipt, receipt_of
from apps.bookings.selectors import booking_of_ticket, find_booking
from apps.core.secret_pages import closed, closed_page

CONTENT_TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def _text(message: str, status: int) -> HttpResponse:
    return closed(HttpResponse(message, status=status, content_type="text/plain"))


@require_safe
def receipt_page(request: HttpRequest, address: str) -> HttpResponse:
    """`/receipts/<address>`: the receipt in HTML; with `.pdf` behind it, as a PDF. 404 for what was never given out."""
    wants_pdf = address.endswith(".pdf")
    found: Receipt | None
    try:
        found = receipt_of(address.removesuffix(".pdf"), now=timezone.now())
    except Expired:
        return _text("This address has expired; ask for the receipt again.", 410)
    if found is None:
        return _text("There is no such receipt.", 404)
    if not wants_pdf:
        told = {
            "number": found.number, "facts": facts(found), "rows": rows(found), "sums": sums(found), "pdf": f"{address}.pdf",
        }  # fmt: skip
        return closed_page(request, "bookings/receipt.html", told)
    response = HttpResponse(receipt_pdf(found), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="receipt-{found.number}.pdf"'
    return closed(response)


@require_safe
def ticket_picture(request: HttpRequest, code: str, form: str) -> HttpResponse:
    """`/tickets/<ticketCode>.svg` and `.png`: the QR code that the door scans. 404 unless the code admits somebody."""
    if booking_of_ticket(code) is None:
        return _text("There is no such ticket.", 404)
    picture = io.BytesIO()
    segno.make(code.strip().upper(), error="m", micro=False).save(picture, kind=form, scale=8, border=4)
    return closed(HttpResponse(picture.getvalue(), content_type=CONTENT_TYPES[form]))


@require_safe
def booking_page(request: HttpRequest, reference: str) -> HttpResponse:
    """`/bookings/<reference>?token=...`: the booking of somebody without an account, to be read.

    404 without the right token, alike for what was never there: who has an account signs in with a program of theirs.
    """
    token = request.GET.get("token", "")
    booking = find_booking(viewer=None, reference=reference, access_token=token) if token else None
    told = {"title": "Your booking"} if booking is None else told_on_page(booking, now=timezone.now())
    status = HTTPStatus.NOT_FOUND if booking is None else HTTPStatus.OK
    # The ticket is a picture of ours.
    return closed_page(request, "bookings/booking.html", told, status=status, has_pictures=True)


@require_safe
def after_payment_page(request: HttpRequest) -> HttpResponse:
    """`/after-payment`: where payers land whom their bank has asked.

    What came of it the webhook tells us and the booking tells them; what stands in this address anybody may have written.
    """
    return closed_page(request, "bookings/after_payment.html", {"title": "Your bank has answered"})
