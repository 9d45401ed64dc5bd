"""The life of a PaymentIntent, through the official client."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.stripe.conftest import Account


def refusal(call: Any, *given: Any) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as caught:
        call(*given)
    return caught.value


def test_a_confirmed_card_payment_succeeds_with_a_charge(account: Account) -> None:
    intent = account.pay(amount=1_250, description="Two nights", metadata={"booking": "7"}, expand=["latest_charge"])

    assert (intent.status, intent.amount_received, intent.amount_capturable) == ("succeeded", 1_250, 0)
    assert intent.client_secret is not None
    assert intent.client_secret.startswith(f"{intent.id}_secret_")
    assert (intent.livemode, intent.currency, intent.metadata.to_dict()) == (False, "usd", {"booking": "7"})
    charge: Any = intent.latest_charge
    assert (charge.status, charge.paid, charge.captured, charge.amount_captured) == ("succeeded", True, True, 1_250)
    assert (charge.payment_method_details.card.brand, charge.payment_method_details.card.last4) == ("visa", "4242")
    assert charge.outcome.type == "authorized"
    assert charge.metadata.to_dict() == {"booking": "7"}
    receipt = requests.get(charge.receipt_url, timeout=300)
    assert receipt.status_code == 200
    assert "$12.50" in receipt.text
    assert account.event_types() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_the_steps_can_be_taken_one_by_one(account: Account) -> None:
    intent = account.v1.payment_intents.create({"amount": 500, "currency": "EUR"})
    assert (intent.status, intent.currency, intent.latest_charge) == ("requires_payment_method", "eur", None)

    updated = account.v1.payment_intents.update(intent.id, {"payment_method": "pm_card_mastercard", "amount": 600})
    assert (updated.status, updated.amount) == ("requires_confirmation", 600)
    assert isinstance(updated.payment_method, str)
    assert updated.payment_method.startswith("pm_")
    assert updated.payment_method != "pm_card_mastercard"

    paid = account.v1.payment_intents.confirm(intent.id, {"return_url": "https://shop.example/"})
    assert (paid.status, paid.amount_received) == ("succeeded", 600)


def test_manual_capture_takes_part_and_releases_the_rest(account: Account) -> None:
    intent = account.pay(amount=1_000, capture_method="manual")
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 1_000, 0)

    too_much = refusal(account.v1.payment_intents.capture, intent.id, {"amount_to_capture": 1_001})
    assert (too_much.http_status, too_much.code) == (400, "amount_too_large")
    captured = account.v1.payment_intents.capture(
        intent.id, {"amount_to_capture": 700, "expand": ["latest_charge.refunds"]}
    )

    assert (captured.status, captured.amount_capturable, captured.amount_received) == ("succeeded", 0, 700)
    charge: Any = captured.latest_charge
    assert (charge.amount, charge.amount_captured, charge.amount_refunded, charge.refunded) == (1_000, 700, 300, False)
    assert [refund.amount for refund in charge.refunds.data] == [300]
    assert account.event_types() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "charge.refunded",
        "refund.created",
        "payment_intent.succeeded",
    ]
    assert account.v1.refunds.create({"payment_intent": intent.id}).amount == 700


def test_canceling_an_authorised_payment_releases_it(account: Account) -> None:
    intent = account.pay(capture_method="manual")

    canceled = account.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

    assert (canceled.status, canceled.cancellation_reason, canceled.amount_capturable) == ("canceled", "abandoned", 0)
    assert isinstance(canceled.latest_charge, str)
    charge = account.v1.charges.retrieve(canceled.latest_charge)
    assert (charge.captured, charge.refunded, charge.amount_refunded) == (False, True, 1_000)


@pytest.mark.parametrize(
    ("made", "move"),
    [
        ("succeeded", "confirm"),
        ("succeeded", "capture"),
        ("succeeded", "cancel"),
        ("canceled", "confirm"),
        ("canceled", "capture"),
        ("canceled", "cancel"),
        ("requires_capture", "confirm"),
        ("requires_payment_method", "capture"),
        ("requires_action", "capture"),
    ],
)
def test_a_wrong_move_is_refused_with_the_intent_inside(account: Account, made: str, move: str) -> None:
    if made == "requires_payment_method":
        intent = account.v1.payment_intents.create({"amount": 1_000, "currency": "usd"})
    else:
        card = "pm_card_authenticationRequired" if made == "requires_action" else "pm_card_visa"
        intent = (
            account.pay(card, capture_method="manual" if made == "requires_capture" else "automatic")
            if (made != "canceled")
            else account.v1.payment_intents.create({"amount": 1_000, "currency": "usd"})
        )
    if made == "canceled":
        account.v1.payment_intents.cancel(intent.id)
    events = account.event_types()

    error = refusal(getattr(account.v1.payment_intents, move), intent.id)

    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.http_status, error.code) == (400, "payment_intent_unexpected_state")
    inside: Any = error.error
    assert (inside.payment_intent.id, inside.payment_intent.status) == (intent.id, made)
    assert account.v1.payment_intents.retrieve(intent.id).status == made
    assert account.event_types() == events


def test_confirming_without_a_payment_method_is_refused(account: Account) -> None:
    intent = account.v1.payment_intents.create({"amount": 1_000, "currency": "usd"})

    error = refusal(account.v1.payment_intents.confirm, intent.id)

    assert (error.http_status, error.code) == (400, "payment_intent_unexpected_state")


def test_confirming_needs_a_way_back_unless_redirects_are_off(account: Account) -> None:
    base: Any = {"amount": 900, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}

    error = refusal(account.v1.payment_intents.create, base)

    assert "return_url" in str(error)
    assert account.v1.payment_intents.list().data == []
    for more in (
        {"return_url": "https://shop.example/"},
        {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}},
        {"allowed_payment_method_types": ["card"]},
        {"off_session": True},
    ):
        assert account.v1.payment_intents.create(base | more).status == "succeeded"


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": -5}, "parameter_invalid_integer", "amount"),
        ({"amount": "ten"}, "parameter_invalid_integer", "amount"),
        ({"amount": ""}, "parameter_invalid_empty", "amount"),
        ({"amount": None}, "parameter_missing", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 10**30}, "parameter_invalid_integer", "amount"),
        ({"currency": "zzz"}, None, "currency"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"capture_method": "later"}, None, "capture_method"),
        ({"confirm": "maybe"}, None, "confirm"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        ({"payment_method": "pm_unknown"}, "resource_missing", "payment_method"),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", "payment_method_types"),
        ({"metadata": {"key": "v" * 501}}, None, "metadata[key]"),
        ({"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 40}]"),
        ({"metadata": {str(index): "v" for index in range(51)}}, None, "metadata"),
        (
            {
                "expand": ["latest_charge.colour"],
                "confirm": True,
                "payment_method": "pm_card_visa",
                "off_session": True,
            },
            None,
            "expand",
        ),
    ],
)
def test_bad_parameters_are_named_and_change_nothing(
    account: Account, change: dict[str, Any], code: str | None, param: str
) -> None:
    given: Any = {"amount": 1_000, "currency": "usd", **change}
    given = {name: value for name, value in given.items() if value is not None}

    error = refusal(account.v1.payment_intents.create, given)

    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.http_status, error.code, error.param) == (400, code, param)
    assert error.request_id is not None
    assert error.request_id.startswith("req_")
    assert account.v1.payment_intents.list().data == []
    assert account.v1.charges.list().data == []
    assert account.event_types() == []


def test_what_does_not_exist_is_a_404_that_names_it(account: Account) -> None:
    error = refusal(account.v1.payment_intents.retrieve, "pi_nothing")

    assert isinstance(error, stripe.InvalidRequestError)
    assert (error.http_status, error.code, error.param) == (404, "resource_missing", "intent")
    assert error.user_message == "No such payment_intent: 'pi_nothing'"


def test_an_account_does_not_see_another_s_objects(account: Account) -> None:
    intent = account.pay()
    other = Account(account.running)

    assert refusal(other.v1.payment_intents.retrieve, intent.id).http_status == 404
    assert other.v1.payment_intents.list().data == []
    assert other.http("GET", "/v1/payment_intents").json()["url"] == "/v1/payment_intents"


@pytest.mark.parametrize("key", ["sk_test_other", "sk_test_holdfastly", "sk_test_holdfast_", "sk_test_holdfast_a/b"])
def test_another_key_is_refused(account: Account, key: str) -> None:
    error = refusal(account.running.client(key).v1.customers.list)

    assert isinstance(error, stripe.AuthenticationError)
    assert error.http_status == 401
    assert "Invalid API Key" in str(error)


def test_metadata_is_merged_and_unset(account: Account) -> None:
    intent = account.v1.payment_intents.create({"amount": 1, "currency": "jpy", "metadata": {"a": "1", "b": "2"}})

    merged = account.v1.payment_intents.update(intent.id, {"metadata": {"b": "", "c": "3"}})
    assert merged.metadata.to_dict() == {"a": "1", "c": "3"}
    cleared = account.v1.payment_intents.update(intent.id, {"metadata": ""})
    assert cleared.metadata.to_dict() == {}


def test_a_bank_debit_is_processing_before_it_succeeds_or_fails(account: Account) -> None:
    intents = [account.pay(f"pm_usBankAccount_{name}") for name in ("success", "insufficientFunds")]
    assert [intent.status for intent in intents] == ["processing", "processing"]
    assert refusal(account.v1.payment_intents.cancel, intents[0].id).code == "payment_intent_unexpected_state"

    for _ in range(60):
        done = [account.v1.payment_intents.retrieve(intent.id) for intent in intents]
        if all(intent.status != "processing" for intent in done):
            break
        time.sleep(0.05)
    assert [intent.status for intent in done] == ["succeeded", "requires_payment_method"]
    assert done[1].last_payment_error is not None
    assert done[1].last_payment_error.decline_code == "insufficient_funds"
    assert account.event_types().count("charge.pending") == 2


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (1_050, "isk", "invalid_charge_amount_no_decimal_compatible"),
        (99, "ugx", "invalid_charge_amount_no_decimal_compatible"),
    ],
)
def test_digits_that_a_currency_does_not_have_are_refused(
    account: Account, amount: int, currency: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        account.v1.payment_intents.create({"amount": amount, "currency": currency})
    assert (refused.value.param, refused.value.code) == ("amount", code)
    even = account.v1.payment_intents.create({"amount": 2_000, "currency": currency})
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.payment_intents.update(even.id, {"amount": amount})
    assert account.v1.payment_intents.retrieve(even.id).amount == 2_000
    paid = account.v1.payment_intents.create(
        {
            "amount": 2_000,
            "currency": currency,
            "payment_method": "pm_card_visa",
            "allowed_payment_method_types": ["card"],
            "confirm": True,
        }
    )
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.refunds.create({"payment_intent": paid.id, "amount": amount})
    assert account.v1.refunds.create({"payment_intent": paid.id, "amount": 1_000}).status == "succeeded"
