"""Stripe's test cards, authentication, and cards saved for later."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.stripe.conftest import Account

DECLINES = [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
]


def card_error(call: Any, *given: Any, **more: Any) -> stripe.CardError:
    with pytest.raises(stripe.CardError) as caught:
        call(*given, **more)
    assert caught.value.http_status == 402
    return caught.value


def finish(intent: Any, outcome: str) -> requests.Response:
    url = intent.next_action.redirect_to_url.url
    return requests.get(f"{url}?outcome={outcome}", allow_redirects=False, timeout=300)


@pytest.mark.parametrize(
    ("name", "brand", "last4", "funding"),
    [
        ("pm_card_visa", "visa", "4242", "credit"),
        ("pm_card_visa_debit", "visa", "5556", "debit"),
        ("pm_card_mastercard", "mastercard", "4444", "credit"),
        ("pm_card_amex", "amex", "0005", "credit"),
    ],
)
def test_a_good_card_pays_as_itself(account: Account, name: str, brand: str, last4: str, funding: str) -> None:
    intent: Any = account.pay(name, expand=["payment_method", "latest_charge"])

    for card in (intent.payment_method.card, intent.latest_charge.payment_method_details.card):
        assert (card.brand, card.last4, card.funding) == (brand, last4, funding)


@pytest.mark.parametrize(("name", "code", "decline_code"), DECLINES)
def test_a_declined_card_leaves_a_failed_charge(account: Account, name: str, code: str, decline_code: str) -> None:
    error = card_error(account.pay, name)

    body: Any = error.error
    assert (error.code, body.type, body.decline_code) == (code, "card_error", decline_code)
    assert body.payment_intent.status == "requires_payment_method"
    assert body.payment_intent.payment_method is None
    intent = account.v1.payment_intents.retrieve(body.payment_intent.id)
    assert intent.last_payment_error is not None
    assert (intent.last_payment_error.code, intent.last_payment_error.charge) == (code, body.charge)
    charge: Any = account.v1.charges.retrieve(body.charge)
    assert (charge.status, charge.paid, charge.failure_code, charge.outcome.reason) == (
        "failed",
        False,
        code,
        decline_code,
    )
    assert account.event_types() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]

    retried = account.v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa", "return_url": "https://shop.example/"}
    )
    assert (retried.status, retried.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize(("name", "code", "decline_code"), DECLINES[:-1])
def test_a_declined_card_cannot_be_saved(account: Account, name: str, code: str, decline_code: str) -> None:
    customer = account.v1.customers.create()

    error = card_error(account.v1.payment_methods.attach, name, {"customer": customer.id})
    assert error.code == code
    given: Any = {"payment_method": name, "customer": customer.id, "confirm": True, "return_url": "https://a.example/"}
    error = card_error(account.v1.setup_intents.create, given)

    body: Any = error.error
    assert (body.code, body.decline_code) == (code, decline_code)
    assert (body.setup_intent.status, body.setup_intent.last_setup_error.code) == ("requires_payment_method", code)
    assert account.v1.customers.payment_methods.list(customer.id).data == []
    assert account.event_types()[-2:] == ["setup_intent.created", "setup_intent.setup_failed"]


def test_a_card_that_saves_may_still_be_declined_later(account: Account) -> None:
    customer = account.v1.customers.create({"email": "guest@example.com"})
    setup = account.v1.setup_intents.create(
        {
            "payment_method": "pm_card_chargeCustomerFail",
            "customer": customer.id,
            "confirm": True,
            "return_url": "https://shop.example/",
        }
    )
    assert setup.status == "succeeded"
    assert isinstance(setup.payment_method, str)

    error = card_error(account.pay, setup.payment_method, customer=customer.id, off_session=True)

    assert error.code == "card_declined"
    saved = account.v1.payment_methods.retrieve(setup.payment_method)
    assert saved.customer == customer.id


@pytest.mark.parametrize("manual", [False, True])
def test_authentication_that_succeeds_pays(account: Account, manual: bool) -> None:
    intent: Any = account.pay("pm_card_authenticationRequired", capture_method="manual" if manual else "automatic")
    assert (intent.status, intent.latest_charge, intent.next_action.type) == (
        "requires_action",
        None,
        "redirect_to_url",
    )
    assert intent.next_action.redirect_to_url.return_url == "https://shop.example/back?a=1"
    page = requests.get(intent.next_action.redirect_to_url.url, timeout=300)
    assert page.status_code == 200
    assert "?outcome=success" in page.text
    assert "?outcome=failure" in page.text
    assert account.v1.payment_intents.retrieve(intent.id).status == "requires_action"

    answer = finish(intent, "success")

    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        f"https://shop.example/back?a=1&payment_intent={intent.id}&payment_intent_client_secret={intent.client_secret}"
    )
    done: Any = account.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (done.status, done.next_action) == ("requires_capture" if manual else "succeeded", None)
    assert done.latest_charge.payment_method_details.card.three_d_secure.result == "authenticated"
    assert finish(intent, "failure").status_code == 302
    assert account.v1.payment_intents.retrieve(intent.id).status == done.status
    assert len(account.v1.charges.list().data) == 1


def test_authentication_that_fails_asks_for_another_card(account: Account) -> None:
    intent = account.pay("pm_card_authenticationRequired")

    finish(intent, "failure")

    done: Any = account.v1.payment_intents.retrieve(intent.id)
    assert (done.status, done.payment_method, done.latest_charge) == ("requires_payment_method", None, None)
    assert done.last_payment_error.code == "payment_intent_authentication_failure"
    assert account.event_types() == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "payment_intent.payment_failed",
    ]


def test_authentication_cannot_be_asked_for_when_the_customer_is_away(account: Account) -> None:
    error = card_error(account.pay, "pm_card_authenticationRequired", off_session=True)

    body: Any = error.error
    assert (error.code, body.decline_code) == ("authentication_required", "authentication_required")
    assert body.payment_intent.status == "requires_payment_method"
    assert account.v1.charges.retrieve(body.charge).status == "failed"


def test_a_card_that_was_set_up_passes_when_the_customer_is_away(account: Account) -> None:
    customer = account.v1.customers.create()
    setup: Any = account.v1.setup_intents.create(
        {
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "customer": customer.id,
            "confirm": True,
            "return_url": "https://shop.example/",
        }
    )
    assert setup.status == "requires_action"
    assert finish(setup, "success").status_code == 302
    setup = account.v1.setup_intents.retrieve(setup.id)
    assert setup.status == "succeeded"

    assert account.pay(setup.payment_method, customer=customer.id, off_session=True).status == "succeeded"
    assert account.pay(setup.payment_method, customer=customer.id).status == "requires_action"
    fresh = account.v1.payment_methods.attach("pm_card_authenticationRequiredOnSetup", {"customer": customer.id})
    error = card_error(account.pay, fresh.id, customer=customer.id, off_session=True)
    assert error.code == "authentication_required"


def test_a_setup_whose_authentication_fails_saves_nothing(account: Account) -> None:
    customer = account.v1.customers.create()
    setup = account.v1.setup_intents.create(
        {"payment_method": "pm_card_authenticationRequired", "customer": customer.id}
    )
    assert setup.status == "requires_confirmation"
    confirmed = account.v1.setup_intents.confirm(setup.id, {"return_url": "https://shop.example/"})

    finish(confirmed, "failure")

    done: Any = account.v1.setup_intents.retrieve(setup.id)
    assert (done.status, done.last_setup_error.code) == (
        "requires_payment_method",
        "setup_intent_authentication_failure",
    )
    assert account.v1.payment_methods.list({"customer": customer.id}).data == []
    canceled = account.v1.setup_intents.cancel(setup.id)
    assert canceled.status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_visa"})
    assert caught.value.code == "setup_intent_unexpected_state"


def test_a_payment_with_a_future_saves_its_card(account: Account) -> None:
    customer = account.v1.customers.create()
    intent: Any = account.pay(customer=customer.id, setup_future_usage="off_session", expand=["payment_method"])

    assert intent.payment_method.customer == customer.id
    assert account.pay(intent.payment_method.id, customer=customer.id, off_session=True).status == "succeeded"
    assert "payment_method.attached" in account.event_types()


def test_a_card_without_a_customer_is_used_once(account: Account) -> None:
    intent = account.pay()
    customer = account.v1.customers.create()
    assert isinstance(intent.payment_method, str)

    for call in (
        lambda: account.pay(str(intent.payment_method)),
        lambda: account.v1.payment_methods.attach(str(intent.payment_method), {"customer": customer.id}),
    ):
        with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
            call()


def test_a_saved_card_belongs_to_its_customer(account: Account) -> None:
    owner, stranger = account.v1.customers.create(), account.v1.customers.create()
    saved = account.v1.payment_methods.attach("pm_card_visa", {"customer": owner.id})

    for customer in (None, stranger.id):
        more: dict[str, Any] = {"customer": customer} if customer else {}
        with pytest.raises(stripe.InvalidRequestError):
            account.pay(saved.id, **more)
    assert account.v1.charges.list().data == []
    assert account.pay(saved.id, customer=owner.id).status == "succeeded"
    detached = account.v1.payment_methods.detach(saved.id)
    assert detached.customer is None
    with pytest.raises(stripe.InvalidRequestError):
        account.pay(saved.id, customer=owner.id)


def test_a_card_is_made_from_its_number(account: Account) -> None:
    card: Any = {"number": "4000 0000 0000 9995", "exp_month": 12, "exp_year": 2034, "cvc": "123"}
    made: Any = account.v1.payment_methods.create({"type": "card", "card": card})
    assert (made.card.last4, made.card.exp_month, made.card.exp_year) == ("9995", 12, 2034)
    assert card_error(account.pay, made.id).error.decline_code == "insufficient_funds"  # type: ignore[union-attr]

    for change, code in (
        ({"number": "4242424242424241"}, "incorrect_number"),
        ({"number": "4111111111111111"}, "card_declined"),
        ({"exp_month": 13}, "invalid_expiry_month"),
        ({"exp_year": 2001}, "invalid_expiry_year"),
        ({"cvc": "1"}, "invalid_cvc"),
    ):
        wrong: Any = {"type": "card", "card": card | change}
        assert card_error(account.v1.payment_methods.create, wrong).code == code


def test_a_disputed_charge_cannot_be_refunded(account: Account) -> None:
    intent = account.pay("pm_card_createDispute")

    (dispute,) = account.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.amount, dispute.charge, dispute.reason) == (
        "needs_response",
        1_000,
        intent.latest_charge,
        "fraudulent",
    )
    assert account.v1.charges.retrieve(str(intent.latest_charge)).disputed is True
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_disputed"
    won = account.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert won.status == "won"
    assert [sort for sort in account.event_types() if "dispute" in sort] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]


def test_pages_escape_what_people_wrote(account: Account) -> None:
    intent: Any = account.pay("pm_card_authenticationRequired", description='<script>alert("x")</script>')
    url = intent.next_action.redirect_to_url.url

    page = requests.get(url, timeout=300)

    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert requests.get(f"{url}?outcome=maybe", timeout=300).status_code == 400
    assert requests.get(f"{url}x", timeout=300).status_code == 404
    assert account.v1.payment_intents.retrieve(intent.id).status == "requires_action"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.pay(return_url="javascript:alert(1)")
    assert caught.value.code == "url_invalid"
