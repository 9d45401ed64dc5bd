"""Debts: what a saved card refused to pay at the end is asked for again on a schedule kept in the database."""

from datetime import datetime

from apps.bookings.models import Booking
from apps.bookings.selectors import lock_booking
from apps.bookings.states import Actor, BookingEventType
from apps.core.db import unit_of_work
from apps.core.outbox import enqueue
from apps.payments.actions import retry_charge
from apps.payments.models import Bill

BATCH = 50


def collect_debts(*, now: datetime) -> int:
    """The sweep: ask the saved cards of debts that are due for another try. Safe with many workers.

    Returns how many were asked.
    """
    due = Bill.objects.filter(retry_at__lte=now).order_by("retry_at").values_list("pk", flat=True)[:BATCH]
    return sum(_collect(bill_id=bill_id, now=now) for bill_id in list(due))


@unit_of_work
def _collect(*, bill_id: int, now: datetime) -> bool:
    booking_id = Booking.objects.values_list("pk", flat=True).get(bill=bill_id)
    lock_booking(booking_id)
    bill = Bill.objects.select_for_update().get(pk=bill_id)
    if bill.retry_at is None or bill.retry_at > now:
        return False
    charge = retry_charge(bill, now=now)
    if charge is None:
        return False
    Booking.objects.get(pk=booking_id).record(BookingEventType.PAYMENT_STARTED, now=now, actor=Actor.SYSTEM)
    enqueue("bookings.carry_out_payment", charge_id=charge.pk)
    return True
