"""Changing a booking: its place and its debt move together in one transaction, or nothing does."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from psycopg2.extras import DateTimeTZRange

from apps.availability.actions import allocate, release
from apps.availability.selectors import is_free
from apps.bookings.actions.cancel import give_back
from apps.bookings.actions.expire import dead_holds_cleared, past_dead_holds
from apps.bookings.actions.hold import write_lines
from apps.bookings.models import Booking
from apps.bookings.quotes import QuoteResult
from apps.bookings.repricing import repriced
from apps.bookings.selectors import booking_for, lines_of
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.bookings.terms import share_now
from apps.core.db import unit_of_work
from apps.core.errors import (
    DomainError,
    InputErrors,
    Invalid,
    NotAllowed,
    OutsideRules,
    Required,
    Unavailable,
    WrongState,
)
from apps.core.money import LARGEST_TOTAL, Money
from apps.core.outbox import enqueue
from apps.core.periods import Period
from apps.listings.kinds import kind_of
from apps.listings.offers import BookingRequest, Line, Occupancy, total_of
from apps.payments.actions import open_charge, set_total, settle_down_to, start_charge
from apps.payments.models import CAPTURED_STATUSES, Bill, Charge, PaymentTiming
from apps.payments.stripe_amounts import nearest_movable
from apps.users.models import User


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change would make of a booking."""

    occupancy: Occupancy
    lines: list[Line]
    total: Money


def _occupied(booking: Booking) -> Occupancy:
    return Occupancy(
        period=booking.span,
        occupied=booking.allocation.occupied,
        quantity=booking.tickets,
        check_in=booking.check_in,
        check_out=booking.check_out,
        guests=booking.guests,
    )


def _booked_lines(booking: Booking) -> list[Line]:
    return [
        Line(label=row.label, quantity=row.quantity, unit_amount=row.unit_amount, amount=row.amount)
        for row in lines_of([booking.pk])[booking.pk]
    ]


def _is_usable(booking: Booking) -> bool:
    """A driver who is there already still chooses when to leave."""
    is_there = booking.status == BookingStatus.CHECKED_IN and kind_of(booking.listing).ends_early
    return booking.status == BookingStatus.CONFIRMED or is_there


def _require_changeable(booking: Booking, *, now: datetime) -> None:
    if booking.has_run_out(now=now):
        raise WrongState("The hold has run out; book again.", field="booking_id")
    if booking.status == BookingStatus.PENDING:
        return
    if not _is_usable(booking) or booking.span.end <= now:
        raise WrongState(f"A booking that is {booking.status} cannot be changed.", field="booking_id")


def _require_may_change(booking: Booking, side: Actor, *, now: datetime) -> None:
    if side is Actor.HOST:
        raise NotAllowed("A booking is changed by its guest or staff.", field="booking_id")
    _require_changeable(booking, now=now)
    if open_charge(booking.bill_id) is not None:
        raise WrongState("A payment is under way; wait for its outcome.", field="booking_id")


def plan(booking: Booking, change: BookingRequest, *, now: datetime) -> Plan:
    """What the change would take and cost, by the kind's rules. Raises Required, Invalid, OutsideRules."""
    kind = kind_of(booking.listing)
    if not change.given():
        raise Required("Say what is to change.")
    foreign = sorted(change.given() - kind.change_fields)
    if foreign:
        raise InputErrors([Invalid("This booking has no such thing to change.", field=name) for name in foreign])
    present = _occupied(booking)
    wanted = kind.request_of(booking.listing, present).merged_with(change)
    occupancy = kind.occupancy(booking.listing, wanted, now=now, present=present)
    booked = _booked_lines(booking)
    old_price = Money(booking.price_minor, booking.currency)
    lines = kind.lines(booking.listing, occupancy, price=old_price, booked=booked)
    # What is charged at its end is charged at the price as booked; the rest keeps it for what was already bought.
    if booking.bill.timing == PaymentTiming.NOW and booking.listing.currency == booking.currency:
        lines = repriced(lines, booked=booked, today=booking.listing.price)
    total = total_of(lines, currency=booking.currency)
    if total.minor > LARGEST_TOTAL:
        raise OutsideRules("This is more than can be charged.")
    return Plan(occupancy=occupancy, lines=lines, total=total)


def _is_free(booking: Booking, planned: Occupancy, *, now: datetime) -> bool:
    return is_free(
        booking.listing,
        planned.occupied,
        quantity=planned.quantity,
        now=now,
        besides=booking.allocation,
    )


def change_quote(
    *, viewer: User | None, booking_id: int | None, access_token: str | None, change: BookingRequest, now: datetime
) -> QuoteResult:
    """The lines of the new booking; `total` is what will be charged, or, below zero, what will come back."""
    try:
        booking, side = booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token)
        _require_may_change(booking, side, now=now)
        planned = plan(booking, change, now=now)
    except InputErrors as error:
        return QuoteResult(errors=error.errors[:1])
    except DomainError as error:
        return QuoteResult(errors=[error])
    difference = _difference(booking, planned, now=now)
    if _is_free(booking, planned.occupancy, now=now):
        return QuoteResult(lines=planned.lines, total=difference, is_available=True)
    return QuoteResult(lines=planned.lines, total=difference, errors=[Unavailable("This is taken.")])


def _difference(booking: Booking, planned: Plan, *, now: datetime) -> Money:
    bill = booking.bill
    difference = planned.total - bill.total
    if bill.timing == PaymentTiming.AT_END or booking.status == BookingStatus.PENDING:
        return difference
    if bill.settled_minor > planned.total.minor:
        return -_coming_back(bill, planned, share=share_now(booking, now=now))
    # What an earlier change left unpaid is charged along; less to pay than before charges nothing now.
    return (
        planned.total - Money(bill.settled_minor, bill.currency) if difference.minor > 0 else Money.zero(bill.currency)
    )


def _coming_back(bill: Bill, planned: Plan, *, share: Fraction) -> Money:
    """The policy's share of what was settled beyond the new total; never more than is still there."""
    surplus = Money(bill.settled_minor, bill.currency) - planned.total
    return Money(min(nearest_movable(surplus.times(share), of=surplus).minor, bill.paid.minor), bill.currency)


@past_dead_holds
@unit_of_work
def change(
    *,
    viewer: User | None,
    booking_id: int | None,
    access_token: str | None = None,
    change: BookingRequest,
    now: datetime,
) -> Booking:
    """Other days, another length, other tickets, another slot: applied at once.

    What became dearer is charged to the card that paid; of what became cheaper the policy's present share goes back.
    Raises NotFound at `booking_id`, NotAllowed to the host, WrongState, Required and Invalid for the input, OutsideRules
    by the kind's rules, Unavailable without room; then everything is as it was.
    """
    booking, side = booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token, lock=True)
    _require_may_change(booking, side, now=now)
    planned = plan(booking, change, now=now)
    share = share_now(booking, now=now)
    before = booking.span
    _move(booking, planned.occupancy, now=now)
    booking.record(BookingEventType.CHANGED, now=now, actor=side, **_story(booking, before, planned))
    _reprice(booking, planned, share_back=share, actor=side, now=now)
    return booking


def _move(booking: Booking, planned: Occupancy, *, now: datetime) -> None:
    """Take the new place, then give up the old one. Both have the same holder, so they never conflict."""
    old = booking.allocation
    if planned.quantity is not None:
        _move_stock(booking, planned, now=now)
    elif planned.occupied != old.occupied:
        with dead_holds_cleared(listing_id=booking.listing_id, period=planned.occupied, now=now):
            booking.allocation = allocate(
                listing_id=booking.listing_id,
                period=planned.occupied,
                quantity=None,
                holder=old.holder,
                held_until=old.held_until,
                now=now,
                preferred_unit=old.unit_id,
            )
        release(old.pk)
    booking.period = DateTimeTZRange(planned.period.start, planned.period.end)
    booking.check_in, booking.check_out = planned.check_in, planned.check_out
    booking.tickets, booking.guests = planned.quantity, planned.guests
    booking.save(update_fields=["allocation", "period", "check_in", "check_out", "tickets", "guests", "updated_at"])


def _move_stock(booking: Booking, planned: Occupancy, *, now: datetime) -> None:
    old = booking.allocation
    if planned.quantity == old.quantity:
        return
    # Given back first, in this transaction: its own tickets never stand in its way.
    release(old.pk)
    with dead_holds_cleared(listing_id=booking.listing_id, period=None, now=now):
        booking.allocation = allocate(
            listing_id=booking.listing_id,
            period=old.occupied,
            quantity=planned.quantity,
            holder=old.holder,
            held_until=old.held_until,
            now=now,
        )


def _reprice(booking: Booking, planned: Plan, *, share_back: Fraction, actor: Actor, now: datetime) -> None:
    bill = Bill.objects.select_for_update().get(pk=booking.bill_id)
    became_dearer = planned.total.minor > bill.total_minor
    surplus = bill.settled_minor - planned.total.minor
    write_lines(booking, planned.lines)
    set_total(bill.pk, planned.total)
    if bill.timing == PaymentTiming.AT_END:
        Charge.objects.filter(bill=bill, status="AUTHORIZED").update(amount_minor=planned.total.minor, updated_at=now)
    elif booking.status != BookingStatus.PENDING and surplus > 0:
        back = _coming_back(bill, planned, share=share_back)
        settle_down_to(bill.pk, planned.total)
        give_back(booking, amount=back, reason="The booking became cheaper.", actor=actor, now=now)
    elif booking.status != BookingStatus.PENDING and became_dearer:
        _charge_difference(booking, bill, Money(-surplus, bill.currency), now=now)
    booking.bill = Bill.objects.get(pk=bill.pk)


def _charge_difference(booking: Booking, bill: Bill, amount: Money, *, now: datetime) -> None:
    """Have the worker charge the card that paid; without one the guest pays the rest by payBooking."""
    paid_by = Charge.objects.filter(bill=bill, status__in=CAPTURED_STATUSES).order_by("-pk").first()
    if paid_by is None or amount.minor <= 0:
        return
    charge = start_charge(
        bill=bill,
        payer=paid_by.payer,
        timing=PaymentTiming.NOW,
        amount=amount,
        payment_method=paid_by.payment_method,
        customer_id=paid_by.customer_id,
        now=now,
    )
    booking.record(BookingEventType.PAYMENT_STARTED, now=now, actor=Actor.SYSTEM)
    enqueue("bookings.carry_out_payment", charge_id=charge.pk)


def _story(booking: Booking, before: Period, planned: Plan) -> dict[str, Any]:
    story: dict[str, Any] = {"totalMinor": planned.total.minor, "currency": planned.total.currency}
    if booking.span != before:
        story |= {"start": booking.span.start.isoformat(), "end": booking.span.end.isoformat()}
    if booking.tickets is not None:
        story["tickets"] = booking.tickets
    return story
