"""Idempotency keys: the first answer is the answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from sandbox.stripe.api import Answer, Emulator, Request
from sandbox.stripe.routes import Call
from sandbox.stripe.session import Session
from sandbox.stripe.store import Store
from tests.sandbox.stripe.conftest import Account

PAYMENT = {
    "amount": "700",
    "currency": "usd",
    "confirm": "true",
    "payment_method": "pm_card_visa",
    "off_session": "true",
}


def post(account: Account, key: str, path: str = "/v1/payment_intents", **change: str) -> Any:
    return account.http("POST", path, data=PAYMENT | change, headers={"Idempotency-Key": key})


def test_the_same_request_is_answered_the_same_and_done_once(account: Account) -> None:
    first, again = post(account, "a"), post(account, "a")

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"] != again.headers["Request-Id"]
    assert len(account.v1.charges.list().data) == 1
    assert len(account.event_types()) == 3


def test_a_replay_shows_the_answer_of_then(account: Account) -> None:
    first = post(account, "a")
    account.v1.refunds.create({"payment_intent": first.json()["id"]})

    assert post(account, "a").content == first.content


def test_a_decline_is_replayed(account: Account) -> None:
    first = post(account, "a", payment_method="pm_card_chargeDeclined")
    again = post(account, "a", payment_method="pm_card_chargeDeclined")

    assert (first.status_code, again.status_code) == (402, 402)
    assert again.content == first.content
    assert len(account.v1.charges.list().data) == 1


def test_other_parameters_with_the_same_key_are_an_error(account: Account) -> None:
    post(account, "a")

    with pytest.raises(stripe.IdempotencyError) as caught:
        account.pay(amount=999, key="a")
    assert (caught.value.http_status, len(account.v1.charges.list().data)) == (400, 1)
    elsewhere = account.http("POST", "/v1/customers", data={}, headers={"Idempotency-Key": "a"})
    assert (elsewhere.status_code, elsewhere.json()["error"]["type"]) == (400, "idempotency_error")
    assert account.v1.customers.list().data == []


def test_a_refused_move_is_remembered_and_a_refused_parameter_is_not(account: Account) -> None:
    intent = account.v1.payment_intents.create({"amount": 100, "currency": "usd"})
    path = f"/v1/payment_intents/{intent.id}/capture"

    def capture(key: str, **data: str) -> Any:
        return account.http("POST", path, data=data, headers={"Idempotency-Key": key})

    assert (capture("state").status_code, capture("state").headers["Idempotent-Replayed"]) == (400, "true")
    assert post(account, "bad", amount="-1").status_code == 400
    assert "Idempotent-Replayed" not in post(account, "bad", amount="-1").headers
    assert post(account, "bad").status_code == 200


def test_keys_are_the_account_s_own(account: Account) -> None:
    other = Account(account.running)

    assert post(account, "a").json()["id"] != post(other, "a").json()["id"]


def test_a_key_has_at_most_255_characters(account: Account) -> None:
    assert post(account, "k" * 255).status_code == 200
    assert post(account, "k" * 256).status_code == 400


def test_of_32_at_once_with_one_key_one_is_done(account: Account) -> None:
    def attempt(number: int) -> tuple[int, str]:
        answer = post(account, "same")
        return answer.status_code, answer.json().get("id") or answer.json()["error"]["code"]

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(attempt, range(32)))

    ids = {text for status, text in answers if status == 200}
    assert len(ids) == 1
    assert {answer for answer in answers if answer[0] != 200} <= {(409, "idempotency_key_in_use")}
    assert len(account.v1.charges.list().data) == 1


def test_the_client_s_own_retries_lead_to_one_charge(account: Account) -> None:
    client = account.running.client(account.key, retries=5)
    given: Any = {"amount": 100, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
    given["off_session"] = True

    def attempt(number: int) -> str:
        return client.v1.payment_intents.create(given, {"idempotency_key": "one"}).id

    with ThreadPoolExecutor(32) as pool:
        ids = set(pool.map(attempt, range(32)))

    assert len(ids) == 1
    assert len(account.v1.charges.list().data) == 1


def test_a_second_request_is_turned_away_while_the_first_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = Emulator(Store(tmp_path / "state"), "sk_test_here")
    begun, go_on = threading.Event(), threading.Event()
    run = Call.run

    def slow(call: Call, session: Session) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(60)
        return run(call, session)

    def ask() -> Answer:
        headers = {"authorization": "Bearer sk_test_here", "idempotency-key": "same"}
        return emulator.handle(Request("POST", "/v1/payment_intents", "", headers, urlencode(PAYMENT).encode()))

    monkeypatch.setattr(Call, "run", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask)
        assert begun.wait(60)
        try:
            second = pool.submit(ask).result(timeout=60)
        finally:
            go_on.set()

        assert (second.status, second.headers["Stripe-Should-Retry"]) == (409, "true")
        assert "idempotency_key_in_use" in second.text
        assert first.result(timeout=60).status == 200
    assert ask().text == first.result().text
    assert len(emulator.store.page("", "charge", limit=10)[0]) == 1
    emulator.store.close()


def test_keys_are_forgotten_when_told_to(account: Account) -> None:
    first = post(account, "a")
    other = Account(account.running)
    kept = post(other, "a")

    assert account.http("DELETE", "/_config/answers").json() == {"ok": True}

    assert post(account, "a").json()["id"] != first.json()["id"]
    assert post(other, "a").content == kept.content
    assert len(account.v1.charges.list().data) == 2
