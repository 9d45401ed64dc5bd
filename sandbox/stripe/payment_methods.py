"""PaymentMethods: made from test cards, attached to customers and detached."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

from sandbox.stripe import cards
from sandbox.stripe.cards import Card, Decline
from sandbox.stripe.errors import ApiError, no_such
from sandbox.stripe.params import Needed, Spec, anything, integer, metadata, nested, one_of, text
from sandbox.stripe.session import Json, Session, merge_metadata
from sandbox.stripe.store import new_id

_CARD: Spec = {
    "number": text(50),
    "exp_month": integer(),
    "exp_year": integer(),
    "cvc": text(10),
    "token": text(255),
    "networks": anything,
}
_BILLING: Spec = {"address": anything, "email": text(512), "name": text(), "phone": text(100), "tax_id": text(100)}
_SHOWN: Spec = {
    "allow_redisplay": one_of("always", "limited", "unspecified"),
    "billing_details": nested(_BILLING),
    "metadata": metadata,
}
CREATE: Spec = {**_SHOWN, "type": Needed(one_of("card")), "card": nested(_CARD)}
UPDATE: Spec = {**_SHOWN, "card": nested({"exp_month": integer(), "exp_year": integer(), "networks": anything})}
ATTACH: Spec = {"customer": Needed(text(255))}

_SPENT = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a "
    "connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use "
    "a PaymentMethod multiple times, you must attach it to a Customer first."
)


def resolve(session: Session, reference: str, param: str) -> Json:
    """
    The PaymentMethod of this id; a test card's name makes a fresh one.

    Raises ApiError 400 `resource_missing` for neither.
    """
    card = cards.BY_NAME.get(reference)
    if card is not None:
        return _new(session, reference, card)
    found = session.find("payment_method", reference)
    if found is None:
        raise no_such("PaymentMethod", reference, param=param)
    return found


def card_of(method: Json) -> Card:
    """The test card behind a PaymentMethod."""
    return cards.BY_NAME[method["_hidden"]["card"]]


def create(session: Session, given: Json) -> Json:
    """POST /v1/payment_methods: a test card by its number or token; raises ApiError 402 for a bad number."""
    asked = given.get("card") or {}
    if asked.get("token"):
        card = cards.BY_TOKEN.get(asked["token"])
        if card is None:
            raise no_such("token", asked["token"], param="card[token]")
        method = _new(session, f"pm_card_{card.name}", card)
    else:
        method = _from_number(session, asked)
    _apply(method, given)
    return session.save(method)


def retrieve(session: Session, identifier: str, given: Json) -> Json:
    """GET /v1/payment_methods/:id; a test card's name makes a fresh one, as Stripe does."""
    if identifier in cards.BY_NAME:
        return resolve(session, identifier, "payment_method")
    return session.at("payment_method", identifier)


def retrieve_for_customer(session: Session, customer: str, identifier: str, given: Json) -> Json:
    """GET /v1/customers/:id/payment_methods/:id."""
    session.at("customer", customer)
    method = session.at("payment_method", identifier)
    if method["customer"] != customer:
        raise no_such("PaymentMethod", identifier, param="payment_method", status=404)
    return method


def update(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/payment_methods/:id."""
    method = session.at("payment_method", identifier)
    before = dict(method)
    _apply(method, given)
    session.save(method)
    session.emit("payment_method.updated", method, before)
    return method


def attach(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/payment_methods/:id/attach; raises ApiError 402 for a card that may not be saved."""
    if identifier in cards.BY_NAME:
        method = resolve(session, identifier, "payment_method")
    else:
        method = session.at("payment_method", identifier)
    return attach_to(session, method, session.named("customer", given["customer"], "customer")["id"])


def attach_to(session: Session, method: Json, customer: str) -> Json:
    """Attaches; does nothing where it is attached to that customer already."""
    if method["customer"] == customer:
        return method
    if method["customer"] is not None:
        raise ApiError(
            400, "The payment method you provided has already been attached to a customer.", param="payment_method"
        )
    refuse_spent(method)
    card = card_of(method)
    if card.decline is not None and not card.saves:
        raise card_error(card.decline)
    method["customer"] = customer
    session.save(method)
    session.emit("payment_method.attached", method)
    return method


def detach(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/payment_methods/:id/detach."""
    method = session.at("payment_method", identifier)
    if method["customer"] is None:
        raise ApiError(
            400,
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    return detach_from(session, method)


def detach_from(session: Session, method: Json) -> Json:
    """Detaches from its customer, for good."""
    before = dict(method)
    method["customer"] = None
    method["_hidden"] = method["_hidden"] | {"spent": True}
    session.save(method)
    session.emit("payment_method.detached", method, before)
    return method


def refuse_spent(method: Json) -> None:
    """Raises ApiError 400 for a PaymentMethod that was used up without a customer, or detached."""
    if method["_hidden"].get("spent"):
        raise ApiError(400, _SPENT, param="payment_method")


def remember(session: Session, method: Json, **facts: Any) -> None:
    """Keeps facts about a PaymentMethod that answers do not show: `spent`, `set_up`."""
    method["_hidden"] = method["_hidden"] | facts
    session.save(method)


def card_error(decline: Decline, *, keep: bool = False, **extra: Any) -> ApiError:
    """The 402 for a refused card."""
    param = {"incorrect_cvc": "cvc", "expired_card": "exp_month"}.get(decline.code)
    return ApiError(
        402,
        decline.message,
        kind="card_error",
        code=decline.code,
        param=param,
        keep=keep,
        decline_code=decline.decline_code,
        **extra,
    )


def _new(session: Session, name: str, card: Card, month: int | None = None, year: int | None = None) -> Json:
    this_year = datetime.datetime.fromtimestamp(session.now, datetime.UTC).year
    details: Json
    if card.kind == "card":
        details = {
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None},
            "country": card.country,
            "display_brand": "american_express" if card.brand == "amex" else card.brand,
            "exp_month": month or 8,
            "exp_year": year or this_year + 1,
            "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
            "funding": card.funding,
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        }
    else:
        details = {
            "account_holder_type": "individual",
            "account_type": "checking",
            "bank_name": "STRIPE TEST BANK",
            "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
            "last4": card.last4,
            "routing_number": "110000000",
        }
    return session.add(
        {
            "id": new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": {
                "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
                "email": None,
                "name": None,
                "phone": None,
                "tax_id": None,
            },
            card.kind: details,
            "created": session.now,
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": {},
            "type": card.kind,
            "_hidden": {"card": name},
        }
    )


def _from_number(session: Session, asked: Json) -> Json:
    for name in ("number", "exp_month", "exp_year"):
        if asked.get(name) is None:
            raise ApiError(
                400,
                f"Missing required param: card[{name}].",
                code="parameter_missing",
                param=f"card[{name}]",
                began=False,
            )
    number = asked["number"].replace(" ", "").replace("-", "")
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19 and cards.passes_luhn(number)):
        raise _bad_card("incorrect_number", "Your card number is incorrect.", "number")
    month, year = asked["exp_month"], asked["exp_year"]
    year += 2000 if 0 <= year < 100 else 0
    now = datetime.datetime.fromtimestamp(session.now, datetime.UTC)
    if not 1 <= month <= 12:
        raise _bad_card("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    if not now.year <= year <= now.year + 50:
        raise _bad_card("invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year")
    if (year, month) < (now.year, now.month):
        raise _bad_card("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    cvc = asked.get("cvc")
    if cvc is not None and not (cvc.isascii() and cvc.isdigit() and 3 <= len(cvc) <= 4):
        raise _bad_card("invalid_cvc", "Your card's security code is invalid.", "cvc")
    known = cards.BY_NUMBER.get(number)
    if known is None:
        raise card_error(cards.LIVE_CARD)
    return _new(session, known, cards.BY_NAME[known], month, year)


def _bad_card(code: str, message: str, param: str) -> ApiError:
    return ApiError(402, message, kind="card_error", code=code, param=param)


def _apply(method: Json, given: Json) -> None:
    if "metadata" in given:
        method["metadata"] = merge_metadata(method["metadata"], given["metadata"])
    if given.get("billing_details"):
        method["billing_details"] = method["billing_details"] | given["billing_details"]
    if "allow_redisplay" in given:
        method["allow_redisplay"] = given["allow_redisplay"]
    if method["type"] == "card":
        changes = {name: (given.get("card") or {}).get(name) for name in ("exp_month", "exp_year")}
        method["card"] = method["card"] | {name: value for name, value in changes.items() if value is not None}
