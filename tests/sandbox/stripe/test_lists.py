"""Lists, filters, expansion, customers and the reset of an account."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.stripe.conftest import Account


def test_pages_run_newest_first_without_gap_or_double(account: Account) -> None:
    made = [account.v1.customers.create({"name": str(number)}).id for number in range(7)][::-1]

    first = account.v1.customers.list({"limit": 3})
    assert ([item.id for item in first.data], first.has_more) == (made[:3], True)
    second = account.v1.customers.list({"limit": 3, "starting_after": made[2]})
    assert ([item.id for item in second.data], second.has_more) == (made[3:6], True)
    last = account.v1.customers.list({"limit": 3, "starting_after": made[5]})
    assert ([item.id for item in last.data], last.has_more) == (made[6:], False)
    back = account.v1.customers.list({"limit": 3, "ending_before": made[6]})
    assert ([item.id for item in back.data], back.has_more) == (made[3:6], True)
    top = account.v1.customers.list({"limit": 3, "ending_before": made[2]})
    assert ([item.id for item in top.data], top.has_more) == (made[:2], False)
    assert [item.id for item in account.v1.customers.list({"limit": 2}).auto_paging_iter()] == made


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"starting_after": "cus_x"}, {"created": {"after": 1}}]
)
def test_a_wrong_page_is_refused(account: Account, wrong: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.v1.customers.list(wrong)
    assert caught.value.http_status == 400


def test_filters_select(account: Account) -> None:
    customer = account.v1.customers.create({"email": "a@example.com"})
    account.v1.customers.create({"email": "b@example.com"})
    mine = account.pay(customer=customer.id)
    other = account.pay()
    created = mine.created

    assert [item.id for item in account.v1.customers.list({"email": "a@example.com"}).data] == [customer.id]
    assert [item.id for item in account.v1.payment_intents.list({"customer": customer.id}).data] == [mine.id]
    assert [item.payment_intent for item in account.v1.charges.list({"payment_intent": other.id}).data] == [other.id]
    assert len(account.v1.charges.list({"created": {"gte": created - 5}}).data) == 2
    assert account.v1.charges.list({"created": {"gt": created + 60}}).data == []
    assert account.v1.charges.list({"created": {"lt": created - 60}}).data == []
    types = {event.type for event in account.v1.events.list({"types": ["charge.succeeded", "customer.created"]}).data}
    assert types == {"charge.succeeded", "customer.created"}
    assert {event.type for event in account.v1.events.list({"type": "payment_intent.*"}).data} == {
        "payment_intent.created",
        "payment_intent.succeeded",
    }
    assert len(account.v1.events.list({"type": "charge.succeeded"}).data) == 2


def test_ids_open_into_objects(account: Account) -> None:
    customer = account.v1.customers.create({"name": "Ada"})
    intent: Any = account.pay(customer=customer.id, expand=["customer", "latest_charge.customer"])
    assert (intent.customer.name, intent.latest_charge.customer.name) == ("Ada", "Ada")

    listed: Any = account.v1.payment_intents.list({"expand": ["data.payment_method"]}).data[0]
    assert listed.payment_method.card.last4 == "4242"
    refund: Any = account.v1.refunds.create({"payment_intent": intent.id, "expand": ["charge.payment_intent"]})
    assert refund.charge.payment_intent.id == intent.id
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        account.v1.payment_intents.retrieve(intent.id, {"expand": ["amount"]})
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        account.v1.payment_intents.retrieve(intent.id, {"expand": ["a.b.c.d.e"]})


def test_a_deleted_customer_is_gone(account: Account) -> None:
    customer = account.v1.customers.create({"payment_method": "pm_card_visa"})
    (saved,) = account.v1.customers.payment_methods.list(customer.id).data

    assert account.v1.customers.delete(customer.id).deleted is True

    assert account.v1.customers.retrieve(customer.id).deleted is True
    assert account.v1.customers.list().data == []
    assert account.v1.payment_methods.retrieve(saved.id).customer is None
    for call in (
        lambda: account.v1.customers.update(customer.id, {"name": "x"}),
        lambda: account.v1.customers.delete(customer.id),
        lambda: account.pay(customer=customer.id),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            call()
        assert caught.value.code == "resource_missing"


def test_a_reset_empties_the_account_alone(account: Account) -> None:
    other = Account(account.running)
    account.pay()
    other.pay()

    assert account.http("DELETE", "/_config/data").json() == {"ok": True}

    assert (account.v1.charges.list().data, account.event_types()) == ([], [])
    assert len(other.v1.charges.list().data) == 1


def test_payments_of_before_are_there_once_and_nobody_is_told(account: Account) -> None:
    told = {
        "id": "pi_before",
        "amount": 1_250,
        "currency": "eur",
        "payment_method": "pm_card_visa",
        "created": 1_700_000_000,
        "metadata": {"holdfast_charge": "7"},
    }
    older = told | {"id": "pi_long_before", "created": 1_600_000_000}
    for made in (2, 0):
        assert account.http("POST", "/_config/past", json={"payments": [told, older]}).json() == {"made": made}
    listed = account.http("GET", "/v1/payment_intents").json()["data"]
    assert [(each["id"], each["created"]) for each in listed] == [
        ("pi_before", 1_700_000_000),
        ("pi_long_before", 1_600_000_000),
    ]
    assert [each["amount"] for each in account.http("GET", "/v1/charges").json()["data"]] == [1_250, 1_250]
    assert account.http("GET", "/v1/events").json()["data"] == []
    wrong = [{"payments": [told | {"id": "pi_other", "payment_method": "pm_card_chargeDeclined"}]}, {"payments": 1}, []]
    wrong += [{"payments": [{"id": "pi_other"}]}, {"payments": [told | {"id": "pi_other", "amount": 0}]}]
    for body in wrong:
        assert account.http("POST", "/_config/past", json=body).status_code in (400, 402)
    assert len(account.http("GET", "/v1/payment_intents").json()["data"]) == 2
