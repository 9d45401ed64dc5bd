"""Batches for what hangs off a booking."""

from __future__ import annotations

from apps.bookings import selectors
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.payments.models import Charge
from apps.payments.selectors import charges_along, charges_of_bills
from schema.core.ahead import Coming, Fields
from schema.core.context import Context, Info


def lines_by_booking(context: Context, keys: list[int]) -> dict[int, list[BookingLine]]:
    return selectors.lines_of(keys)


def history_by_booking(context: Context, keys: list[int]) -> dict[int, list[BookingEvent]]:
    return selectors.history_of(keys)


def payments_by_bill(context: Context, keys: list[int]) -> dict[int, list[Charge]]:
    return charges_of_bills(keys)


def payments_along(info: Info) -> Coming:
    return Coming(payments_by_bill, charges_along())


def lines_along(info: Info) -> Coming:
    return Coming(lines_by_booking, selectors.lines_along())


def history_along(info: Info) -> Coming:
    return Coming(history_by_booking, selectors.history_along())


# What is read for fields of bookings, and can come along with a list of them.
ALONG: Fields = {
    "payments": payments_along,
    "paymentStatus": payments_along,
    "lines": lines_along,
    "history": history_along,
    "refundable": history_along,
}


def bookings_by_bill(context: Context, keys: list[int]) -> dict[int, Booking]:
    return selectors.bookings_of_bills(keys)
