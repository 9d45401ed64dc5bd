"""Currencies with no, two and three decimals all the way: booked, paid, changed, refunded and on the receipt."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from apps.core.periods import local_date
from apps.payments.models import Charge
from schema.core.ids import to_global_id
from tests.bookings.life import work
from tests.payments.steps import stripe_api
from tests.recipes import make_property, make_staff
from tests.schema.listings.api import mutate

pytestmark = pytest.mark.django_db(transaction=True)

MONEY = "{ amountMinor amount currency }"
BOOKING = f"id total {MONEY} refundable {MONEY} payments {{ id status amount {MONEY} refunded {MONEY} receiptUrl }}"
# The currency, the price of a night and what comes back in minor units, and how the amounts are written.
CASES = [
    ("JPY", 10_001, 501, {"two": "20002", "one": "10001", "back": "501"}),
    ("EUR", 10_001, 501, {"two": "200.02", "one": "100.01", "back": "5.01"}),
    ("KWD", 10_001, 501, {"two": "20.002", "one": "10.001", "back": "0.501"}),
]


def post(name: str, data: dict[str, Any], *, shows: str = BOOKING) -> Any:
    """What a mutation without an account makes of a booking, over HTTP."""
    query = (
        f"mutation($i: {name[0].upper()}{name[1:]}Input!) "
        f"{{ it: {name}(input: $i) {{ {'accessToken' if name.startswith('book') else ''} booking {{ {shows} }} "
        "errors { code field message } } }"
    )
    answer = Client().post("/graphql", {"query": query, "variables": {"i": data}}, content_type="application/json")
    body = json.loads(answer.content)
    assert "errors" not in body, body
    assert body["data"]["it"]["errors"] == []
    return body["data"]["it"]


@pytest.mark.parametrize(("currency", "price", "back", "written"), CASES, ids=[case[0] for case in CASES])
def test_amounts_are_whole_minor_units_all_the_way(
    currency: str, price: int, back: int, written: dict[str, str]
) -> None:
    home = make_property(currency=currency, price_minor=price, cancellation_policy="FLEXIBLE")
    first = local_date(datetime.now(UTC) + timedelta(days=30), home.time_zone)
    contact = {"email": "walker@example.org", "firstName": "Ada", "lastName": "Walker"}

    def money(name: str, minor: int) -> dict[str, Any]:
        return {"amountMinor": minor, "amount": written[name], "currency": currency}

    held = post(
        "bookProperty",
        {
            "propertyId": to_global_id("Property", home.pk), "checkIn": first.isoformat(), "guests": 1, "contact": contact,
            "checkOut": (first + timedelta(days=1)).isoformat(),
        },
    )  # fmt: skip
    secret = {"bookingId": held["booking"]["id"], "accessToken": held["accessToken"]}
    assert held["booking"]["total"] == money("one", price)
    post("payBooking", {**secret, "paymentMethod": "pm_card_visa"})
    now = datetime.now(UTC)
    work(now=now)

    changed = post("changeBooking", {**secret, "checkOut": (first + timedelta(days=2)).isoformat()})["booking"]
    assert changed["total"] == money("two", 2 * price)
    work(now=now)

    payment = Charge.objects.order_by("pk")[1]
    give = {
        "paymentId": to_global_id("Payment", payment.pk),
        "amount": {"amountMinor": back, "currency": currency},
    }
    assert mutate("refundPayment", give, viewer=make_staff(), now=now, shows="payment { id }")["errors"] == []
    work(now=now)

    canceled = post("cancelBooking", secret)["booking"]
    work(now=now)
    assert [row["amount"] for row in canceled["payments"]] == [money("one", price)] * 2
    intents = list(Charge.objects.order_by("pk").values_list("intent_id", flat=True))
    for intent in intents:
        told = stripe_api("GET", f"/v1/payment_intents/{intent}")
        refunds = stripe_api("GET", "/v1/refunds", payment_intent=intent)["data"]
        assert (told["amount_received"], told["currency"]) == (price, currency.lower())
        assert sum(refund["amount"] for refund in refunds) == price
    receipt = Client().get(urlsplit(canceled["payments"][1]["receiptUrl"]).path).content.decode()
    assert f"{written['one']} {currency}" in receipt
    assert f"-{written['back']} {currency}" in receipt
    assert sum(Charge.objects.values_list("refunded_minor", flat=True)) == 2 * price
