"""An answer of the processor that never came: whatever it was, nobody pays twice and nobody waits until tomorrow."""

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings

from apps.bookings.actions import (
    cancel,
    carry_out_payment,
    end,
    pay,
    refund,
    resume_cancelations,
    resume_events,
    resume_payments,
    resume_refunds,
)
from apps.bookings.models import Booking
from apps.core.money import Money
from apps.payments import gateway
from apps.payments.models import Charge, Refund, WebhookEvent
from tests.payments.steps import booked, deliver, events_of, handle_all, jobs_kept, paid, stripe_api
from tests.recipes import make_guest, make_parking_spot, make_property, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC).replace(microsecond=0)
# Late enough for a suite that takes its time: rows carry the moment in which they were really written.
SOON, NEXT_DAY = NOW + timedelta(hours=1), NOW + timedelta(hours=30)
# Stripe does what it was asked for, and the answer is lost.
TIME_OUT = {"timeout_after_success": 1, "hang_seconds": 0.01}
FAILURE = {"error_500_after_success": 1}


@pytest.fixture(autouse=True)
def _empty_processor() -> Iterator[None]:
    stripe_api("DELETE", "/_config/data")
    yield
    stripe_api("DELETE", "/_config/data")


@contextmanager
def stripe_fails(**requests: float) -> Iterator[None]:
    body = json.dumps({"requests": requests}).encode()
    url = f"{os.environ['STRIPE_API_BASE']}/_config/faults"
    headers = {"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}"}
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method="POST"), timeout=300).close()
    try:
        yield
    finally:
        stripe_api("DELETE", "/_config/faults")


@contextmanager
def a_customer() -> Iterator[None]:
    """Within the block the payer has a customer at Stripe already, so that a fault meets what comes after."""
    known = stripe_api("POST", "/v1/customers")["id"]
    with patch.object(gateway, "create_customer", return_value=known):
        yield


def forget_keys() -> None:
    """What a day does to idempotency keys at Stripe."""
    stripe_api("DELETE", "/_config/answers")


def payments() -> list[Any]:
    return list(stripe_api("GET", "/v1/payment_intents", limit=100)["data"])


def unanswered(booking: Booking, **fault: float) -> Charge:
    """The booking's payment, made by Stripe and unknown to us."""
    with jobs_kept():
        charge = pay(
            viewer=booking.guest, booking_id=booking.pk, access_token=booking.access_token,
            payment_method="pm_card_visa", now=NOW,
        )  # fmt: skip
    with a_customer(), pytest.raises(gateway.GatewayUnavailable), stripe_fails(**fault):
        carry_out_payment(charge_id=charge.pk, now=NOW)
    charge.refresh_from_db()
    assert (charge.status, charge.intent_id, len(payments())) == ("PROCESSING", "", 1)
    return charge


def assert_paid_once(charge: Charge) -> None:
    charge.refresh_from_db()
    (made,) = payments()
    assert (charge.status, charge.intent_id, made["status"]) == ("SUCCEEDED", made["id"], "succeeded")
    assert made["amount_received"] == charge.amount_minor
    assert Booking.objects.get(bill=charge.bill_id).status == "CONFIRMED"


@pytest.mark.parametrize("anonymous", [False, True])
def test_a_payment_whose_key_was_forgotten_is_found_and_not_made_again(anonymous: bool) -> None:
    guest = None if anonymous else make_guest()
    charge = unanswered(booked(make_property(), guest=guest, now=NOW), **TIME_OUT)
    forget_keys()
    assert resume_payments(now=NEXT_DAY) == 1
    assert_paid_once(charge)


def test_without_looking_it_would_be_paid_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    unanswered(booked(make_property(), guest=make_guest(), now=NOW), **TIME_OUT)
    forget_keys()
    monkeypatch.setattr(gateway, "find_payment", lambda **_: None)
    resume_payments(now=NEXT_DAY)
    assert len(payments()) == 2


def test_a_payment_that_was_never_asked_for_is_made_a_day_later() -> None:
    guest = make_guest()
    others = paid(booked(make_property(), guest=guest, now=NOW), now=NOW)
    booking = booked(make_property(), guest=guest, now=NOW)
    with jobs_kept():
        charge = pay(viewer=guest, booking_id=booking.pk, payment_method="pm_card_visa", now=NOW)
    assert resume_payments(now=NEXT_DAY) == 1
    charge.refresh_from_db()
    assert charge.status == "SUCCEEDED"
    assert {each["id"] for each in payments()} == {others.intent_id, charge.intent_id}


def test_the_charge_at_the_end_is_found_too_however_long_ago_the_card_was_saved() -> None:
    guest = make_guest()
    booking = booked(make_parking_spot(), guest=guest, now=NOW, days=3)
    charge = paid(booking, now=NOW)
    began = booking.span.start
    with jobs_kept():
        end(viewer=guest, booking_id=booking.pk, now=began + timedelta(minutes=30))
    charge.refresh_from_db()
    # The card was saved days ago: the key of the charge is new all the same, and asked with at once.
    assert charge.asked_at == began + timedelta(minutes=30)
    with pytest.raises(gateway.GatewayUnavailable), stripe_fails(**TIME_OUT):
        carry_out_payment(charge_id=charge.pk, now=charge.asked_at)
    forget_keys()
    assert resume_payments(now=began + timedelta(days=2)) == 1
    charge.refresh_from_db()
    (made,) = payments()
    assert (charge.status, charge.intent_id) == ("SUCCEEDED", made["id"])


def test_a_failure_that_stripe_remembers_is_seen_through() -> None:
    charge = unanswered(booked(make_property(), guest=make_guest(), now=NOW), **FAILURE)
    # The same key has the same answer for a day; too early, it could still be under way.
    with pytest.raises(gateway.AnswerLost):
        carry_out_payment(charge_id=charge.pk, now=NOW)
    assert resume_payments(now=SOON) == 1
    assert_paid_once(charge)


def test_a_failure_before_anything_was_done_is_asked_again_with_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = make_guest()
    booking = booked(make_property(), guest=guest, now=NOW)
    with jobs_kept():
        charge = pay(viewer=guest, booking_id=booking.pk, payment_method="pm_card_visa", now=NOW)
    ask, keys = gateway.charge, []

    def fail_for_ever(**given: Any) -> gateway.Outcome:
        keys.append(given["idempotency_key"])
        if len(set(keys)) == 1:
            raise gateway.AnswerLost
        return ask(**given)

    monkeypatch.setattr(gateway, "charge", fail_for_ever)
    resume_payments(now=SOON)
    assert_paid_once(charge)
    assert keys == [charge.idempotency_key, f"{charge.idempotency_key}-again"]


def test_a_card_is_saved_although_stripe_remembers_a_failure() -> None:
    booking = booked(make_parking_spot(), guest=make_guest(), now=NOW, days=3)
    with jobs_kept():
        charge = pay(viewer=booking.guest, booking_id=booking.pk, payment_method="pm_card_visa", now=NOW)
    with a_customer():
        with pytest.raises(gateway.GatewayUnavailable), stripe_fails(**FAILURE):
            carry_out_payment(charge_id=charge.pk, now=NOW)
        resume_payments(now=SOON)
    charge.refresh_from_db()
    assert charge.status == "AUTHORIZED"
    assert payments() == []


def test_the_webhook_of_a_payment_whose_answer_was_lost_settles_it() -> None:
    charge = unanswered(booked(make_property(), guest=make_guest(), now=NOW), **TIME_OUT)
    (event,) = events_of(payments()[0]["id"], "payment_intent.succeeded")
    assert deliver(event).status_code == 200
    handle_all(now=NOW)
    assert_paid_once(charge)


def test_a_payment_of_another_amount_is_not_taken_for_ours() -> None:
    booking = booked(make_property(), guest=make_guest(), now=NOW)
    with jobs_kept():
        charge = pay(viewer=booking.guest, booking_id=booking.pk, payment_method="pm_card_visa", now=NOW)
    # Somebody else's system uses the same account, and counts its charges as we do.
    foreign = stripe_api(
        "POST", "/v1/payment_intents", amount=charge.amount_minor + 1, currency="eur", confirm="true",
        payment_method="pm_card_visa",
        **{"metadata[holdfast_charge]": charge.pk, "allowed_payment_method_types[]": "card"},
    )  # fmt: skip
    deliver(events_of(foreign["id"], "payment_intent.succeeded")[0])
    handle_all(now=NOW)
    charge.refresh_from_db()
    assert (charge.status, charge.intent_id) == ("PROCESSING", "")


def test_a_refund_whose_key_was_forgotten_is_found_and_not_made_again() -> None:
    charge = paid(booked(make_property(), guest=make_guest(), now=NOW), now=NOW)
    with jobs_kept():
        refund(viewer=make_staff(), payment_id=charge.pk, amount=Money(500, "EUR"), now=NOW)
    with stripe_fails(**TIME_OUT):
        assert resume_refunds(now=datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert Refund.objects.get().status == "PENDING"
    forget_keys()
    assert resume_refunds(now=datetime.now(UTC) + timedelta(days=2)) == 1
    (made,) = stripe_api("GET", "/v1/refunds", limit=100)["data"]
    ours = Refund.objects.get()
    assert (ours.status, ours.processor_id, made["amount"]) == ("SUCCEEDED", made["id"], 500)


def test_a_cancelation_that_got_lost_is_told_by_the_sweep() -> None:
    guest = make_guest()
    booking = booked(make_property(), guest=guest, now=NOW)
    charge = paid(booking, now=NOW, card="pm_card_authenticationRequired")
    assert charge.status == "REQUIRES_ACTION"
    with jobs_kept():
        cancel(viewer=guest, booking_id=booking.pk, now=NOW)
    charge.refresh_from_db()
    assert (charge.status, charge.cancel_asked_at) == ("CANCELED", NOW)
    assert payments()[0]["status"] == "requires_action"
    assert resume_cancelations(now=NOW + timedelta(seconds=20)) == 0

    with stripe_fails(error_500=1):
        assert resume_cancelations(now=SOON) == 1
    assert payments()[0]["status"] == "requires_action"
    assert resume_cancelations(now=SOON + timedelta(minutes=1)) == 1

    charge.refresh_from_db()
    assert (charge.status, charge.cancel_asked_at, payments()[0]["status"]) == ("CANCELED", None, "canceled")
    assert resume_cancelations(now=NEXT_DAY) == 0


def test_one_event_that_cannot_be_handled_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"evt_{number}" for number in range(6)]
    for name in names:
        WebhookEvent.objects.create(event_id=name, type="payment_intent.succeeded", object_id=name, received_at=NOW)
    look_up = gateway.payment

    def stumble(*, intent_id: str) -> gateway.Payment | None:
        if intent_id == "evt_2":
            raise RuntimeError("what nobody thought of")
        return look_up(intent_id=intent_id)

    monkeypatch.setattr(gateway, "payment", stumble)
    assert resume_events(now=SOON) == len(names)
    assert list(WebhookEvent.objects.filter(handled_at=None).values_list("event_id", flat=True)) == ["evt_2"]


def test_a_test_event_of_the_dashboard_about_nothing_is_handled() -> None:
    for kind in ("charge.dispute.created", "payment_intent.succeeded", "setup_intent.succeeded"):
        WebhookEvent.objects.create(event_id=kind, type=kind, object_id="xx_00000000000000", received_at=NOW)
    assert resume_events(now=SOON) == 3
    assert not WebhookEvent.objects.filter(handled_at=None).exists()
