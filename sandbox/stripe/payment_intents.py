"""PaymentIntents: the endpoints, and which moves each status allows."""

from __future__ import annotations

from sandbox.stripe import charges, customers, intents, payments, refunds
from sandbox.stripe.currencies import refuse_odd
from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import (
    Needed,
    Spec,
    amount,
    anything,
    boolean,
    currency,
    gone,
    metadata,
    nested,
    off_session,
    one_of,
    text,
)
from sandbox.stripe.session import Json, Session, merge_metadata
from sandbox.stripe.store import new_id

_SHARED: Spec = {
    "customer": text(255),
    "description": text(1_000),
    "metadata": metadata,
    "receipt_email": text(512),
    "setup_future_usage": one_of("off_session", "on_session"),
    "shipping": anything,
    "statement_descriptor": text(22),
    "statement_descriptor_suffix": text(22),
    "transfer_group": text(255),
}
_CAPTURE_METHODS = one_of("automatic", "automatic_async", "manual")
CREATE: Spec = {
    **intents.CONFIRMING,
    **_SHARED,
    "amount": Needed(amount),
    "currency": Needed(currency),
    "automatic_payment_methods": nested(intents.AUTOMATIC),
    "capture_method": _CAPTURE_METHODS,
    "confirm": boolean,
    "confirmation_method": one_of("automatic", "manual"),
    "error_on_requires_action": boolean,
    "off_session": off_session,
}
UPDATE: Spec = {
    **_SHARED,
    "payment_method_types": gone,
    "amount": amount,
    "currency": currency,
    "capture_method": _CAPTURE_METHODS,
    "payment_method": text(255),
    "payment_method_data": intents.CONFIRMING["payment_method_data"],
    "payment_method_options": anything,
}
CONFIRM: Spec = {
    **intents.CONFIRMING,
    "capture_method": _CAPTURE_METHODS,
    "error_on_requires_action": boolean,
    "off_session": off_session,
    "receipt_email": text(512),
    "setup_future_usage": one_of("off_session", "on_session"),
    "shipping": anything,
}
CAPTURE: Spec = {
    "amount_to_capture": amount,
    "final_capture": boolean,
    "metadata": metadata,
    "statement_descriptor": text(22),
    "statement_descriptor_suffix": text(22),
}
CANCEL: Spec = {"cancellation_reason": one_of("abandoned", "duplicate", "fraudulent", "requested_by_customer")}

_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
_PLAIN = (
    "capture_method",
    "confirmation_method",
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)


def create(session: Session, given: Json, *, identifier: str = "") -> Json:
    """POST /v1/payment_intents; with `confirm` the attempt is made at once (ApiError 402 when it is declined)."""
    for name in ("off_session", "error_on_requires_action", "return_url", "mandate_data"):
        if given.get(name) and not given.get("confirm"):
            raise ApiError(
                400,
                f"You cannot set `{name}` when creating a PaymentIntent without `confirm` set to `true`.",
                param=name,
                began=False,
            )
    refuse_odd(given["amount"], given["currency"])
    url = intents.return_url(given)
    customer = customers.living(session, given.get("customer"))
    method = intents.chosen_method(session, given)
    identifier = identifier or new_id("pi")
    intent: Json = {
        "id": identifier,
        "object": "payment_intent",
        "allowed_payment_method_types": given.get("allowed_payment_method_types"),
        "amount": given["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": intents.automatic(given),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{identifier}_{new_id('secret', 25)}",
        "confirmation_method": "automatic",
        "created": session.now,
        "currency": given["currency"],
        "customer": customer,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": given.get("excluded_payment_method_types"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": merge_metadata({}, given.get("metadata") or {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_configuration_details": None,
        "payment_method_options": given.get("payment_method_options") or intents.OPTIONS,
        "payment_method_types": given.get("allowed_payment_method_types") or ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        "_hidden": {"return_url": url},
    }
    _apply(intent, given)
    if method:
        intents.check_owner(method, customer, "PaymentIntent")
        intents.check_type(method, intent)
    if given.get("confirm"):
        # Refused before anything is written: Stripe leaves no intent behind for these.
        if method is None:
            raise _without_method(session, intent, shown=False)
        _check_return(intent, given)
    session.add(intent)
    session.emit("payment_intent.created", intent)
    if given.get("confirm") and method is not None:
        payments.attempt(session, intent, method, _terms(given))
    return intent


def retrieve(session: Session, identifier: str, given: Json) -> Json:
    """GET /v1/payment_intents/:id."""
    return session.at("payment_intent", identifier)


def update(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/payment_intents/:id: anything before it is paid, texts alone after."""
    intent = session.at("payment_intent", identifier)
    fixed = [name for name in given if name not in ("description", "metadata", "receipt_email", "transfer_group")]
    if fixed and intent["status"] not in _CONFIRMABLE:
        raise intents.wrong_move(
            session,
            intent,
            f"This PaymentIntent's {fixed[0]} could not be updated because it has a status of {intent['status']}. You "
            "may only update the following parameters of a PaymentIntent with this status: description, metadata, "
            "receipt_email, transfer_group.",
        )
    changed = intent | {name: given[name] for name in ("amount", "currency") if name in given}
    refuse_odd(changed["amount"], changed["currency"])
    customer = customers.living(session, given.get("customer"))
    method = intents.chosen_method(session, given)
    if customer:
        intent["customer"] = customer
    if method:
        intents.check_owner(method, intent["customer"], "PaymentIntent")
        intents.check_type(method, intent)
        intent |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}
    elif intent["status"] == "requires_action" and fixed:
        intent |= {"status": "requires_confirmation", "next_action": None}
    for name in ("amount", "currency", "payment_method_options"):
        if name in given:
            intent[name] = given[name]
    _apply(intent, given)
    return session.save(intent)


def confirm(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/payment_intents/:id/confirm; raises ApiError 402 when it is declined."""
    url = intents.return_url(given)
    intent = session.at("payment_intent", identifier)
    if intent["status"] == "succeeded":
        raise intents.wrong_move(
            session,
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.",
        )
    if intent["status"] not in _CONFIRMABLE:
        raise intents.wrong_move(
            session,
            intent,
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be confirmed: "
            "requires_confirmation, requires_action.",
        )
    if given.get("allowed_payment_method_types"):
        intent |= {"automatic_payment_methods": None, "payment_method_types": given["allowed_payment_method_types"]}
        intent["allowed_payment_method_types"] = given["allowed_payment_method_types"]
    method = intents.chosen_method(session, given)
    if method is None and intent["payment_method"]:
        method = session.find("payment_method", intent["payment_method"])
    if method is None:
        raise _without_method(session, intent, shown=True)
    intents.check_owner(method, intent["customer"], "PaymentIntent")
    intents.check_type(method, intent)
    if url:
        intent["_hidden"] = intent["_hidden"] | {"return_url": url}
    _apply(intent, given)
    _check_return(intent, given)
    payments.attempt(session, intent, method, _terms(given))
    return intent


def capture(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/payment_intents/:id/capture: all of it, or `amount_to_capture`; the rest is released."""
    intent = session.at("payment_intent", identifier)
    if intent["status"] == "succeeded":
        raise intents.wrong_move(
            session, intent, "This PaymentIntent could not be captured because it has already been captured."
        )
    if intent["status"] != "requires_capture":
        raise intents.wrong_move(
            session,
            intent,
            f"This PaymentIntent could not be captured because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be captured: requires_capture.",
        )
    wanted: int = given["amount_to_capture"] if "amount_to_capture" in given else intent["amount_capturable"]
    if wanted > intent["amount_capturable"]:
        raise ApiError(
            400,
            f"The amount_to_capture ({wanted}) must be no more than the amount_capturable "
            f"({intent['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    if "metadata" in given:
        intent["metadata"] = merge_metadata(intent["metadata"], given["metadata"])
    for name in ("statement_descriptor", "statement_descriptor_suffix"):
        if name in given:
            intent[name] = given[name]
    charge = session.at("charge", intent["latest_charge"])
    charges.capture(session, charge, wanted)
    if wanted < charge["amount"]:
        refunds.release(session, charge, charge["amount"] - wanted)
    intent |= {"amount_capturable": 0, "amount_received": wanted, "status": "succeeded"}
    session.save(intent)
    session.emit("payment_intent.succeeded", intent)
    payments.after_success(session, intent, charge)
    return intent


def cancel(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/payment_intents/:id/cancel; an authorised amount is released."""
    intent = session.at("payment_intent", identifier)
    if intent["status"] not in _CANCELABLE:
        raise intents.wrong_move(
            session,
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            "with one of the following statuses may be canceled: requires_payment_method, requires_capture, "
            "requires_confirmation, requires_action, processing.",
        )
    if intent["status"] == "requires_capture":
        charge = session.at("charge", intent["latest_charge"])
        refunds.release(session, charge, charge["amount"])
    intent |= {
        "amount_capturable": 0,
        "canceled_at": session.now,
        "cancellation_reason": given.get("cancellation_reason"),
        "next_action": None,
        "status": "canceled",
    }
    session.save(intent)
    session.emit("payment_intent.canceled", intent)
    return intent


def _apply(intent: Json, given: Json) -> None:
    if "metadata" in given:
        intent["metadata"] = merge_metadata(intent["metadata"], given["metadata"])
    for name in _PLAIN:
        if name in given:
            intent[name] = given[name]


def _terms(given: Json) -> payments.Terms:
    return payments.Terms(
        off_session=given.get("off_session", False), fail_on_action=given.get("error_on_requires_action", False)
    )


def _check_return(intent: Json, given: Json) -> None:
    # Nobody is there to be redirected when the customer is away.
    if not given.get("off_session") and not given.get("error_on_requires_action"):
        intents.require_return_url(intent, "PaymentIntent")


def _without_method(session: Session, intent: Json, *, shown: bool) -> ApiError:
    message = (
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
        "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment "
        "method or ConfirmationToken."
    )
    if shown:
        return intents.wrong_move(session, intent, message)
    return ApiError(400, message, code="parameter_missing", param="payment_method")
