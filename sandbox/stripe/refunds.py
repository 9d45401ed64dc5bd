"""Refunds: never more than is left of a charge."""

from __future__ import annotations

from sandbox.stripe import payment_methods
from sandbox.stripe.currencies import refuse_odd, shown
from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import Spec, amount, boolean, currency, metadata, one_of, text
from sandbox.stripe.session import Json, Session, merge_metadata
from sandbox.stripe.store import new_id

CREATE: Spec = {
    "amount": amount,
    "charge": text(255),
    "currency": currency,
    "instructions_email": text(512),
    "metadata": metadata,
    "payment_intent": text(255),
    "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
    "refund_application_fee": boolean,
    "reverse_transfer": boolean,
}
UPDATE: Spec = {"metadata": metadata}

# How long the refunds of the two test cards take to turn.
TURN_SECONDS = 1.0


def create(session: Session, given: Json) -> Json:
    """POST /v1/refunds of a charge or of a PaymentIntent's charge: all that is left, or `amount`."""
    charge = _charge(session, given)
    left = charge["amount_captured"] - _returned(charge)
    if left <= 0:
        raise ApiError(
            400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", param=None
        )
    if charge["disputed"]:
        raise ApiError(
            400, f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    wanted = given.get("amount", left)
    refuse_odd(wanted, charge["currency"])
    if wanted > left:
        money = charge["currency"]
        whole = left == charge["amount_captured"]
        against = "charge amount" if whole else "unrefunded amount on charge"
        raise ApiError(
            400,
            f"Refund amount ({shown(wanted, money)}) is greater than {against} ({shown(left, money)})",
            param="amount",
        )
    method = session.at("payment_method", charge["payment_method"])
    outcome = payment_methods.card_of(method).refund
    refund = _new(session, charge, wanted, "pending" if outcome == "pending" else "succeeded")
    refund |= {
        "reason": given.get("reason"),
        "metadata": merge_metadata({}, given.get("metadata") or {}),
    }
    session.add(refund)
    _take_from(session, charge, wanted)
    session.emit("refund.created", refund)
    if outcome != "succeeds":
        session.later(TURN_SECONDS, "finish_refund" if outcome == "pending" else "fail_refund", refund["id"])
    return refund


def release(session: Session, charge: Json, part: int) -> Json:
    """Gives back what was authorised and is not captured; Stripe shows this as a refund too."""
    refund = session.add(_new(session, charge, part, "succeeded"))
    charge["_hidden"] = {"released": part}
    _take_from(session, charge, part)
    session.emit("refund.created", refund)
    return refund


def retrieve(session: Session, identifier: str, given: Json) -> Json:
    """GET /v1/refunds/:id."""
    return session.at("refund", identifier)


def update(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/refunds/:id: metadata."""
    refund = session.at("refund", identifier)
    before = dict(refund)
    if "metadata" in given:
        refund["metadata"] = merge_metadata(refund["metadata"], given["metadata"])
    session.save(refund)
    session.emit("refund.updated", refund, before)
    return refund


def finish(session: Session, refund: Json) -> None:
    """A pending refund arrives."""
    if refund["status"] == "pending":
        before = dict(refund)
        refund["status"] = "succeeded"
        session.save(refund)
        session.emit("refund.updated", refund, before)


def fail(session: Session, refund: Json) -> None:
    """A refund comes back: the money is the charge's again."""
    if refund["status"] != "succeeded":
        return
    before = dict(refund)
    refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    session.save(refund)
    charge = session.at("charge", refund["charge"])
    previous = dict(charge)
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    session.save(charge)
    session.emit("charge.updated", charge, previous)
    session.emit("refund.updated", refund, before)
    session.emit("refund.failed", refund)


def _charge(session: Session, given: Json) -> Json:
    if given.get("charge") and given.get("payment_intent"):
        raise ApiError(
            400, "You may only specify one of these parameters: charge, payment_intent.", began=False, param="charge"
        )
    if given.get("payment_intent"):
        intent = session.named("payment_intent", given["payment_intent"], "payment_intent")
        charge = session.find("charge", intent["latest_charge"])
        if charge is None or not charge["captured"]:
            raise ApiError(
                400,
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        return charge
    if not given.get("charge"):
        raise ApiError(
            400,
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
            began=False,
        )
    charge = session.named("charge", given["charge"], "charge")
    if not charge["captured"]:
        raise ApiError(
            400,
            f"Charge {charge['id']} cannot be refunded: it was not captured.",
            code="charge_not_refundable",
            param="charge",
        )
    return charge


def _returned(charge: Json) -> int:
    released: int = charge.get("_hidden", {}).get("released", 0)
    returned: int = charge["amount_refunded"] - released
    return returned


def _new(session: Session, charge: Json, part: int, status: str) -> Json:
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": part,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": session.now,
        "currency": charge["currency"],
        "destination_details": {
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
            "type": "card",
        },
        "failure_reason": None,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "pending_reason": "processing" if status == "pending" else None,
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


def _take_from(session: Session, charge: Json, part: int) -> None:
    before = dict(charge)
    charge["amount_refunded"] += part
    charge["refunded"] = charge["amount_refunded"] >= charge["amount"]
    session.save(charge)
    session.emit("charge.refunded", charge, before)
