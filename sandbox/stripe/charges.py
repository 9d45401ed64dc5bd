"""Charges: one for each attempt of a PaymentIntent that reached the issuer."""

from __future__ import annotations

from sandbox.stripe import disputes, payment_methods
from sandbox.stripe.cards import Decline
from sandbox.stripe.params import Spec, metadata, text
from sandbox.stripe.session import Json, Session, merge_metadata
from sandbox.stripe.store import new_id

UPDATE: Spec = {"description": text(), "metadata": metadata, "receipt_email": text(512), "customer": text(255)}

_FINE: Json = {
    "advice_code": None,
    "network_advice_code": None,
    "network_decline_code": None,
    "network_status": "approved_by_network",
    "reason": None,
    "risk_level": "normal",
    "risk_score": 20,
    "seller_message": "Payment complete.",
    "type": "authorized",
}


def charge(
    session: Session,
    intent: Json,
    method: Json,
    *,
    captured: bool = True,
    decline: Decline | None = None,
    pending: bool = False,
    authenticated: bool = False,
) -> Json:
    """Makes the charge of an attempt, as it came out, and its event."""
    identifier = new_id("ch")
    approved = decline is None
    body: Json = {
        "id": identifier,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if approved and captured and not pending else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "HOLDFAST",
        "captured": approved and captured and not pending,
        "created": session.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": dict(_FINE),
        "paid": approved and not pending,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _details(intent, method, approved=approved, authenticated=authenticated),
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"/receipts/{identifier}" if approved and not pending else None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "failed" if not approved else "pending" if pending else "succeeded",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }
    if decline is not None:
        _refuse(body, decline)
    session.add(body)
    session.emit(f"charge.{body['status']}", body)
    return body


def settle(session: Session, body: Json, decline: Decline | None) -> None:
    """Ends a pending charge: paid, or failed with the decline."""
    if decline is None:
        body |= {
            "status": "succeeded",
            "paid": True,
            "captured": True,
            "amount_captured": body["amount"],
            "receipt_url": f"/receipts/{body['id']}",
        }
    else:
        body["status"] = "failed"
        _refuse(body, decline)
    session.save(body)
    session.emit(f"charge.{body['status']}", body)


def capture(session: Session, body: Json, amount: int) -> None:
    """Captures that much of an authorised charge; the caller releases the rest."""
    before = dict(body)
    body |= {"captured": True, "amount_captured": amount}
    session.save(body)
    session.emit("charge.captured", body, before)


def dispute_if_asked(session: Session, body: Json, method: Json) -> None:
    """Lets the customer dispute the charge, where the test card says so."""
    reason = payment_methods.card_of(method).dispute
    if reason is not None:
        disputes.open_dispute(session, body, reason)


def retrieve(session: Session, identifier: str, given: Json) -> Json:
    """GET /v1/charges/:id."""
    return session.at("charge", identifier)


def update(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/charges/:id."""
    body = session.at("charge", identifier)
    before = dict(body)
    if "metadata" in given:
        body["metadata"] = merge_metadata(body["metadata"], given.pop("metadata"))
    if given.get("customer"):
        session.named("customer", given["customer"], "customer")
    body |= given
    session.save(body)
    session.emit("charge.updated", body, before)
    return body


def _refuse(body: Json, decline: Decline) -> None:
    body |= {
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": dict(_FINE)
        | {
            "advice_code": "try_again_later",
            "network_status": "declined_by_network",
            "reason": decline.decline_code,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        },
    }


def _details(intent: Json, method: Json, *, approved: bool, authenticated: bool) -> Json:
    kind = method["type"]
    if kind != "card":
        return {"type": kind, kind: dict(method[kind])}
    shown = method["card"]
    return {
        "type": "card",
        "card": {
            "amount_authorized": intent["amount"] if approved else None,
            "authorization_code": "123456" if approved else None,
            "brand": shown["brand"],
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "pass" if approved else None,
            },
            "country": shown["country"],
            "exp_month": shown["exp_month"],
            "exp_year": shown["exp_year"],
            "extended_authorization": {"status": "disabled"},
            "fingerprint": shown["fingerprint"],
            "funding": shown["funding"],
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": shown["last4"],
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": shown["brand"],
            "network_token": {"used": False},
            "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": {
                "authentication_flow": "challenge",
                "electronic_commerce_indicator": "05",
                "result": "authenticated",
                "result_reason": None,
                "version": "2.2.0",
            }
            if authenticated
            else None,
            "wallet": None,
        },
    }
