"""A saved card that refuses to pay at the end is asked again on a schedule, then it is a debt that can be paid."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.bookings.actions import carry_out_payment, collect_debts, end, pay
from apps.bookings.models import Booking, BookingEvent
from apps.bookings.selectors import debts
from apps.core.errors import WrongState
from apps.payments.models import Bill, Charge
from apps.users.models import User
from tests.payments.steps import booked, jobs_kept, paid, stripe_api
from tests.recipes import make_guest, make_parking_spot
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC).replace(microsecond=0)
OVER = NOW + timedelta(hours=25)
DAY = timedelta(days=1)


def left_unpaid() -> tuple[User, Booking, datetime]:
    """A driver has left after an hour, and the card refused."""
    guest = make_guest()
    booking = booked(make_parking_spot(price_minor=600), guest=guest, now=NOW, days=1)
    assert paid(booking, now=NOW, card="pm_card_chargeCustomerFail").status == "AUTHORIZED"
    with jobs_kept() as jobs:
        end(viewer=guest, booking_id=booking.pk, now=OVER)
    (job,) = [each for each in jobs if each.task == "bookings.carry_out_payment"]
    carry_out_payment(**job.arguments, now=OVER)
    return guest, booking, OVER


def collected(now: datetime) -> list[str]:
    """Let the sweep and the worker come by; the statuses of all payments, oldest first."""
    with jobs_kept() as jobs:
        collect_debts(now=now)
    for job in jobs:
        if job.task == "bookings.carry_out_payment":
            carry_out_payment(**job.arguments, now=now)
    return list(Charge.objects.order_by("pk").values_list("status", flat=True))


def test_a_refused_card_is_asked_three_times_more_and_never_paid() -> None:
    _, booking, now = left_unpaid()
    assert collected(now) == ["FAILED"]
    assert [debt.pk for debt in debts()] == [booking.pk]
    for attempt, wait in enumerate((1, 3, 7), start=1):
        now += wait * DAY
        assert collected(now - timedelta(seconds=1)) == ["FAILED"] * attempt
        assert collected(now) == ["FAILED"] * (attempt + 1)
    assert collected(now + 365 * DAY) == ["FAILED"] * 4
    booking.refresh_from_db()
    assert booking.status == "COMPLETED"
    assert (booking.bill.captured_minor, booking.bill.owed.minor, booking.bill.retry_at) == (0, 600, None)
    assert BookingEvent.objects.filter(booking=booking, type="PAYMENT_FAILED").count() == 4
    assert [debt.pk for debt in debts()] == [booking.pk]


def test_a_card_that_pays_in_the_end_is_charged_once() -> None:
    _, booking, now = left_unpaid()
    good = stripe_api("POST", "/v1/payment_methods/pm_card_visa/attach", customer=Charge.objects.get().customer_id)
    Charge.objects.update(payment_method=good["id"])
    assert collected(now + DAY) == ["FAILED", "SUCCEEDED"]
    assert collected(now + 30 * DAY) == ["FAILED", "SUCCEEDED"]
    bill = Bill.objects.get(booking=booking)
    assert (bill.captured_minor, bill.owed.minor, bill.retry_at) == (600, 0, None)
    assert not debts().exists()


def test_the_driver_can_pay_the_debt_and_is_not_asked_again() -> None:
    guest, booking, now = left_unpaid()
    with jobs_kept():
        charge = pay(viewer=guest, booking_id=booking.pk, payment_method="pm_card_visa", now=now)
    # A payment is under way: the schedule waits for its outcome.
    assert collected(now + DAY) == ["FAILED", "PROCESSING"]
    carry_out_payment(charge_id=charge.pk, now=now)
    assert collected(now + 9 * DAY) == ["FAILED", "SUCCEEDED"]
    assert not debts().exists()
    with pytest.raises(WrongState):
        pay(viewer=guest, booking_id=booking.pk, payment_method="pm_card_visa", now=now + 9 * DAY)


def test_a_card_that_the_driver_tried_in_vain_changes_nothing_of_the_schedule() -> None:
    guest, booking, now = left_unpaid()
    due = Bill.objects.get(booking=booking).retry_at
    charge = pay(viewer=guest, booking_id=booking.pk, payment_method="pm_card_chargeDeclined", now=now)
    carry_out_payment(charge_id=charge.pk, now=now + timedelta(hours=1))
    assert Bill.objects.get(booking=booking).retry_at == due == now + DAY


def test_many_workers_ask_once() -> None:
    left_unpaid()
    with jobs_kept() as jobs:
        counts = at_once([lambda: collect_debts(now=OVER + DAY)] * 8)
    assert sum(counts) == 1
    assert [job.task for job in jobs if job.task == "bookings.carry_out_payment"] == ["bookings.carry_out_payment"]
    assert Charge.objects.count() == 2
