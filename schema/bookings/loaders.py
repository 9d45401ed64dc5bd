"""Batches for what hangs off a booking."""

from __future__ import annotations

from apps.bookings import selectors
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.payments.models import Charge
from apps.payments.selectors import charges_along, charges_of_bills
from schema.core.context import Context, Info
from schema.core.loaders import Batch
from schema.core.lookahead import Coming, Fields
from schema.core.selections import asked_below


def lines_by_booking(context: Context, keys: list[int]) -> dict[int, list[BookingLine]]:
    return selectors.lines_of(keys)


def history_by_booking(context: Context, keys: list[int]) -> dict[int, list[BookingEvent]]:
    return selectors.history_of(keys)


# What is shown with no more than apps.payments.selectors.BRIEF of each payment.
BRIEF_PAYMENT_FIELDS = frozenset({
    "__typename", "id", "status", "timing", "amount", "refunded", "amountMinor", "currency", "createdAt", "paidAt",
})  # fmt: skip


def payments_by_bill(context: Context, keys: list[int]) -> dict[int, list[Charge]]:
    return charges_of_bills(keys, is_brief=False)


def brief_payments_by_bill(context: Context, keys: list[int]) -> dict[int, list[Charge]]:
    """The same where nothing is asked for but BRIEF_PAYMENT_FIELDS."""
    return charges_of_bills(keys, is_brief=True)


def payments_for(info: Info) -> Batch[int, list[Charge]]:
    """The batch that reads what is asked of payments below the field."""
    return brief_payments_by_bill if asked_below(info) <= BRIEF_PAYMENT_FIELDS else payments_by_bill


def payments_along(info: Info) -> Coming:
    batch = payments_for(info)
    return Coming(batch, charges_along(is_brief=batch is brief_payments_by_bill))


def prime_payments(context: Context, found: dict[int, list[Charge]]) -> None:
    """Hand over all payments of some bills, whatever is asked of them."""
    for batch in (payments_by_bill, brief_payments_by_bill):
        context.loaders.prime(batch, found)


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
