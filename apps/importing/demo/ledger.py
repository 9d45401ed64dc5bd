"""Bookings of the demo as the ledgers would have them, gathered and then written together."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from psycopg2.extras import DateTimeTZRange

from apps.availability.models import Allocation, Stock, Unit
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core.ids import READABLE, REFERENCE_LENGTH
from apps.core.money import Money
from apps.core.periods import Period
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.listings.offers import Line, Occupancy, total_of
from apps.payments.models import Bill, Charge, ChargeStatus, PaymentTiming, ReceiptCounter
from apps.payments.stripe_amounts import to_stripe
from apps.users.models import User

# What is still to come is a present of the house, as is all of it where the card processor is a real one: it can be
# canceled without asking about a payment that the processor never saw.
GIFT = "Opening offer"
PAYING = timedelta(minutes=2)
KEYS, INTENTS, CARD = "demo-", "pi_demo_", "pm_card_visa"

Story = list[tuple[datetime, BookingEventType, Actor, dict[str, Any]]]


@dataclass(slots=True)
class Visit:
    """What happened, or will: `paid` visits have a payment behind them, others are a present."""

    listing: Listing
    guest: User
    occupancy: Occupancy
    status: BookingStatus
    booked_at: datetime
    unit: Unit | None = None
    paid: bool = True


def past_payments() -> list[dict[str, Any]]:
    """The demo's payments as the card processor has to know them, for one that was not there when they were made."""
    charges = Charge.objects.filter(idempotency_key__startswith=KEYS, intent_id__startswith=INTENTS)
    return [
        {
            "id": charge.intent_id,
            "amount": to_stripe(charge.amount),
            "currency": charge.currency.lower(),
            "payment_method": CARD,
            "created": int((charge.paid_at or charge.created_at).timestamp()),
            "metadata": {"holdfast_charge": str(charge.pk)},
        }
        for charge in charges.order_by("pk")
    ]


class Books:
    """Gathers visits; `write` turns them into bookings with their place, bill, payment, lines and history."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now
        self._visits: list[Visit] = []
        self._bookings: list[Booking] = []
        self._allocations: list[Allocation] = []
        self._bills: list[Bill] = []
        self._charges: list[Charge] = []
        self._lines: list[BookingLine] = []
        self._events: list[BookingEvent] = []

    def add(self, visit: Visit) -> None:
        self._visits.append(visit)

    def write(self) -> None:
        """Write everything that was added. The database's constraints check that nothing overlaps or is oversold."""
        self._visits.sort(key=lambda visit: visit.booked_at)
        holders = self._holders(len(self._visits))
        for number, (visit, holder) in enumerate(zip(self._visits, holders, strict=True)):
            self._enter(number, visit, holder)
        self._number_receipts()
        Allocation.objects.bulk_create(self._allocations)
        Bill.objects.bulk_create(self._bills)
        Booking.objects.bulk_create(self._bookings)
        BookingLine.objects.bulk_create(self._lines)
        BookingEvent.objects.bulk_create(self._events)
        Charge.objects.bulk_create(self._charges)
        for visit in self._visits:
            if visit.occupancy.quantity is not None and visit.status != BookingStatus.CANCELED:
                Stock.objects.filter(pk=visit.listing.pk).update(taken=F("taken") + visit.occupancy.quantity)

    @staticmethod
    def _holders(count: int) -> Sequence[int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('availability_holder') FROM generate_series(1, %s)", [count])
            return [int(row[0]) for row in cursor.fetchall()]

    def _enter(self, number: int, visit: Visit, holder: int) -> None:
        listing, occupancy = visit.listing, visit.occupancy
        kind = kind_of(listing)
        lines = list(kind.lines(listing, occupancy, price=listing.price))
        owed = total_of(lines, currency=listing.currency)
        if not visit.paid and owed.minor:
            lines.append(Line(GIFT, quantity=lines[0].quantity / lines[0].quantity, unit_amount=-owed, amount=-owed))
        total = total_of(lines, currency=listing.currency)
        is_canceled = visit.status == BookingStatus.CANCELED
        timing = PaymentTiming(kind.payment_timing)
        allocation = Allocation(
            listing=listing,
            unit=visit.unit,
            quantity=occupancy.quantity or 1,
            period=_range(occupancy.occupied),
            holder=holder,
            is_active=not is_canceled,
            created_at=visit.booked_at,
        )
        bill = Bill(
            currency=listing.currency,
            total_minor=total.minor,
            captured_minor=total.minor,
            settled_minor=total.minor,
            timing=timing,
            created_at=visit.booked_at,
        )
        story = _story(visit, total, timing, ends_early=kind.ends_early)
        at = {event: moment for moment, event, _, _ in story}
        booking = Booking(
            reference=_reference(number),
            status=visit.status,
            listing=listing,
            guest=visit.guest,
            email=visit.guest.email,
            first_name=visit.guest.first_name,
            last_name=visit.guest.last_name,
            allocation=allocation,
            bill=bill,
            period=_range(occupancy.period),
            check_in=occupancy.check_in,
            check_out=occupancy.check_out,
            tickets=occupancy.quantity,
            guests=occupancy.guests,
            price_minor=listing.price_minor,
            currency=listing.currency,
            cancellation_policy=listing.cancellation_policy,
            created_at=visit.booked_at,
            confirmed_at=at[BookingEventType.CONFIRMED],
            checked_in_at=at.get(BookingEventType.CHECKED_IN),
            completed_at=at.get(BookingEventType.COMPLETED),
            canceled_at=at.get(BookingEventType.CANCELED),
        )
        if total.minor:
            paid_at = at[BookingEventType.COMPLETED if timing == PaymentTiming.AT_END else BookingEventType.CONFIRMED]
            self._charges.append(_charge(number, visit, bill, total, timing, paid_at=paid_at))
        self._allocations.append(allocation)
        self._bills.append(bill)
        self._bookings.append(booking)
        self._lines += [
            BookingLine(
                booking=booking,
                position=position,
                label=line.label,
                quantity=line.quantity,
                unit_amount_minor=line.unit_amount.minor,
                amount_minor=line.amount.minor,
                currency=line.amount.currency,
            )
            for position, line in enumerate(lines)
        ]
        self._events += [
            BookingEvent(booking=booking, at=moment, type=event, actor=actor, data=data)
            for moment, event, actor, data in story
        ]

    def _number_receipts(self) -> None:
        """Receipt numbers without gaps, year by year, after those that were given out before."""
        charges = sorted((charge for charge in self._charges if charge.paid_at), key=lambda charge: charge.paid_at or 0)
        for charge in charges:
            assert charge.paid_at is not None
        years = sorted({_year(charge) for charge in charges})
        ReceiptCounter.objects.bulk_create([ReceiptCounter(year=year) for year in years], ignore_conflicts=True)
        last = {row.year: row.last for row in ReceiptCounter.objects.select_for_update().filter(year__in=years)}
        for charge in charges:
            year = _year(charge)
            last[year] += 1
            charge.receipt_number = f"{year}-{last[year]:06d}"
        for year, number in last.items():
            ReceiptCounter.objects.filter(year=year).update(last=number)


def _year(charge: Charge) -> int:
    assert charge.paid_at is not None
    return charge.paid_at.astimezone(UTC).year


def _range(period: Period) -> DateTimeTZRange:
    return DateTimeTZRange(period.start, period.end)


def _reference(number: int) -> str:
    """Eight readable characters, the same for the same booking of the demo."""
    digest = hashlib.sha256(f"demo:{number}".encode()).digest()
    return "".join(READABLE[byte % len(READABLE)] for byte in digest[:REFERENCE_LENGTH])


def _charge(number: int, visit: Visit, bill: Bill, total: Money, timing: PaymentTiming, *, paid_at: datetime) -> Charge:
    started_at = visit.booked_at + PAYING
    return Charge(
        bill=bill,
        payer=visit.guest,
        timing=timing,
        status=ChargeStatus.SUCCEEDED,
        amount_minor=total.minor,
        currency=total.currency,
        payment_method=CARD,
        idempotency_key=f"{KEYS}{number}",
        intent_id=f"{INTENTS}{number}",
        card_brand="visa",
        card_last4="4242",
        created_at=started_at,
        paid_at=paid_at,
        card_saved_at=started_at if timing == PaymentTiming.AT_END else None,
    )


def _story(visit: Visit, total: Money, timing: PaymentTiming, *, ends_early: bool) -> Story:
    """The history that leads to the visit's status, oldest first."""
    period = visit.occupancy.period
    booked_at = visit.booked_at
    paid_at = booked_at + PAYING
    story: Story = [(booked_at, BookingEventType.HELD, Actor.GUEST, {})]
    if total.minor:
        told = {} if timing == PaymentTiming.AT_END else {"amountMinor": total.minor, "currency": total.currency}
        story.append((paid_at, BookingEventType.PAYMENT_STARTED, Actor.GUEST, {}))
        story.append((paid_at, BookingEventType.PAYMENT_SUCCEEDED, Actor.SYSTEM, told))
    confirmed_at = paid_at if total.minor else booked_at
    story.append((confirmed_at, BookingEventType.CONFIRMED, Actor.SYSTEM, {}))
    if visit.status == BookingStatus.CANCELED:
        story.append((booked_at + timedelta(hours=20), BookingEventType.CANCELED, Actor.GUEST, {}))
    if visit.status == BookingStatus.CHECKED_IN or (visit.status == BookingStatus.COMPLETED and not ends_early):
        came_at = period.start + timedelta(minutes=5)
        story.append((came_at, BookingEventType.CHECKED_IN, Actor.HOST, {}))
    if visit.status == BookingStatus.COMPLETED:
        if ends_early:
            story.append((period.end, BookingEventType.ENDED, Actor.GUEST, {}))
        story.append((period.end, BookingEventType.COMPLETED, Actor.GUEST if ends_early else Actor.SYSTEM, {}))
    return story
