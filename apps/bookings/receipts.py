"""Receipts: what was paid for which booking, behind an address that cannot be guessed and ends after a while."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from apps.bookings.models import Booking, BookingLine
from apps.bookings.selectors import bookings_of_bills, lines_of
from apps.core.ids import derivations, derive, same_secret
from apps.core.money import Money
from apps.payments.models import CAPTURED_STATUSES, Charge, Refund, RefundStatus

# An address given out today is good for at least so many days.
GOOD_FOR_DAYS = 30
SIGNATURE = 40


class Expired(Exception):
    """The address was right, and its time is over."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What stands on a receipt. Nothing that tells where the listing is."""

    number: str
    paid_at: datetime
    payer: str
    title: str
    host: str
    reference: str
    start: datetime
    end: datetime
    zone: str
    lines: list[BookingLine]
    total: Money
    paid: Money
    card: str
    refunds: list[tuple[datetime, Money]]

    @property
    def refunded(self) -> Money:
        return Money(sum(amount.minor for _, amount in self.refunds), self.paid.currency)

    @property
    def kept(self) -> Money:
        """What was paid and has not gone back."""
        return self.paid - self.refunded


def receipt_url(charge: Charge, *, now: datetime) -> str | None:
    """Where the receipt of a captured payment can be read without an account; the same address all day long."""
    if charge.status not in CAPTURED_STATUSES or charge.receipt_number is None:
        return None
    until = int(now.timestamp()) // 86_400 + GOOD_FOR_DAYS + 1
    return f"{settings.PUBLIC_URL}/receipts/{charge.pk}-{until}-{_signature(charge.pk, until)}"


def _signature(charge_id: int, until: int) -> str:
    return derive("receipt", charge_id, until)[:SIGNATURE]


def receipt_of(address: str, *, now: datetime) -> Receipt | None:
    """The receipt behind the last part of an address; None for any other text. Raises Expired."""
    parts = address.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 18 for part in parts[:2]):
        return None
    charge_id, until = int(parts[0]), int(parts[1])
    if not any(same_secret(each[:SIGNATURE], parts[2]) for each in derivations("receipt", charge_id, until)):
        return None
    if now.timestamp() >= until * 86_400:
        raise Expired
    charge = Charge.objects.filter(pk=charge_id, status__in=CAPTURED_STATUSES).first()
    return None if charge is None else _receipt(charge, bookings_of_bills([charge.bill_id])[charge.bill_id])


def _receipt(charge: Charge, booking: Booking) -> Receipt:
    zone = ZoneInfo(booking.listing.time_zone)
    gone_back = Refund.objects.filter(charge=charge).exclude(status=RefundStatus.FAILED).order_by("created_at", "pk")
    guest = booking.guest
    named = (guest.first_name, guest.last_name) if guest is not None else (booking.first_name, booking.last_name)
    return Receipt(
        number=charge.receipt_number or "",
        paid_at=(charge.paid_at or charge.created_at).astimezone(zone),
        payer=" ".join(filter(None, named)),
        title=booking.listing.title,
        host=booking.listing.host.display_name,
        reference=booking.reference,
        start=booking.span.start.astimezone(zone),
        end=booking.span.end.astimezone(zone),
        zone=booking.listing.time_zone,
        lines=lines_of([booking.pk])[booking.pk],
        total=booking.bill.total,
        paid=charge.amount,
        card=f"{charge.card_brand.capitalize()} •••• {charge.card_last4}" if charge.card_last4 else "",
        refunds=[(row.created_at.astimezone(zone), Money(row.amount_minor, charge.currency)) for row in gone_back],
    )
