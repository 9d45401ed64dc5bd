"""Cards that were removed, and cards of people who left: what is still to be charged is charged, then they are forgotten."""

from datetime import timedelta

import pytest

from apps.accounts.actions import delete_account
from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.errors import WrongState
from apps.payments.cards import forget_at_processor, remove_card
from apps.payments.models import Bill, Card, Charge
from apps.users.models import User
from tests.bookings.life import MINUTE, charges, gave_back, held, ledger, longer, nights, paid, parked, stay, work
from tests.hosting.inputs import NOW
from tests.payments.steps import jobs_kept, stripe_api
from tests.recipes import PASSWORD, make_guest, make_parking_spot, make_property

pytestmark = pytest.mark.django_db(transaction=True)

REFUSES_LATER = "pm_card_chargeCustomerFail"


def customer_of(payment_method: str) -> object:
    """With whom the processor keeps the card; None once it has forgotten it."""
    return stripe_api("GET", f"/v1/payment_methods/{payment_method}")["customer"]


def in_debt(guest: User) -> Booking:
    """Parking that is over and whose card, the guest's for the second time, refused to pay."""
    early = parked(make_parking_spot(), guest=guest, start=NOW + timedelta(days=9), card=REFUSES_LATER)
    actions.cancel(viewer=guest, booking_id=early.pk, now=NOW)
    booking = parked(make_parking_spot(price_minor=6_000), guest=guest, card=REFUSES_LATER)
    actions.finish_due(now=NOW + 60 * MINUTE)
    work(now=NOW + 60 * MINUTE)
    assert charges(booking) == [("FAILED", 6_000)]
    return booking


def test_a_card_is_kept_under_each_of_its_names_while_a_debt_is_asked_for() -> None:
    guest = make_guest()
    booking = in_debt(guest)
    card = Card.objects.get()
    saved = Charge.objects.get(bill=booking.bill_id)
    assert card.payment_method != saved.payment_method
    due = NOW + timedelta(days=2)
    for _ in range(2):
        with pytest.raises(WrongState):
            remove_card(viewer=guest, card_id=card.payment_method)
        # The next time it is with the processor, under the later name, and no retry is scheduled.
        actions.collect_debts(now=due)
    assert Bill.objects.get(pk=booking.bill_id).retry_at is None
    assert Card.objects.exists()


def test_a_card_that_is_to_be_charged_is_not_forgotten_by_the_processor() -> None:
    booking = parked(make_parking_spot(price_minor=6_000))
    name = Charge.objects.get().payment_method
    assert not forget_at_processor(payment_method=name)
    assert customer_of(name) is not None
    actions.finish_due(now=NOW + 60 * MINUTE)
    assert not forget_at_processor(payment_method=name)
    work(now=NOW + 60 * MINUTE)
    assert charges(booking) == [("SUCCEEDED", 6_000)]
    assert forget_at_processor(payment_method=name)
    assert customer_of(name) is None


def test_what_was_paid_with_a_removed_card_goes_back_to_it() -> None:
    booking = stay(make_property(), 2)
    charge, guest = Charge.objects.get(), booking.guest
    assert guest is not None
    remove_card(viewer=guest, card_id=Card.objects.get().payment_method)
    assert forget_at_processor(payment_method=charge.payment_method)
    gave_back(booking, 3_000)
    actions.cancel(viewer=booking.listing.host, booking_id=booking.pk, now=NOW)
    work()
    assert ledger(booking) == (20_000, 20_000, 20_000)


def test_what_becomes_dearer_after_the_card_was_removed_is_paid_with_another() -> None:
    home = make_property()
    booking = paid(held(home, **nights(home, 1)))
    guest = booking.guest
    assert guest is not None
    remove_card(viewer=guest, card_id=Card.objects.get().payment_method)
    forget_at_processor(payment_method=Charge.objects.get().payment_method)
    longer(booking, 2)
    assert charges(booking) == [("SUCCEEDED", 10_000), ("FAILED", 10_000)]
    assert paid(booking, card="pm_card_mastercard").bill.owed.minor == 0


def test_who_leaves_while_the_end_is_charged_pays_and_is_forgotten_then() -> None:
    guest = make_guest(password=PASSWORD)
    booking = parked(make_parking_spot(price_minor=6_000), guest=guest)
    name = Charge.objects.get().payment_method
    over = NOW + 60 * MINUTE
    actions.finish_due(now=over)
    with jobs_kept() as jobs:
        delete_account(viewer=guest, password=PASSWORD, now=over)
    (job,) = [job for job in jobs if job.task == "payments.forget_card"]
    assert not forget_at_processor(**job.arguments)
    with jobs_kept() as jobs:
        work(now=over)
    assert charges(booking) == [("SUCCEEDED", 6_000)]
    (job,) = [job for job in jobs if job.task == "payments.forget_card"]
    assert (job.arguments, forget_at_processor(**job.arguments)) == ({"payment_method": name}, True)
    assert (customer_of(name), Card.objects.exists()) == (None, False)
