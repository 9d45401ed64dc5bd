"""Faults on demand, each seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.stripe.conftest import SECRET, Account, Receiver


def test_a_timeout_comes_after_the_charge(account: Account) -> None:
    account.faults(requests={"timeout_after_success": 1.0, "hang_seconds": 0.1})

    with pytest.raises(stripe.APIConnectionError):
        account.pay(key="lost")

    assert [charge.paid for charge in account.v1.charges.list().data] == [True]
    assert account.pay(key="lost").status == "succeeded"
    assert len(account.v1.charges.list().data) == 1


def test_a_500_before_the_work_leaves_nothing_and_may_be_tried_again(account: Account) -> None:
    account.faults(requests={"error_500": 1.0})

    with pytest.raises(stripe.APIError) as caught:
        account.pay(key="k")

    assert caught.value.http_status == 500
    assert account.v1.charges.list().data == []
    account.http("DELETE", "/_config/faults")
    assert account.pay(key="k").status == "succeeded"


def test_a_500_after_the_work_is_remembered(account: Account) -> None:
    account.faults(requests={"error_500_after_success": 1.0})
    with pytest.raises(stripe.APIError):
        account.pay(key="k")
    account.http("DELETE", "/_config/faults")

    with pytest.raises(stripe.APIError) as caught:
        account.pay(key="k")

    assert caught.value.headers is not None
    assert caught.value.headers["Idempotent-Replayed"] == "true"
    assert [charge.paid for charge in account.v1.charges.list().data] == [True]


def test_a_429_leaves_nothing(account: Account) -> None:
    account.faults(requests={"error_429": 1.0})

    with pytest.raises(stripe.RateLimitError):
        account.pay(key="k")

    assert account.event_types() == []
    account.faults()
    assert account.pay(key="k").status == "succeeded"


def test_what_struck_is_counted(account: Account) -> None:
    account.faults(requests={"error_500": 1.0, "error_429": 1.0})
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            account.pay()
    account.faults(requests={"error_500_after_success": 1.0})
    with pytest.raises(stripe.APIError):
        account.pay()
    account.faults()
    account.pay()
    counted = account.http("GET", "/_config/faults/struck").json()
    assert {name: count for name, count in counted.items() if count} == {"error_429": 2, "error_500_after_success": 1}


def test_reads_are_met_only_when_asked(account: Account) -> None:
    account.faults(requests={"error_500": 1.0})
    assert account.v1.charges.list().data == []

    account.faults(requests={"error_500": 1.0, "reads": True})

    with pytest.raises(stripe.APIError):
        account.v1.charges.list()


def test_webhooks_are_lost_doubled_late_and_overtaken(account: Account, make_receiver: Callable[[], Receiver]) -> None:
    receiver = make_receiver()
    account.send_to(receiver)

    account.faults(webhooks={"drop": 1.0})
    dropped = account.v1.customers.create()
    account.faults(webhooks={"duplicate": 1.0})
    account.v1.customers.create({"name": "twice"})
    twice = receiver.take(2)
    assert twice[0]["id"] == twice[1]["id"]
    assert twice[0]["data"]["object"]["name"] == "twice"

    account.faults(webhooks={"delay": 0.5})
    begun = time.monotonic()
    account.v1.customers.create()
    assert receiver.take_raw(1)[0][0] - begun >= 0.45

    account.faults(webhooks={"reorder": 1.0, "reorder_seconds": 0.4})
    account.v1.customers.create({"name": "first"})
    account.faults()
    account.v1.customers.create({"name": "second"})
    names = [event["data"]["object"]["name"] for event in receiver.take(2)]
    assert names == ["second", "first"]
    assert receiver.silent(0.1)
    assert dropped.id in [event.data.object.id for event in account.v1.events.list().data]


def test_a_badly_signed_webhook_comes_again_well_signed(
    account: Account, make_receiver: Callable[[], Receiver]
) -> None:
    receiver = make_receiver()
    receiver.statuses = [400]
    account.send_to(receiver)
    account.faults(webhooks={"bad_signature": 1.0})

    account.v1.customers.create()

    (_, body, bad), (_, again, good) = receiver.take_raw(2)
    assert body == again
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, bad, SECRET)
    assert stripe.Webhook.construct_event(again, good, SECRET).type == "customer.created"


def outcomes(account: Account, seed: int) -> list[int]:
    account.faults(requests={"error_500": 0.3, "error_429": 0.3}, seed=seed)
    return [account.http("POST", "/v1/customers").status_code for _ in range(30)]


def test_a_seed_repeats_itself(account: Account) -> None:
    first = outcomes(account, 7)

    assert {200, 429, 500} == set(first)
    assert outcomes(account, 7) == first
    assert outcomes(account, 8) != first


def test_faults_are_the_account_s_own(account: Account) -> None:
    account.faults(requests={"error_500": 1.0})

    assert Account(account.running).v1.customers.create().id.startswith("cus_")


def test_without_a_key_the_main_account_is_meant(account: Account) -> None:
    url = f"{account.url}/_config/faults"
    main = account.running.client()
    try:
        answer = requests.post(url, json={"requests": {"error_429": 1}, "seed": 3}, timeout=300)
        assert (answer.status_code, answer.json()["seed"]) == (200, 3)
        assert requests.get(url, timeout=300).json()["requests"]["error_429"] == 1.0
        with pytest.raises(stripe.RateLimitError):
            main.v1.customers.create()
        assert account.v1.customers.create().id.startswith("cus_")
    finally:
        assert requests.delete(url, timeout=300).status_code == 200
    assert main.v1.customers.create().id.startswith("cus_")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"webhooks": {"drop": 1.5}}, "webhooks.drop"),
        ({"webhooks": {"drop": -0.1}}, "webhooks.drop"),
        ({"webhooks": {"drop": True}}, "webhooks.drop"),
        ({"webhooks": {"drop": "0.5"}}, "webhooks.drop"),
        ({"webhooks": {"delay": 1e9}}, "webhooks.delay"),
        ({"webhooks": {"lose": 0.1}}, "webhooks.lose"),
        ({"requests": {"error_500": None}}, "requests.error_500"),
        ({"requests": {"reads": 1}}, "requests.reads"),
        ({"requests": []}, "requests"),
        ({"replies": {}}, "replies"),
        ({"seed": "7"}, "seed"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_set(account: Account, body: Any, field: str) -> None:
    answer = account.http("POST", "/_config/faults", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert field in answer.json()["error"]["message"]
    assert account.v1.customers.create().id.startswith("cus_")


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b'{"webhooks": {"drop": NaN}}', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(account: Account, raw: bytes) -> None:
    assert account.http("POST", "/_config/faults", data=raw).status_code == 400
