"""Stripe's objects in our own words."""

from datetime import UTC, datetime
from typing import Any

from apps.payments.models import ChargeStatus, RefundStatus
from apps.payments.outcomes import Outcome

INTENT_STATUS = {
    "succeeded": ChargeStatus.SUCCEEDED,
    "requires_action": ChargeStatus.REQUIRES_ACTION,
    "processing": ChargeStatus.PROCESSING,
    "requires_capture": ChargeStatus.PROCESSING,
    "requires_confirmation": ChargeStatus.PROCESSING,
    "canceled": ChargeStatus.CANCELED,
    "requires_payment_method": ChargeStatus.FAILED,
}
REFUND_STATUS = {
    "succeeded": RefundStatus.SUCCEEDED,
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}


def failure_code(code: str | None, decline_code: str | None) -> str:
    """Stripe's decline code where it says more than "declined", else its error code."""
    if decline_code and decline_code != "generic_decline":
        return decline_code
    return code or "payment_failed"


def _card(method: Any) -> dict[str, Any]:
    card = getattr(method, "card", None)
    if card is None:
        return {}
    return {
        "card_brand": card.brand or "",
        "card_last4": card.last4 or "",
        "card_fingerprint": card.fingerprint or method.id,
        "card_exp_month": card.exp_month or 0,
        "card_exp_year": card.exp_year or 0,
        "payment_method": method.id,
    }


def name_of(reference: Any) -> str:
    """The id of something that Stripe gives as an id, whole, or not at all."""
    return reference if isinstance(reference, str) else str(reference.id) if reference is not None else ""


def own_number(metadata: Any, key: str) -> int | None:
    """Our own number in what we once wrote on an object of Stripe's; None where it is not ours."""
    value = str(getattr(metadata, key, "") or "") if metadata is not None else ""
    return int(value) if value.isdecimal() and value.isascii() and len(value) < 19 else None


def instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def _next_url(intent: Any) -> str:
    action = getattr(intent, "next_action", None)
    redirect = getattr(action, "redirect_to_url", None) if action else None
    return str(redirect.url) if redirect else ""


def from_intent(intent: Any, *, is_setup: bool) -> Outcome:
    status = INTENT_STATUS[intent.status]
    if is_setup and status is ChargeStatus.SUCCEEDED:
        status = ChargeStatus.AUTHORIZED
    error = intent.last_setup_error if is_setup else intent.last_payment_error
    method = intent.payment_method
    customer = intent.customer
    waiting = status is ChargeStatus.REQUIRES_ACTION
    return Outcome(
        status=status,
        intent_id="" if is_setup else intent.id,
        setup_intent_id=intent.id if is_setup else "",
        customer_id=customer if isinstance(customer, str) else customer.id if customer else "",
        client_secret=intent.client_secret or "" if waiting else "",
        next_action_url=_next_url(intent) if waiting else "",
        failure_code=failure_code(getattr(error, "code", None), getattr(error, "decline_code", None))
        if status is ChargeStatus.FAILED and error
        else "canceled"
        if status is ChargeStatus.CANCELED
        else "",
        **({} if method is None or isinstance(method, str) else _card(method)),
    )
