"""Payments of a time before this emulator ran: they are there as if they had been made, and nobody is told of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.stripe import payment_intents
from sandbox.stripe.errors import invalid
from sandbox.stripe.params import Needed, Spec, check, integer, metadata, text
from sandbox.stripe.session import Json, Session

_SPEC: Spec = {
    "id": Needed(text(255)),
    "amount": payment_intents.CREATE["amount"],
    "currency": payment_intents.CREATE["currency"],
    "payment_method": Needed(text(255)),
    "created": Needed(integer(1)),
    "metadata": metadata,
}


def remember(given: Any, open_session: Callable[[], Session]) -> Json:
    """Make those of the paid payments that are not there yet; the caller has opened the transaction.

    Answers how many were made. Raises ApiError 400 for what is no list of payments, and for one that is not paid.
    """
    payments = given.get("payments") if isinstance(given, dict) else None
    if not isinstance(payments, list) or not all(isinstance(each, dict) for each in payments):
        raise invalid("The body must be a JSON object with a list of `payments`.", param="payments")
    # Numbers as forms write them, which is what the parsers read.
    forms = [{name: str(part) if isinstance(part, int) else part for name, part in each.items()} for each in payments]
    made = 0
    # Lists show what was made last first.
    for asked in sorted((check(form, _SPEC) for form in forms), key=lambda each: int(each["created"])):
        session = open_session()
        if session.find("payment_intent", asked["id"]) is not None:
            continue
        session.now = asked.pop("created")
        session.is_quiet = True
        identifier = asked.pop("id")
        asked |= {"allowed_payment_method_types": ["card"], "confirm": True}
        intent = payment_intents.create(session, asked, identifier=identifier)
        if intent["status"] != "succeeded":
            raise invalid(f"{asked['payment_method']} does not pay at once.", param="payment_method")
        made += 1
    return {"made": made}
