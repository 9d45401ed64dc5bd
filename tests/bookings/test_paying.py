"""Paying: what is accepted, what the processor says, and news that come late."""

from datetime import timedelta
from typing import Any

import pytest

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.listings.offers import BookingRequest
from apps.payments import gateway
from apps.payments.models import OPEN_STATUSES, Charge, ChargeStatus, Refund
from apps.users.models import User
from tests.bookings.life import (
    MINUTE,
    NIGHT,
    VISA,
    again,
    authenticate,
    authenticated,
    charges,
    held,
    ledger,
    nights,
    paid,
    parked,
    stay,
    story,
    work,
)
from tests.hosting.inputs import NOW, refusals
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

ASKS = "pm_card_authenticationRequired"
HOLD = timedelta(minutes=15)


def pay(booking: Booking, **given: Any) -> Charge:
    arguments = {"viewer": booking.guest, "payment_method": VISA, "now": NOW, **given}
    return actions.pay(booking_id=booking.pk, **arguments)


def refused(booking: Booking, **given: Any) -> set[tuple[str, str]]:
    arguments = {"viewer": booking.guest, "payment_method": VISA, "now": NOW, **given}
    return refusals(actions.pay, booking_id=booking.pk, **arguments)


def the_charge(booking: Booking) -> Charge:
    return Charge.objects.get(bill=booking.bill_id)


def cancel(booking: Booking, viewer: Any = None) -> Booking:
    return actions.cancel(viewer=viewer or booking.guest, booking_id=booking.pk, now=NOW)


def tell_processor(booking: Booking) -> None:
    """What the worker does about a payment that nobody waits for any more."""
    actions.cancel_intent(charge_id=the_charge(booking).pk, now=NOW)


def test_paying_confirms_and_numbers_the_receipt() -> None:
    home = make_property()
    booking = paid(held(home, **nights(home, 2)))
    assert (booking.status, booking.expires_at, booking.allocation.held_until) == ("CONFIRMED", None, None)
    charge = the_charge(booking)
    assert (charge.status, charge.receipt_number, charge.card_last4) == ("SUCCEEDED", "2026-000001", "4242")
    assert story(booking) == [
        ("HELD", "GUEST"),
        ("PAYMENT_STARTED", "GUEST"),
        ("PAYMENT_SUCCEEDED", "SYSTEM"),
        ("CONFIRMED", "SYSTEM"),
    ]
    assert refused(booking) == {("WRONG_STATE", "booking_id")}


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_nobody_knows_this", "resource_missing"),
    ],
)
@pytest.mark.parametrize("make", [make_property, make_parking_spot])
def test_a_decline_leaves_the_hold_to_its_end_and_another_card_pays(make: Any, card: str, code: str) -> None:
    listing = make()
    wanted = nights(listing, 1) if make is make_property else {"starts_at": NOW, "minutes": 60}
    booking = paid(held(listing, **wanted), card=card)
    charge = the_charge(booking)
    assert (booking.status, charge.status, charge.failure_code) == ("PENDING", "FAILED", code)
    assert booking.expires_at == booking.allocation.held_until == NOW + HOLD
    assert story(booking)[-1] == ("PAYMENT_FAILED", "SYSTEM")
    assert paid(booking).status == "CONFIRMED"
    assert [status for status, _ in charges(booking)] == [
        "FAILED",
        "SUCCEEDED" if make is make_property else "AUTHORIZED",
    ]


@pytest.mark.parametrize(
    "method", ["", " ", "pm", "card_visa", "pm_", "pm_é", "pm_a b", "pm_\x00", "pm_" + "a" * 253, "PM_A"]
)
def test_what_is_no_payment_method_is_told_at_once(method: str) -> None:
    booking = held(make_event(), tickets=1)
    assert refused(booking, payment_method=method) == {("INVALID", "payment_method")}
    assert charges(booking) == []


def test_only_the_guest_pays() -> None:
    booking = held(make_event(), tickets=1)
    for viewer in (booking.listing.host, make_staff()):
        assert refused(booking, viewer=viewer) == {("NOT_ALLOWED", "booking_id")}
    strangers: list[User | None] = [make_guest(), None]
    for stranger in strangers:
        assert refused(booking, viewer=stranger) == {("NOT_FOUND", "booking_id")}
    assert charges(booking) == []


def test_while_a_payment_is_under_way_it_is_the_answer() -> None:
    booking = held(make_event(), tickets=1)
    first = pay(booking)
    assert pay(booking, payment_method="pm_card_mastercard").pk == first.pk
    assert again(booking).allocation.held_until is None
    # It may take longer than the hold.
    actions.expire_holds(now=NOW + NIGHT)
    work(now=NOW + NIGHT)
    assert again(booking).status == "CONFIRMED"


def test_a_key_gives_the_same_payment_even_after_the_hold_and_never_another_one() -> None:
    booking = held(make_event(), tickets=1)
    first = pay(booking, payment_method="pm_card_chargeDeclined", idempotency_key="the-same-key")
    work()
    assert the_charge(booking).status == "FAILED"
    again_with_key: dict[str, Any] = {"payment_method": "pm_card_chargeDeclined", "idempotency_key": "the-same-key"}
    assert pay(booking, **again_with_key).pk == first.pk
    assert refused(booking, idempotency_key="the-same-key") == {("DUPLICATE", "idempotency_key")}
    assert pay(booking, **again_with_key, now=NOW + HOLD).pk == first.pk
    assert refused(booking, idempotency_key="another-key", now=NOW + HOLD) == {("HOLD_EXPIRED", "booking_id")}
    assert len(charges(booking)) == 1


def test_a_key_of_an_account_belongs_to_one_of_its_bookings() -> None:
    event, guest = make_event(), make_guest()
    first, second = held(event, tickets=1, guest=guest), held(event, tickets=1, guest=guest)
    charge = pay(first, idempotency_key="the-same-key")
    assert refused(second, idempotency_key="the-same-key") == {("DUPLICATE", "idempotency_key")}
    assert (charges(second), story(second)) == ([], [("HELD", "GUEST")])
    assert pay(first, idempotency_key="the-same-key").pk == charge.pk
    # Somebody else's key is another one.
    pay(held(event, tickets=1), idempotency_key="the-same-key")


def test_a_key_without_an_account_belongs_to_the_booking() -> None:
    event = make_event()
    for _ in range(2):
        booking = actions.hold(
            kind_code=event.kind,
            listing_id=event.pk,
            listing_field="listing",
            request=BookingRequest(tickets=1),
            guest=None,
            contact=actions.Contact(email="walker@example.org"),
            now=NOW,
        )
        secret: dict[str, Any] = {
            "viewer": None,
            "booking_id": booking.pk,
            "access_token": booking.access_token,
            "now": NOW,
        }
        actions.pay(**secret, payment_method=VISA, idempotency_key="the-same-key")
        assert len(charges(booking)) == 1


@pytest.mark.parametrize("is_swept", [False, True])
def test_after_the_hold_nothing_is_paid_whether_or_not_the_sweep_came_by(is_swept: bool) -> None:
    booking = held(make_event(), tickets=1)
    if is_swept:
        actions.expire_holds(now=NOW + HOLD)
    assert again(booking).status == ("EXPIRED" if is_swept else "PENDING")
    assert refused(booking, now=NOW + HOLD) == {("HOLD_EXPIRED", "booking_id")}
    assert pay_works_just_before_the_end()


def pay_works_just_before_the_end() -> bool:
    booking = held(make_event(), tickets=1)
    return paid(booking, now=NOW + HOLD - timedelta(microseconds=1)).status == "CONFIRMED"


def test_a_payer_who_authenticates_is_confirmed() -> None:
    booking = paid(held(make_event(), tickets=1), card=ASKS)
    charge = the_charge(booking)
    assert (booking.status, charge.status) == ("PENDING", "REQUIRES_ACTION")
    assert charge.client_secret
    assert booking.allocation.held_until == NOW + HOLD
    assert authenticated(booking).status == "CONFIRMED"
    charge.refresh_from_db()
    assert (charge.status, charge.client_secret, charge.next_action_url) == ("SUCCEEDED", "", "")


def test_a_payer_who_fails_to_authenticate_tries_again() -> None:
    booking = paid(held(make_event(), tickets=1), card=ASKS)
    assert authenticated(booking, "failure").status == "PENDING"
    assert the_charge(booking).status == "FAILED"
    assert paid(booking).status == "CONFIRMED"


@pytest.mark.parametrize("make", [make_event, make_parking_spot])
def test_a_payer_who_never_authenticates_loses_the_hold(make: Any) -> None:
    listing = make()
    wanted = {"tickets": 1} if make is make_event else {"starts_at": NOW, "minutes": 60}
    booking = paid(held(listing, **wanted), card=ASKS)
    actions.expire_holds(now=NOW + HOLD)
    charge = the_charge(booking)
    assert (again(booking).status, charge.status) == ("EXPIRED", "CANCELED")
    assert (charge.client_secret, charge.next_action_url) == ("", "")
    tell_processor(booking)
    asked = gateway.look_up(intent_id=charge.intent_id, setup_intent_id=charge.setup_intent_id)
    assert asked.status is ChargeStatus.CANCELED


def expired_while_its_payer_paid() -> Booking:
    booking = paid(held(make_event(tickets=1), tickets=1), card=ASKS)
    authenticate(the_charge(booking))
    actions.expire_holds(now=NOW + HOLD)
    return again(booking)


def test_who_paid_while_the_hold_ran_out_gets_the_place_if_it_is_free() -> None:
    booking = expired_while_its_payer_paid()
    assert booking.status == "EXPIRED"
    tell_processor(booking)
    booking = again(booking)
    assert (booking.status, booking.allocation.is_active, charges(booking)) == (
        "CONFIRMED",
        True,
        [("SUCCEEDED", 10_000)],
    )


def test_who_paid_while_the_hold_ran_out_gets_the_money_back_if_the_place_is_taken() -> None:
    booking = expired_while_its_payer_paid()
    held(booking.listing, tickets=1, now=NOW + HOLD)
    tell_processor(booking)
    work()
    assert (again(booking).status, charges(booking)) == ("EXPIRED", [("REFUNDED", 10_000)])
    assert ledger(booking) == (10_000, 10_000, 10_000)
    assert Refund.objects.get().status == "SUCCEEDED"


@pytest.mark.parametrize("gone", ["listing", "guest"])
def test_who_paid_while_the_hold_ran_out_gets_the_money_back_if_nothing_is_left_to_come_to(gone: str) -> None:
    booking = paid(held(make_event(), tickets=1), card=ASKS)
    authenticate(the_charge(booking))
    actions.expire_holds(now=NOW + HOLD)
    model = type(getattr(booking, gone))
    model.objects.filter(pk=getattr(booking, f"{gone}_id")).update(deleted_at=NOW + HOLD)
    actions.cancel_intent(charge_id=the_charge(booking).pk, now=NOW + HOLD)
    work()
    assert (again(booking).status, ledger(booking)) == ("EXPIRED", (10_000, 10_000, 10_000))


def test_a_payment_that_succeeds_after_a_cancel_goes_back() -> None:
    booking = held(make_event(), tickets=1)
    pay(booking)
    cancel(booking)
    work()
    assert (again(booking).status, charges(booking)) == ("CANCELED", [("REFUNDED", 10_000)])
    assert story(booking)[-2:] == [("PAYMENT_SUCCEEDED", "SYSTEM"), ("REFUNDED", "SYSTEM")]
    assert not again(booking).allocation.is_active


def test_a_card_that_is_saved_after_a_cancel_is_never_charged() -> None:
    booking = held(make_parking_spot(), starts_at=NOW, minutes=60)
    pay(booking)
    cancel(booking)
    work()
    assert (again(booking).status, charges(booking)) == ("CANCELED", [("CANCELED", 10_000)])


@pytest.mark.parametrize("make", [make_event, make_parking_spot])
def test_nobody_is_asked_to_authenticate_for_what_was_canceled_meanwhile(make: Any) -> None:
    listing = make()
    booking = held(listing, **({"tickets": 1} if make is make_event else {"starts_at": NOW, "minutes": 60}))
    pay(booking, payment_method=ASKS)
    cancel(booking)
    work()
    charge = the_charge(booking)
    assert (charge.status, charge.client_secret, charge.next_action_url) == ("CANCELED", "", "")
    assert not Charge.objects.filter(status__in=OPEN_STATUSES).exists()
    assert again(booking).status == "CANCELED"
    tell_processor(booking)
    asked = gateway.look_up(intent_id=charge.intent_id, setup_intent_id=charge.setup_intent_id)
    assert asked.status is ChargeStatus.CANCELED


def test_late_news_of_a_saved_card_do_not_stop_its_charge() -> None:
    booking = parked(make_parking_spot())
    saved = the_charge(booking)
    actions.end(viewer=booking.guest, booking_id=booking.pk, now=NOW + 30 * MINUTE)
    # A webhook about the card, handled between the end and the charge.
    news = gateway.look_up(setup_intent_id=saved.setup_intent_id)
    assert news.status is ChargeStatus.AUTHORIZED
    actions.settle(charge_id=saved.pk, outcome=news, now=NOW + 30 * MINUTE)
    assert the_charge(booking).status == "PROCESSING"
    work()
    assert charges(booking) == [("SUCCEEDED", 5_000)]


def test_the_history_tells_no_amount_of_a_card_that_is_only_saved() -> None:
    booking = parked(make_parking_spot())
    assert booking.history.get(type="PAYMENT_SUCCEEDED").data == {}
    actions.end(viewer=booking.guest, booking_id=booking.pk, now=NOW + 30 * MINUTE)
    work()
    told = [event.data for event in booking.history.filter(type="PAYMENT_SUCCEEDED").order_by("at", "pk")]
    assert told == [{}, {"amountMinor": 5_000, "currency": "EUR"}]


def test_a_saved_card_of_a_booking_that_is_canceled_before_its_start_is_dropped() -> None:
    booking = parked(make_parking_spot(), start=NOW + NIGHT)
    cancel(booking)
    assert charges(booking) == [("CANCELED", 10_000)]
    actions.finish_due(now=NOW + 3 * NIGHT)
    work()
    assert ledger(booking) == (10_000, 0, 0)


def test_what_costs_nothing_is_confirmed_at_once_and_never_paid() -> None:
    booking = again(held(make_event(price_minor=0), tickets=2))
    assert (booking.status, booking.allocation.held_until) == ("CONFIRMED", None)
    assert refused(booking) == {("WRONG_STATE", "booking_id")}
    assert charges(booking) == []


def test_outcomes_told_twice_count_once() -> None:
    booking = stay(make_property(), 2)
    charge = the_charge(booking)
    for _ in range(2):
        actions.settle(charge_id=charge.pk, outcome=gateway.look_up(intent_id=charge.intent_id), now=NOW)
    assert ledger(booking) == (20_000, 20_000, 0)
    assert [kind for kind, _ in story(booking)].count("PAYMENT_SUCCEEDED") == 1


def test_receipts_of_a_year_have_no_gaps_whatever_is_declined_between_them() -> None:
    event = make_event()
    for card in (VISA, "pm_card_chargeDeclined", VISA, ASKS, VISA):
        paid(held(event, tickets=1), card=card)
    numbers = Charge.objects.exclude(receipt_number=None).exclude(receipt_number="").order_by("pk")
    assert list(numbers.values_list("receipt_number", flat=True)) == ["2026-000001", "2026-000002", "2026-000003"]
