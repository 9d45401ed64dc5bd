"""The gateway against the Stripe emulator, over HTTP with the real client."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings
from django.test import Client

from apps.core.money import Money
from apps.payments import gateway, stripe_amounts
from apps.payments.gateway.client import client as stripe_client
from apps.payments.models import ChargeStatus, RefundStatus
from apps.payments.stripe_amounts import ODD_AMOUNT, UNKNOWN_CURRENCY, smallest_step


def customer() -> str:
    key = uuid.uuid4().hex
    return gateway.create_customer(account="test", idempotency_key=key)


def pay(method: str, *, key: str | None = None, minor: int = 12_345, currency: str = "USD") -> gateway.Outcome:
    return gateway.charge(
        amount=Money(minor, currency),
        payment_method=method,
        customer_id=customer(),
        charge_id=1,
        idempotency_key=key or uuid.uuid4().hex,
    )


def save(method: str, *, minor: int = 500, currency: str = "USD") -> gateway.Outcome:
    return gateway.save_card(
        amount=Money(minor, currency),
        payment_method=method,
        customer_id=customer(),
        charge_id=1,
        idempotency_key=uuid.uuid4().hex,
    )


def test_a_good_card_is_charged_and_kept() -> None:
    outcome = pay("pm_card_visa")
    assert outcome.status is ChargeStatus.SUCCEEDED
    assert outcome.intent_id.startswith("pi_")
    assert (outcome.card_brand, outcome.card_last4) == ("visa", "4242")
    assert outcome.payment_method.startswith("pm_")
    assert gateway.look_up(intent_id=outcome.intent_id).status is ChargeStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_chargeCustomerFail", "card_declined"),
        ("pm_never_given_out", "resource_missing"),
    ],
)
def test_a_bad_card_fails_with_stripes_code(method: str, code: str) -> None:
    outcome = pay(method)
    assert (outcome.status, outcome.failure_code) == (ChargeStatus.FAILED, code)
    assert outcome.client_secret == ""


def test_a_card_that_asks_for_authentication_says_where() -> None:
    outcome = pay("pm_card_authenticationRequired")
    assert outcome.status is ChargeStatus.REQUIRES_ACTION
    assert outcome.client_secret.startswith(outcome.intent_id + "_secret_")
    assert outcome.next_action_url.startswith("http://127.0.0.1:")
    assert gateway.cancel(intent_id=outcome.intent_id).status is ChargeStatus.CANCELED


@pytest.mark.parametrize("attempt", [pay, save])
def test_who_has_authenticated_lands_on_a_page_of_ours(attempt: Callable[[str], gateway.Outcome]) -> None:
    outcome = attempt("pm_card_authenticationRequired")
    answer = requests.get(f"{outcome.next_action_url}?outcome=success", allow_redirects=False, timeout=60)
    landing = urlsplit(answer.headers["Location"])
    assert f"{landing.scheme}://{landing.netloc}" == settings.PUBLIC_URL
    page = Client().get(f"{landing.path}?{landing.query}", headers={"host": "127.0.0.1"})
    assert page.status_code == 200
    assert "go back to where you booked" in page.content.decode()
    assert outcome.client_secret not in page.content.decode()
    assert page["Referrer-Policy"] == "no-referrer"


def test_a_card_is_saved_for_later() -> None:
    outcome = save("pm_card_visa")
    assert outcome.status is ChargeStatus.AUTHORIZED
    assert outcome.setup_intent_id.startswith("seti_")
    assert outcome.intent_id == ""
    later = gateway.charge(
        amount=Money(500, "USD"),
        payment_method=outcome.payment_method,
        customer_id=outcome.customer_id,
        charge_id=1,
        idempotency_key=uuid.uuid4().hex,
        off_session=True,
    )
    assert later.status is ChargeStatus.SUCCEEDED


def test_the_same_key_is_one_charge() -> None:
    payer, key = customer(), uuid.uuid4().hex
    outcomes = {
        gateway.charge(
            amount=Money(700, "EUR"), payment_method="pm_card_visa", customer_id=payer, charge_id=2, idempotency_key=key
        ).intent_id
        for _ in range(3)
    }
    assert len(outcomes) == 1


def test_a_refund_goes_back_once_and_never_beyond() -> None:
    paid = pay("pm_card_visa", minor=1000)
    key = uuid.uuid4().hex
    first = gateway.refund(intent_id=paid.intent_id, amount=Money(600, "USD"), refund_id=1, idempotency_key=key)
    again = gateway.refund(intent_id=paid.intent_id, amount=Money(600, "USD"), refund_id=1, idempotency_key=key)
    beyond = gateway.refund(
        intent_id=paid.intent_id, amount=Money(600, "USD"), refund_id=2, idempotency_key=uuid.uuid4().hex
    )
    assert first.status is RefundStatus.SUCCEEDED
    assert again == first
    assert beyond.status is RefundStatus.FAILED


@pytest.mark.parametrize(
    ("minor", "currency"),
    [(1_500, "ISK"), (15_000, "UGX"), (150_000, "MGA"), (12_340, "KWD"), (12_345, "KWD"), (70, "JPY")],
)
def test_what_stripe_counts_otherwise_is_the_same_money_there_and_back(minor: int, currency: str) -> None:
    outcome = pay("pm_card_visa", minor=minor, currency=currency)
    assert outcome.status is ChargeStatus.SUCCEEDED
    told = gateway.payment(intent_id=outcome.intent_id)
    assert told is not None
    assert told.amount == Money(minor, currency)
    back = Money(minor // 2 // smallest_step(currency) * smallest_step(currency), currency)
    given = gateway.refund(intent_id=outcome.intent_id, amount=back, refund_id=1, idempotency_key=uuid.uuid4().hex)
    assert given.status is RefundStatus.SUCCEEDED
    assert [each.amount for each in gateway.refunds_of(intent_id=outcome.intent_id)] == [back]


@pytest.mark.parametrize(
    ("minor", "currency", "code"),
    [
        (150_050, "MGA", ODD_AMOUNT),
        (10_000, "CLF", UNKNOWN_CURRENCY),
        (100, "IQD", UNKNOWN_CURRENCY),
    ],
)
def test_what_stripe_cannot_charge_fails_at_once_and_with_a_code(minor: int, currency: str, code: str) -> None:
    for outcome in (
        pay("pm_card_visa", minor=minor, currency=currency),
        save("pm_card_visa", minor=minor, currency=currency),
    ):
        assert (outcome.status, outcome.failure_code) == (ChargeStatus.FAILED, code)
        assert (outcome.intent_id, outcome.setup_intent_id) == ("", "")


def test_a_currency_that_stripe_has_given_up_fails_with_the_same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_amounts, "CHARGEABLE", {"KPW"})
    outcome = pay("pm_card_visa", currency="KPW")
    assert (outcome.status, outcome.failure_code) == (ChargeStatus.FAILED, UNKNOWN_CURRENCY)


@pytest.fixture
def busy_stripe(settings: Any) -> Iterator[list[str]]:
    """A Stripe that is carrying out everything already; the paths that it was asked for."""
    asked: list[str] = []
    said = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "Please try again later."}
    body = json.dumps({"error": said}).encode()

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.path)
            self.send_response(409)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.server_port}"
        stripe_client.cache_clear()
        try:
            yield asked
        finally:
            server.shutdown()
            stripe_client.cache_clear()


def test_what_stripe_is_carrying_out_already_is_asked_for_again_later(busy_stripe: list[str]) -> None:
    at: dict[str, Any] = {"customer_id": "cus_1", "charge_id": 1, "idempotency_key": "of the first"}
    calls: list[Callable[[], Any]] = [
        lambda: gateway.create_customer(account="test", idempotency_key="of the first"),
        lambda: gateway.charge(amount=Money(500, "USD"), payment_method="pm_1", **at),
        lambda: gateway.save_card(amount=Money(500, "USD"), payment_method="pm_1", **at),
        lambda: gateway.refund(intent_id="pi_1", amount=Money(500, "USD"), refund_id=1, idempotency_key="of the first"),
        lambda: gateway.cancel(intent_id="pi_1"),
        lambda: gateway.forget(payment_method="pm_1"),
    ]
    for call in calls:
        with pytest.raises(gateway.GatewayUnavailable) as refused:
            call()
        # With the same key: another one would charge twice.
        assert not isinstance(refused.value, gateway.AnswerLost)
    assert len(busy_stripe) == len(calls)


def signed(payload: bytes) -> str:
    """The signature of Stripe's scheme, of this second."""
    at = int(time.time())
    secret = settings.STRIPE_WEBHOOK_SECRET.encode()
    return f"t={at},v1={hmac.new(secret, b'%d.' % at + payload, hashlib.sha256).hexdigest()}"


def message(**changes: Any) -> bytes:
    subject = {"id": "pi_1", "object": "payment_intent"}
    return json.dumps({"id": "evt_1", "object": "event", "type": "x", "data": {"object": subject}, **changes}).encode()


def test_what_stripe_signed_is_read() -> None:
    refund = {"id": "re_1", "object": "refund", "payment_intent": "pi_1"}
    payload = message(type="charge.refunded", data={"object": refund})
    event = gateway.read_event(payload=payload, signature=signed(payload))
    assert (event.event_id, event.type, event.object_id, event.intent_id) == (
        "evt_1",
        "charge.refunded",
        "re_1",
        "pi_1",
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"{}",
        b"[" * 100_000,
        message(id=None),
        message(id=5),
        message(id={"a": 1}),
        message(id="evt_\x00"),
        message(id="evt_\ud800"),
        message(id="e" * 256),
        message(type=None),
        message(type=7),
        message(type="x\x00"),
        message(data={"object": {"id": "pi_\x00"}}),
        message(data={"object": {"id": "pi_1", "payment_intent": 7}}),
        message(data={"object": None}, id=""),
    ],
    ids=lambda payload: repr(payload[:60]),
)
def test_what_stripe_never_says_is_refused_though_it_is_signed(payload: bytes) -> None:
    with pytest.raises(gateway.BadSignature):
        gateway.read_event(payload=payload, signature=signed(payload))


def test_what_stripe_did_not_sign_is_refused() -> None:
    for signature in ("", "t=1,v1=00", "nonsense"):
        with pytest.raises(gateway.BadSignature):
            gateway.read_event(payload=b'{"id": "evt_1"}', signature=signature)
