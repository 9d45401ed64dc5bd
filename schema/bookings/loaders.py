"""Batches for what hangs off a booking."""

from __future__ import annotations

from apps.bookings import selectors
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.payments.models import Charge
from apps.payments.selectors import charges_of_bills
from schema.core.context import Context


def lines_by_booking(context: Context, keys: list[int]) -> dict[int, list[BookingLine]]:
    return selectors.lines_of(keys)


def history_by_booking(context: Context, keys: list[int]) -> dict[int, list[BookingEvent]]:
    return selectors.history_of(keys)


def payments_by_bill(context: Context, keys: list[int]) -> dict[int, list[Charge]]:
    return charges_of_bills(keys)


def bookings_by_bill(context: Context, keys: list[int]) -> dict[int, Booking]:
    return selectors.bookings_of_bills(keys)
