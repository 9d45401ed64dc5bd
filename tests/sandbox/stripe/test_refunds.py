"""Refunds: whole, in parts, and never more than is left."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.sandbox.stripe.conftest import Account


def refused(call: Any, *given: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*given)
    return caught.value


def test_parts_add_up_to_the_whole(account: Account) -> None:
    intent = account.pay(amount=1_000)

    first = account.v1.refunds.create({"payment_intent": intent.id, "amount": 400, "metadata": {"booking": "9"}})
    assert (first.status, first.amount, first.charge) == ("succeeded", 400, intent.latest_charge)
    charge = account.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (400, False)
    rest = account.v1.refunds.create({"charge": charge.id, "reason": "requested_by_customer"})

    assert (rest.amount, rest.reason) == (600, "requested_by_customer")
    charge = account.v1.charges.retrieve(charge.id)
    assert (charge.amount_refunded, charge.refunded) == (1_000, True)
    error = refused(account.v1.refunds.create, {"payment_intent": intent.id, "amount": 1})
    assert (error.http_status, error.code) == (400, "charge_already_refunded")
    assert [refund.amount for refund in account.v1.refunds.list({"payment_intent": intent.id}).data] == [600, 400]
    assert account.event_types()[3:] == ["charge.refunded", "refund.created"] * 2


def test_more_than_is_left_is_refused(account: Account) -> None:
    intent = account.pay(amount=1_000)

    error = refused(account.v1.refunds.create, {"payment_intent": intent.id, "amount": 1_001})
    assert error.user_message == "Refund amount ($10.01) is greater than charge amount ($10.00)"
    assert error.param == "amount"
    account.v1.refunds.create({"payment_intent": intent.id, "amount": 300})
    error = refused(account.v1.refunds.create, {"payment_intent": intent.id, "amount": 701})

    assert error.user_message == "Refund amount ($7.01) is greater than unrefunded amount on charge ($7.00)"
    assert [refund.amount for refund in account.v1.refunds.list().data] == [300]


def test_of_many_refunds_at_once_no_cent_too_much_goes_out(account: Account) -> None:
    intent = account.pay(amount=1_000)

    def attempt(number: int) -> int:
        try:
            return account.v1.refunds.create({"payment_intent": intent.id, "amount": 150}).amount
        except stripe.InvalidRequestError:
            return 0

    with ThreadPoolExecutor(16) as pool:
        amounts = list(pool.map(attempt, range(16)))

    assert sorted(amounts) == [0] * 10 + [150] * 6
    assert account.v1.charges.retrieve(str(intent.latest_charge)).amount_refunded == 900


def test_what_was_not_paid_is_not_refunded(account: Account) -> None:
    intent = account.v1.payment_intents.create({"amount": 100, "currency": "usd"})

    error = refused(account.v1.refunds.create, {"payment_intent": intent.id})
    assert "does not have a successful charge to refund" in str(error)
    held = account.pay(capture_method="manual")
    refused(account.v1.refunds.create, {"payment_intent": held.id})
    assert refused(account.v1.refunds.create, {"charge": "ch_nothing"}).code == "resource_missing"
    assert refused(account.v1.refunds.create, {}).code == "parameter_missing"
    assert account.v1.refunds.list().data == []


def test_metadata_of_a_refund_changes_later(account: Account) -> None:
    refund = account.v1.refunds.create({"payment_intent": account.pay().id})

    changed = account.v1.refunds.update(refund.id, {"metadata": {"why": "rain"}})

    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"why": "rain"}
    (event,) = account.v1.events.list({"type": "refund.updated"}).data
    assert event.data.to_dict()["previous_attributes"] == {"metadata": {}}


def test_a_refund_can_wait_and_can_come_back(account: Account) -> None:
    waiting = account.v1.refunds.create({"payment_intent": account.pay("pm_card_pendingRefund").id})
    failing = account.v1.refunds.create({"payment_intent": account.pay("pm_card_refundFail").id})
    assert (waiting.status, failing.status) == ("pending", "succeeded")

    statuses: list[str | None] = []
    for _ in range(60):
        statuses = [account.v1.refunds.retrieve(refund.id).status for refund in (waiting, failing)]
        if statuses == ["succeeded", "failed"]:
            break
        time.sleep(0.05)

    assert statuses == ["succeeded", "failed"]
    charge = account.v1.charges.retrieve(str(failing.charge))
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert "refund.failed" in account.event_types()
