"""Money that the card processor counts, or takes, otherwise than most."""

from datetime import timedelta

import pytest

from apps.bookings import actions
from apps.core.money import Money
from apps.payments.models import Charge, Refund
from tests.bookings.life import again, charges, held, ledger, nights, paid, parked, stay, work
from tests.hosting.inputs import NOW, refusals
from tests.recipes import make_event, make_parking_spot, make_property

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("currency", "price"), [("ISK", 12_000), ("UGX", 90_000), ("MGA", 9_000_000), ("KWD", 31_250), ("KWD", 31_251)]
)
def test_a_stay_is_paid_and_given_back_to_the_last_unit(currency: str, price: int) -> None:
    booking = stay(make_property(currency=currency, price_minor=price, cancellation_policy="FLEXIBLE"), 2)
    assert (booking.status, charges(booking)) == ("CONFIRMED", [("SUCCEEDED", 2 * price)])
    actions.cancel(viewer=booking.guest, booking_id=booking.pk, now=NOW)
    work()
    assert ledger(booking) == (2 * price, 2 * price, 2 * price)
    result = actions.reconcile(since=NOW - timedelta(days=1), now=NOW)
    assert not [line for line in [*result.drift, *result.healed] if f"charge {Charge.objects.get().pk})" in line]


@pytest.mark.parametrize(
    ("currency", "price", "code"),
    [("CLF", 10_000, "currency_not_supported"), ("MGA", 12_345, "amount_not_chargeable")],
)
def test_what_no_card_can_be_charged_with_fails_and_leaves_the_hold(currency: str, price: int, code: str) -> None:
    for booking in (
        paid(held(make_event(currency=currency, price_minor=price), tickets=1)),
        parked(make_parking_spot(currency=currency, price_minor=price)),
    ):
        charge = Charge.objects.get(bill=booking.bill_id)
        assert (booking.status, charge.status, charge.failure_code) == ("PENDING", "FAILED", code)
        assert (charge.amount_minor, charge.intent_id, charge.setup_intent_id) == (price, "", "")
        assert ledger(booking) == (price, 0, 0)


def test_half_of_an_odd_price_goes_back_in_coins_that_there_are() -> None:
    home = make_property(currency="KWD", price_minor=10_010, cancellation_policy="STRICT")
    booking = paid(held(home, **nights(home, 1)))
    assert actions.cancel(viewer=booking.guest, booking_id=booking.pk, now=NOW).status == "CANCELED"
    work()
    # Half of 10.010 are 5.005, which no card can be given.
    assert list(Refund.objects.values_list("status", "amount_minor")) == [("SUCCEEDED", 5_010)]
    assert ledger(booking) == (10_010, 10_010, 5_010)


def test_who_gives_back_by_hand_is_told_of_coins_that_there_are_not() -> None:
    booking = stay(make_property(currency="MGA", price_minor=1_000_000), 1)
    charge = Charge.objects.get()
    for minor in (1, 1_050):
        assert refusals(
            actions.refund,
            viewer=booking.listing.host,
            payment_id=charge.pk,
            amount=Money(minor, "MGA"),
            now=NOW,
        ) == {("INVALID", "amount")}
    assert (again(booking).bill.refunded_minor, Refund.objects.count()) == (0, 0)
