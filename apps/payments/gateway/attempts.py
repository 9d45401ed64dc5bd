"""Being paid: asking for it, for a card to be saved, how it stands, and that it be given up."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.conf import settings

from apps.core.money import Money
from apps.payments.gateway.client import GatewayUnavailable, client, translated
from apps.payments.gateway.library import stripe
from apps.payments.gateway.reading import failure_code, from_intent
from apps.payments.models import ChargeStatus
from apps.payments.outcomes import Outcome
from apps.payments.stripe_amounts import UNKNOWN_CURRENCY, NotChargeable, to_stripe

logger = logging.getLogger(__name__)

EXPAND = ["payment_method"]
# Where the payer's bank sends the payer back to, below PUBLIC_URL.
RETURN_PATH = "/after-payment"


def create_customer(*, account: str, idempotency_key: str) -> str:
    """A customer of Stripe's to save cards with; it knows our own name for the payer and nothing personal."""
    with translated():
        made = client().v1.customers.create(
            {"metadata": {"holdfast_account": account}}, {"idempotency_key": idempotency_key}
        )
    return made.id


def charge(
    *,
    amount: Money,
    payment_method: str,
    customer_id: str,
    charge_id: int,
    idempotency_key: str,
    off_session: bool = False,
) -> Outcome:
    """Charge the card now, and keep it for later differences; an amount that Stripe moves nothing of fails unasked.

    Raises GatewayUnavailable.
    """
    try:
        told = to_stripe(amount)
    except NotChargeable as error:
        return Outcome(status=ChargeStatus.FAILED, failure_code=error.code)
    params: Any = {
        "amount": told,
        "currency": amount.currency.lower(),
        "customer": customer_id,
        "payment_method": payment_method,
        "allowed_payment_method_types": ["card"],
        "confirm": True,
        "metadata": {"holdfast_charge": str(charge_id)},
        "expand": EXPAND,
    }
    if off_session:
        params["off_session"] = True
    else:
        params |= {"setup_future_usage": "off_session", "return_url": f"{settings.PUBLIC_URL}{RETURN_PATH}"}
    return _attempt(
        lambda: client().v1.payment_intents.create(params, {"idempotency_key": idempotency_key}), is_setup=False
    )


def save_card(*, amount: Money, payment_method: str, customer_id: str, charge_id: int, idempotency_key: str) -> Outcome:
    """Save the card for a charge of about that amount without its owner present. AUTHORIZED when saved.

    An amount that could not be charged fails now, and not when it is owed. Raises GatewayUnavailable.
    """
    try:
        to_stripe(amount)
    except NotChargeable as error:
        return Outcome(status=ChargeStatus.FAILED, failure_code=error.code)
    params: Any = {
        "customer": customer_id,
        "payment_method": payment_method,
        "allowed_payment_method_types": ["card"],
        "usage": "off_session",
        "confirm": True,
        "return_url": f"{settings.PUBLIC_URL}{RETURN_PATH}",
        "metadata": {"holdfast_charge": str(charge_id)},
        "expand": EXPAND,
    }
    return _attempt(
        lambda: client().v1.setup_intents.create(params, {"idempotency_key": idempotency_key}), is_setup=True
    )


def look_up(*, intent_id: str = "", setup_intent_id: str = "") -> Outcome:
    """What Stripe says of the intent now. Raises GatewayUnavailable."""
    if intent_id:
        return _attempt(lambda: client().v1.payment_intents.retrieve(intent_id, {"expand": EXPAND}), is_setup=False)
    return _attempt(lambda: client().v1.setup_intents.retrieve(setup_intent_id, {"expand": EXPAND}), is_setup=True)


def cancel(*, intent_id: str = "", setup_intent_id: str = "") -> Outcome:
    """Cancel the intent; one that cannot be canceled any more is told as it is. Raises GatewayUnavailable."""
    with translated():
        try:
            if intent_id:
                client().v1.payment_intents.cancel(intent_id)
            else:
                client().v1.setup_intents.cancel(setup_intent_id)
        except stripe.InvalidRequestError:
            logger.info("an intent could not be canceled; asking what it is")
    return look_up(intent_id=intent_id, setup_intent_id=setup_intent_id)


def forget(*, payment_method: str) -> None:
    """Take the card from its customer: it can never be charged again. What is gone already is no error.

    Raises GatewayUnavailable.
    """
    with translated():
        try:
            client().v1.payment_methods.detach(payment_method)
        except stripe.InvalidRequestError:
            logger.info("a card was forgotten already")


def _attempt(call: Callable[[], Any], *, is_setup: bool) -> Outcome:
    with translated():
        try:
            intent = call()
        except stripe.CardError as error:
            return _declined(error, is_setup=is_setup)
        except stripe.InvalidRequestError as error:
            if error.code == "idempotency_key_in_use" or error.http_status == 409:
                raise GatewayUnavailable("the same request is under way") from error
            return Outcome(status=ChargeStatus.FAILED, failure_code=_refusal_code(error))
        return from_intent(intent, is_setup=is_setup)


def _refusal_code(error: stripe.InvalidRequestError) -> str:
    # A currency that Stripe has taken leave of has no code of its own.
    return error.code or (UNKNOWN_CURRENCY if error.param == "currency" else "invalid_request")


def _declined(error: stripe.CardError, *, is_setup: bool) -> Outcome:
    body = error.error
    intent = getattr(body, "setup_intent" if is_setup else "payment_intent", None) if body else None
    known = from_intent(intent, is_setup=is_setup) if intent else Outcome(status=ChargeStatus.FAILED)
    return replace(
        known,
        status=ChargeStatus.FAILED,
        client_secret="",
        next_action_url="",
        failure_code=failure_code(error.code, getattr(body, "decline_code", None)),
    )
