"""SetupIntents: a card saved for later without a charge."""

from __future__ import annotations

from sandbox.stripe import customers, intents, payment_methods
from sandbox.stripe.cards import Decline
from sandbox.stripe.errors import ApiError
from sandbox.stripe.params import Spec, boolean, gone, metadata, nested, one_of, text
from sandbox.stripe.session import Json, Session, merge_metadata
from sandbox.stripe.store import new_id

CREATE: Spec = {
    **intents.CONFIRMING,
    "automatic_payment_methods": nested(intents.AUTOMATIC),
    "confirm": boolean,
    "customer": text(255),
    "description": text(1_000),
    "metadata": metadata,
    "usage": one_of("off_session", "on_session"),
}
UPDATE: Spec = {
    "customer": text(255),
    "description": text(1_000),
    "metadata": metadata,
    "payment_method": text(255),
    "payment_method_types": gone,
}
CONFIRM: Spec = intents.CONFIRMING
CANCEL: Spec = {"cancellation_reason": one_of("abandoned", "requested_by_customer", "duplicate")}

_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(session: Session, given: Json) -> Json:
    """POST /v1/setup_intents; with `confirm` the card is saved at once (ApiError 402 when it is refused)."""
    url = intents.return_url(given)
    if url and not given.get("confirm"):
        raise ApiError(
            400,
            "You cannot set `return_url` when creating a SetupIntent without `confirm` set to `true`.",
            param="return_url",
            began=False,
        )
    customer = customers.living(session, given.get("customer"))
    method = intents.chosen_method(session, given)
    identifier = new_id("seti")
    intent: Json = {
        "id": identifier,
        "object": "setup_intent",
        "allowed_payment_method_types": given.get("allowed_payment_method_types"),
        "application": None,
        "automatic_payment_methods": intents.automatic(given),
        "cancellation_reason": None,
        "client_secret": f"{identifier}_{new_id('secret', 25)}",
        "created": session.now,
        "customer": customer,
        "customer_account": None,
        "description": given.get("description"),
        "excluded_payment_method_types": given.get("excluded_payment_method_types"),
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": merge_metadata({}, given.get("metadata") or {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_configuration_details": None,
        "payment_method_options": given.get("payment_method_options") or intents.OPTIONS,
        "payment_method_types": given.get("allowed_payment_method_types") or ["card"],
        "single_use_mandate": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "usage": given.get("usage", "off_session"),
        "_hidden": {"return_url": url},
    }
    if method:
        intents.check_owner(method, customer, "SetupIntent")
        intents.check_type(method, intent)
    if given.get("confirm"):
        if method is None:
            raise ApiError(400, _MISSING, code="parameter_missing", param="payment_method")
        intents.require_return_url(intent, "SetupIntent")
    session.add(intent)
    session.emit("setup_intent.created", intent)
    if given.get("confirm") and method is not None:
        _attempt(session, intent, method)
    return intent


def retrieve(session: Session, identifier: str, given: Json) -> Json:
    """GET /v1/setup_intents/:id."""
    return session.at("setup_intent", identifier)


def update(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/setup_intents/:id."""
    intent = session.at("setup_intent", identifier)
    if intent["status"] not in _OPEN and (given.get("customer") or given.get("payment_method")):
        raise intents.wrong_move(
            session, intent, f"You cannot update this SetupIntent because it has a status of {intent['status']}."
        )
    customer = customers.living(session, given.get("customer"))
    method = intents.chosen_method(session, given)
    intent["customer"] = customer or intent["customer"]
    if method:
        intents.check_owner(method, intent["customer"], "SetupIntent")
        intents.check_type(method, intent)
        intent |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}
    if "metadata" in given:
        intent["metadata"] = merge_metadata(intent["metadata"], given["metadata"])
    if "description" in given:
        intent["description"] = given["description"]
    return session.save(intent)


def confirm(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/setup_intents/:id/confirm; raises ApiError 402 when the card is refused."""
    url = intents.return_url(given)
    intent = session.at("setup_intent", identifier)
    if intent["status"] not in _OPEN:
        why = (
            "it has already succeeded"
            if intent["status"] == "succeeded"
            else f"it has a status of {intent['status']}. Only a SetupIntent with one of the following statuses may be "
            "confirmed: requires_confirmation, requires_action"
        )
        raise intents.wrong_move(session, intent, f"You cannot confirm this SetupIntent because {why}.")
    if given.get("allowed_payment_method_types"):
        intent |= {"automatic_payment_methods": None, "payment_method_types": given["allowed_payment_method_types"]}
        intent["allowed_payment_method_types"] = given["allowed_payment_method_types"]
    method = intents.chosen_method(session, given)
    if method is None and intent["payment_method"]:
        method = session.find("payment_method", intent["payment_method"])
    if method is None:
        raise intents.wrong_move(session, intent, _MISSING)
    intents.check_owner(method, intent["customer"], "SetupIntent")
    intents.check_type(method, intent)
    if url:
        intent["_hidden"] = intent["_hidden"] | {"return_url": url}
    intents.require_return_url(intent, "SetupIntent")
    _attempt(session, intent, method)
    return intent


def cancel(session: Session, identifier: str, given: Json) -> Json:
    """POST /v1/setup_intents/:id/cancel."""
    intent = session.at("setup_intent", identifier)
    if intent["status"] not in _OPEN:
        raise intents.wrong_move(
            session,
            intent,
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}. Only a SetupIntent "
            "with one of the following statuses may be canceled: requires_payment_method, requires_confirmation, "
            "requires_action.",
        )
    intent |= {"cancellation_reason": given.get("cancellation_reason"), "next_action": None, "status": "canceled"}
    session.save(intent)
    session.emit("setup_intent.canceled", intent)
    return intent


def authenticated(session: Session, intent: Json, method: Json) -> None:
    """Saves the card after the customer has authenticated."""
    _succeed(session, intent, method, authenticated=True)


def not_authenticated(session: Session, intent: Json, method: Json) -> None:
    """Ends the attempt after the customer has failed to authenticate."""
    _fail(session, intent, intents.failed_authentication(session, intent, method))


_MISSING = (
    "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a payment "
    "method and then confirm it again."
)


def _attempt(session: Session, intent: Json, method: Json) -> None:
    card = payment_methods.card_of(method)
    intent |= {"payment_method": method["id"], "last_setup_error": None, "next_action": None}
    if card.decline is not None and not card.saves:
        raise _declined(session, intent, method, card.decline)
    if card.authentication in ("always", "unless_set_up"):
        intents.ask_for_authentication(session, intent)
        return
    _succeed(session, intent, method, authenticated=False)


def _succeed(session: Session, intent: Json, method: Json, *, authenticated: bool) -> None:
    if intent["customer"]:
        payment_methods.attach_to(session, method, intent["customer"])
    if authenticated and intent["usage"] == "off_session":
        payment_methods.remember(session, method, set_up=True)
    intent |= {"status": "succeeded", "next_action": None, "latest_attempt": new_id("setatt")}
    session.save(intent)
    session.emit("setup_intent.succeeded", intent)


def _declined(session: Session, intent: Json, method: Json, decline: Decline) -> Exception:
    _fail(session, intent, intents.failure(session, decline, method))
    return payment_methods.card_error(
        decline, keep=True, payment_method=session.public(method), setup_intent=session.public(intent)
    )


def _fail(session: Session, intent: Json, error: Json) -> None:
    intent |= {
        "last_setup_error": error,
        "latest_attempt": new_id("setatt"),
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    session.save(intent)
    session.emit("setup_intent.setup_failed", intent)
