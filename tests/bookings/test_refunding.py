"""Money that the host and staff give back by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.bookings import actions
from apps.bookings.actions.outside import take_over_refunds
from apps.bookings.models import Booking
from apps.core.money import Money
from apps.payments.models import Bill, Charge, Refund
from tests.bookings.life import again, charges, held, ledger, paid, parked, stay, story, work
from tests.hosting.inputs import NOW, refusals
from tests.payments.steps import stripe_api
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_staff

pytestmark = pytest.mark.django_db(transaction=True)


def the_charge(booking: Booking) -> Charge:
    return Charge.objects.get(bill=booking.bill_id)


def refund(booking: Booking, **given: Any) -> Charge:
    arguments = {"viewer": booking.listing.host, "payment_id": the_charge(booking).pk, "now": NOW, **given}
    return actions.refund(**arguments)


def refused(booking: Booking, **given: Any) -> set[tuple[str, str]]:
    arguments = {"viewer": booking.listing.host, "payment_id": the_charge(booking).pk, "now": NOW, **given}
    return refusals(actions.refund, **arguments)


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


def test_parts_and_then_the_rest() -> None:
    booking = stay(make_property(), 2)
    receipt = the_charge(booking).receipt_number
    assert refund(booking, amount=euros(1)).status == "PARTIALLY_REFUNDED"
    assert refund(booking, viewer=make_staff()).status == "REFUNDED"
    work()
    assert again(booking).status == "CONFIRMED"
    assert (ledger(booking), charges(booking)) == ((20_000, 20_000, 20_000), [("REFUNDED", 20_000)])
    assert the_charge(booking).receipt_number == receipt
    assert story(booking)[-2:] == [("REFUNDED", "HOST"), ("REFUNDED", "STAFF")]
    assert list(Refund.objects.order_by("pk").values_list("status", "amount_minor")) == [
        ("SUCCEEDED", 1),
        ("SUCCEEDED", 19_999),
    ]
    assert refused(booking) == {("WRONG_STATE", "payment_id")}


@pytest.mark.parametrize(
    "amount", [euros(0), euros(-1), euros(20_001), euros(2**63 - 1), Money(100, "USD"), Money(100, "JPY")]
)
def test_no_more_than_is_left_and_in_its_currency(amount: Money) -> None:
    booking = stay(make_property(), 2)
    assert refused(booking, amount=amount) == {("INVALID", "amount")}
    assert (ledger(booking), Refund.objects.count()) == ((20_000, 20_000, 0), 0)


def test_who_may_not() -> None:
    booking = stay(make_property(), 2)
    assert refused(booking, viewer=booking.guest) == {("NOT_ALLOWED", "payment_id")}
    for stranger in (make_guest(), make_property().host):
        assert refused(booking, viewer=stranger) == {("NOT_FOUND", "payment_id")}
    for wrong in (None, 0, the_charge(booking).pk + 1):
        assert refused(booking, payment_id=wrong) == {("NOT_FOUND", "payment_id")}
    assert ledger(booking) == (20_000, 20_000, 0)


def test_only_what_was_captured_is_given_back() -> None:
    declined = paid(held(make_event(), tickets=1), card="pm_card_chargeDeclined")
    saved = parked(make_parking_spot())
    waiting = paid(held(make_event(), tickets=1), card="pm_card_authenticationRequired")
    for booking in (declined, saved, waiting):
        assert refused(booking) == {("WRONG_STATE", "payment_id")}
    assert Refund.objects.count() == 0


def test_the_same_key_refunds_once_and_another_amount_is_told() -> None:
    booking = stay(make_property(), 2)
    key = {"idempotency_key": "refund-once"}
    assert refund(booking, amount=euros(500), **key).pk == refund(booking, amount=euros(500), **key).pk
    assert ledger(booking) == (20_000, 20_000, 500)
    duplicate = {("DUPLICATE", "idempotency_key")}
    assert refused(booking, amount=euros(501), **key) == duplicate
    assert refused(booking, amount=Money(500, "JPY"), **key) == duplicate
    assert refused(booking, **key) == duplicate
    assert refused(booking, amount=euros(500), reason="Rain", **key) == duplicate
    # Another caller's key is another key.
    refund(booking, amount=euros(500), viewer=make_staff(), **key)
    assert ledger(booking) == (20_000, 20_000, 1_000)


def test_a_refund_of_all_is_the_same_refund_again() -> None:
    booking = stay(make_property(), 2)
    for _ in range(2):
        assert refund(booking, idempotency_key="refund-all").status == "REFUNDED"
    assert (ledger(booking), Refund.objects.count()) == ((20_000, 20_000, 20_000), 1)


def test_what_was_given_back_is_not_owed_again() -> None:
    booking = stay(make_property(), 2)
    refund(booking, amount=euros(5_000))
    work()
    assert again(booking).bill.owed == euros(0)
    paying = {"viewer": booking.guest, "booking_id": booking.pk, "payment_method": "pm_card_visa", "now": NOW}
    assert refusals(actions.pay, **paying) == {("WRONG_STATE", "booking_id")}
    assert charges(booking) == [("PARTIALLY_REFUNDED", 20_000)]


def test_what_is_left_goes_back_when_somebody_was_faster_outside() -> None:
    booking = stay(make_property(cancellation_policy="FLEXIBLE"), 1)
    charge = the_charge(booking)
    actions.cancel(viewer=booking.guest, booking_id=booking.pk, now=NOW)
    stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=300)
    work()
    assert take_over_refunds(intent_id=charge.intent_id, now=NOW) in (0, 1)
    work()
    given = list(Refund.objects.order_by("pk").values_list("status", "amount_minor"))
    assert given == [("FAILED", 10_000), ("SUCCEEDED", 300), ("SUCCEEDED", 9_700)]
    assert ledger(booking) == (10_000, 10_000, 10_000)
    take_over_refunds(intent_id=charge.intent_id, now=NOW)
    work()
    assert Refund.objects.count() == 3


def test_who_mends_a_failed_refund_outside_is_not_helped_twice() -> None:
    booking = stay(make_property(cancellation_policy="FLEXIBLE"), 1)
    charge = the_charge(booking)
    refund(booking, amount=euros(4_000))
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    Refund.objects.update(status="FAILED", updated_at=long_ago)
    Charge.objects.update(status="SUCCEEDED", refunded_minor=0)
    Bill.objects.update(refunded_minor=0)
    stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=4_000)
    take_over_refunds(intent_id=charge.intent_id, now=NOW)
    work()
    assert ledger(booking) == (10_000, 10_000, 4_000)
