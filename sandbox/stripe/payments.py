"""An attempt to pay a PaymentIntent: approved, declined, or first to be authenticated."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.stripe import cards, charges, intents, payment_methods
from sandbox.stripe.cards import Decline
from sandbox.stripe.session import Json, Session

# A bank debit takes days with Stripe; here long enough for `processing` to be seen.
PROCESSING_SECONDS = 1.0


@dataclass(frozen=True)
class Terms:
    """How an attempt is made: without the customer (`off_session`), or never waiting for the customer."""

    off_session: bool = False
    fail_on_action: bool = False


def attempt(session: Session, intent: Json, method: Json, terms: Terms) -> None:
    """Tries to pay; the intent is stored as it comes out. Raises ApiError 402, which keeps what was written."""
    card = payment_methods.card_of(method)
    intent |= {"payment_method": method["id"], "last_payment_error": None, "next_action": None}
    if card.kind != "card":
        _process(session, intent, method)
        return
    must = card.asks_for_authentication(off_session=terms.off_session, set_up=bool(method["_hidden"].get("set_up")))
    if must and terms.off_session:
        raise _declined(session, intent, method, cards.NEEDS_AUTHENTICATION)
    if must and terms.fail_on_action:
        raise _declined(session, intent, method, cards.NOT_HANDLED)
    if must:
        intents.ask_for_authentication(session, intent)
        return
    if card.decline is not None:
        raise _declined(session, intent, method, card.decline)
    _approved(session, intent, method, authenticated=False)


def authenticated(session: Session, intent: Json, method: Json) -> None:
    """Goes on after the customer has authenticated; a decline is only written down."""
    intent |= {"next_action": None}
    card = payment_methods.card_of(method)
    if card.decline is not None:
        _declined(session, intent, method, card.decline)
    else:
        _approved(session, intent, method, authenticated=True)


def not_authenticated(session: Session, intent: Json, method: Json) -> None:
    """Ends the attempt after the customer has failed to authenticate: no charge was made."""
    _fail(session, intent, intents.failed_authentication(session, intent, method))


def after_success(session: Session, intent: Json, charge: Json) -> None:
    """What follows when the money was received: a test card's customer disputes it."""
    method = session.at("payment_method", charge["payment_method"])
    charges.dispute_if_asked(session, charge, method)


def finish_processing(session: Session, intent: Json) -> None:
    """Ends the attempt of a bank debit, if it is still under way."""
    if intent["status"] != "processing":
        return
    method = session.at("payment_method", intent["payment_method"])
    charge = session.at("charge", intent["latest_charge"])
    decline = payment_methods.card_of(method).decline
    charges.settle(session, charge, decline)
    intent["processing"] = None
    if decline is None:
        _received(session, intent, charge)
    else:
        _fail(session, intent, intents.failure(session, decline, method, charge["id"]))


def _approved(session: Session, intent: Json, method: Json, *, authenticated: bool) -> None:
    manual = intent["capture_method"] == "manual"
    _keep_method(session, intent, method, authenticated=authenticated)
    charge = charges.charge(session, intent, method, captured=not manual, authenticated=authenticated)
    intent["latest_charge"] = charge["id"]
    if manual:
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        session.save(intent)
        session.emit("payment_intent.amount_capturable_updated", intent)
        return
    _received(session, intent, charge)


def _received(session: Session, intent: Json, charge: Json) -> None:
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    session.save(intent)
    session.emit("payment_intent.succeeded", intent)
    after_success(session, intent, charge)


def _process(session: Session, intent: Json, method: Json) -> None:
    _keep_method(session, intent, method, authenticated=False)
    charge = charges.charge(session, intent, method, pending=True)
    intent |= {"status": "processing", "latest_charge": charge["id"]}
    session.save(intent)
    session.emit("payment_intent.processing", intent)
    session.later(PROCESSING_SECONDS, "finish_processing", intent["id"])


def _keep_method(session: Session, intent: Json, method: Json, *, authenticated: bool) -> None:
    future = intent["setup_future_usage"]
    if future and intent["customer"]:
        payment_methods.attach_to(session, method, intent["customer"])
    elif method["customer"] is None:
        # A method with a future is attachable later; any other is used up.
        payment_methods.remember(session, method, spent=not future)
    if future == "off_session" and authenticated:
        payment_methods.remember(session, method, set_up=True)


def _declined(session: Session, intent: Json, method: Json, decline: Decline) -> Exception:
    charge = charges.charge(session, intent, method, decline=decline)
    intent["latest_charge"] = charge["id"]
    _fail(session, intent, intents.failure(session, decline, method, charge["id"]))
    return payment_methods.card_error(
        decline,
        keep=True,
        charge=charge["id"],
        payment_intent=session.public(intent),
        payment_method=session.public(method),
    )


def _fail(session: Session, intent: Json, error: Json) -> None:
    intent |= {
        "last_payment_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    session.save(intent)
    session.emit("payment_intent.payment_failed", intent)
