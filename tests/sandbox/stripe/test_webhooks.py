"""Webhooks: signed, in order, retried, and kept over a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import stripe

from sandbox.stripe.background import wait_before
from tests.sandbox.stripe.conftest import SECRET, Account, Receiver, Running


def test_every_event_is_sent_signed_and_in_order(account: Account, make_receiver: Callable[[], Receiver]) -> None:
    receiver = make_receiver()
    account.send_to(receiver)

    intent = account.pay(key="the-key")

    taken = receiver.take_raw(3)
    events = [stripe.Webhook.construct_event(body, signature, SECRET) for _, body, signature in taken]
    assert [event.type for event in events] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    assert events[2].data.object.id == intent.id
    assert events[2].request is not None
    assert events[2].request.idempotency_key == "the-key"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(taken[0][1], taken[0][2], "whsec_another")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(taken[0][1] + b" ", taken[0][2], SECRET)
    for _ in range(50):
        if account.v1.events.retrieve(events[2].id).pending_webhooks == 0:
            break
    assert account.v1.events.retrieve(events[2].id).pending_webhooks == 0
    assert receiver.silent(0.1)


def test_a_refused_webhook_is_sent_again_a_second_later(
    account: Account, make_receiver: Callable[[], Receiver]
) -> None:
    receiver = make_receiver()
    receiver.statuses = [302]
    account.send_to(receiver)

    account.v1.customers.create()

    (first, again) = receiver.take_raw(2)
    assert first[1] == again[1]
    assert 0.9 <= again[0] - first[0] <= 1.9
    assert receiver.silent(0.2)


def test_the_waits_grow_up_to_a_minute() -> None:
    assert [wait_before(attempt) for attempt in (1, 2, 3, 4, 6, 7, 200)] == [1, 2, 4, 8, 32, 60, 60]


def test_authentication_and_bookkeeping_send_their_events(
    account: Account, make_receiver: Callable[[], Receiver]
) -> None:
    receiver = make_receiver()
    account.send_to(receiver)

    customer = account.v1.customers.create({"name": "A"})
    account.v1.customers.update(customer.id, {"name": "B"})
    method = account.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    account.v1.payment_methods.detach(method.id)
    account.v1.customers.delete(customer.id)

    events = receiver.take(5)
    assert [event["type"] for event in events] == [
        "customer.created",
        "customer.updated",
        "payment_method.attached",
        "payment_method.detached",
        "customer.deleted",
    ]
    assert events[1]["data"]["previous_attributes"] == {"name": "A"}
    assert "_hidden" not in json.dumps(events)


def test_switched_off_nothing_is_sent(account: Account, make_receiver: Callable[[], Receiver]) -> None:
    receiver = make_receiver()
    account.send_to(receiver)
    assert account.http("POST", "/_config/webhook", json={"url": None, "secret": None}).status_code == 200

    account.v1.customers.create()

    assert receiver.silent(0.3)
    assert account.event_types() == ["customer.created"]


@pytest.mark.parametrize(
    "body",
    [
        {"url": "ftp://example.com", "secret": "s"},
        {"url": "http://", "secret": "s"},
        {"url": "http://a b/", "secret": "s"},
        {"url": "http://[::1", "secret": "s"},
        {"url": 5, "secret": "s"},
        {"url": "http://127.0.0.1:1/", "secret": ""},
        {"url": "http://127.0.0.1:1/"},
        {"address": "http://127.0.0.1:1/"},
        [],
    ],
)
def test_a_wrong_endpoint_is_refused(account: Account, body: object) -> None:
    assert account.http("POST", "/_config/webhook", json=body).status_code == 400
    assert account.http("GET", "/_config/webhook").json() == {"url": None}


def test_what_was_not_delivered_survives_a_kill(tmp_path: Path, make_receiver: Callable[[], Receiver]) -> None:
    receiver = make_receiver()
    gone = make_receiver()
    gone.statuses = [503] * 20
    first = Running(tmp_path, "--webhook-url", gone.url, "--webhook-secret", SECRET)
    try:
        first.client().v1.customers.create({"email": "kept@example.com"})
        gone.take(1)
    finally:
        first.kill()

    second = Running(tmp_path, "--webhook-url", receiver.url, "--webhook-secret", SECRET)
    try:
        (event,) = receiver.take(1)
        assert (event["type"], event["data"]["object"]["email"]) == ("customer.created", "kept@example.com")
        assert second.client().v1.customers.list().data[0].email == "kept@example.com"
        assert second.stop() == 0
    finally:
        second.kill()
