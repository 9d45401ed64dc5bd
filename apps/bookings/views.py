"""The pages of bookings that are no GraphQL: receipts, and tickets as pictures. Each is opened by its address alone."""

import io

import segno
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.bookings.receipt_pdf import receipt_pdf, sums
from apps.bookings.receipts import Expired, Receipt, receipt_of
from apps.bookings.selectors import booking_of_ticket

CONTENT_TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def _closed(response: HttpResponse) -> HttpResponse:
    """A page whose address is a secret: kept by nobody, told to nobody, and it loads nothing."""
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return response


def _text(message: str, status: int) -> HttpResponse:
    return _closed(HttpResponse(message, status=status, content_type="text/plain"))


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
        told = {"receipt": found, "sums": sums(found), "pdf": f"{address}.pdf"}
        return _closed(render(request, "bookings/receipt.html", told))
    response = HttpResponse(receipt_pdf(found), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="receipt-{found.number}.pdf"'
    return _closed(response)


@require_safe
def ticket_picture(request: HttpRequest, code: str, form: str) -> HttpResponse:
    """`/tickets/<ticketCode>.svg` and `.png`: the QR code that the door scans. 404 unless the code admits somebody."""
    if booking_of_ticket(code) is None:
        return _text("There is no such ticket.", 404)
    picture = io.BytesIO()
    segno.make(code.strip().upper(), error="m", micro=False).save(picture, kind=form, scale=8, border=4)
    return _closed(HttpResponse(picture.getvalue(), content_type=CONTENT_TYPES[form]))
