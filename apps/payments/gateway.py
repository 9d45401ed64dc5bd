"""The one door to Stripe. Everything comes back as an `Outcome`; nothing of Stripe's own leaves this module."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import stripe
from django.conf import settings

from apps.core.money import Money
from apps.payments.models import ChargeStatus, RefundStatus
from apps.payments.outcomes import DisputeOutcome, Event, Outcome, PaidBack, Payment, RefundOutcome

__all__ = [
    "AnswerLost",
    "BadSignature",
    "DisputeOutcome",
    "Event",
    "GatewayUnavailable",
    "Outcome",
    "PaidBack",
    "Payment",
    "RefundOutcome",
]

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20
# What is kept of a name of Stripe's.
LONGEST_NAME = 255
# As many as Stripe lists at once.
PAGE = 100
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


class GatewayUnavailable(Exception):
    """Stripe did not say what became of the request: ask again, with the same idempotency key."""


class AnswerLost(GatewayUnavailable):
    """Asking with this idempotency key will never say what became of the request: Stripe repeats its own failure."""


class BadSignature(Exception):
    """A webhook that Stripe did not sign."""


@lru_cache(maxsize=1)
def _client() -> stripe.StripeClient:
    addresses: Any = {"api": settings.STRIPE_API_BASE} if settings.STRIPE_API_BASE else {}
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses=addresses,
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise GatewayUnavailable(type(error).__name__) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        logger.error("Stripe refuses our key")
        raise GatewayUnavailable("the key is refused") from error
    except stripe.APIError as error:
        if (error.headers or {}).get("idempotent-replayed"):
            raise AnswerLost("Stripe remembers a failure") from error
        raise GatewayUnavailable(type(error).__name__) from error
    except stripe.IdempotencyError as error:
        if error.code == "idempotency_key_in_use":
            raise GatewayUnavailable("the same request is under way") from error
        # It was asked in other words before, by an earlier version of us.
        raise AnswerLost("the key was used for another request") from error


def _failure_code(code: str | None, decline_code: str | None) -> str:
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


def _name(reference: Any) -> str:
    """The id of something that Stripe gives as an id, whole, or not at all."""
    return reference if isinstance(reference, str) else str(reference.id) if reference is not None else ""


def _own_number(metadata: Any, key: str) -> int | None:
    """Our own number in what we once wrote on an object of Stripe's; None where it is not ours."""
    value = str(getattr(metadata, key, "") or "") if metadata is not None else ""
    return int(value) if value.isdecimal() and value.isascii() and len(value) < 19 else None


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def _next_url(intent: Any) -> str:
    action = getattr(intent, "next_action", None)
    redirect = getattr(action, "redirect_to_url", None) if action else None
    return str(redirect.url) if redirect else ""


def _from_intent(intent: Any, *, is_setup: bool) -> Outcome:
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
        failure_code=_failure_code(getattr(error, "code", None), getattr(error, "decline_code", None))
        if status is ChargeStatus.FAILED and error
        else "canceled"
        if status is ChargeStatus.CANCELED
        else "",
        **({} if method is None or isinstance(method, str) else _card(method)),
    )


def _attempt(call: Callable[[], Any], *, is_setup: bool) -> Outcome:
    with _translated():
        try:
            intent = call()
        except stripe.CardError as error:
            return _declined(error, is_setup=is_setup)
        except stripe.InvalidRequestError as error:
            if error.code == "idempotency_key_in_use" or error.http_status == 409:
                raise GatewayUnavailable("the same request is under way") from error
            return Outcome(status=ChargeStatus.FAILED, failure_code=error.code or "invalid_request")
        return _from_intent(intent, is_setup=is_setup)


def _declined(error: stripe.CardError, *, is_setup: bool) -> Outcome:
    body = error.error
    intent = getattr(body, "setup_intent" if is_setup else "payment_intent", None) if body else None
    known = _from_intent(intent, is_setup=is_setup) if intent else Outcome(status=ChargeStatus.FAILED)
    return replace(
        known,
        status=ChargeStatus.FAILED,
        client_secret="",
        next_action_url="",
        failure_code=_failure_code(error.code, getattr(body, "decline_code", None)),
    )


EXPAND = ["payment_method"]


def create_customer(*, account: str, idempotency_key: str) -> str:
    """A customer of Stripe's to save cards with; it knows our own name for the payer and nothing personal."""
    with _translated():
        made = _client().v1.customers.create(
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
    """Charge the card now, and keep it for later differences. Raises GatewayUnavailable."""
    params: Any = {
        "amount": amount.minor,
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
        params |= {"setup_future_usage": "off_session", "return_url": f"{settings.PUBLIC_URL}/"}
    return _attempt(
        lambda: _client().v1.payment_intents.create(params, {"idempotency_key": idempotency_key}), is_setup=False
    )


def save_card(*, payment_method: str, customer_id: str, charge_id: int, idempotency_key: str) -> Outcome:
    """Save the card for a charge without its owner present. AUTHORIZED when saved. Raises GatewayUnavailable."""
    params: Any = {
        "customer": customer_id,
        "payment_method": payment_method,
        "allowed_payment_method_types": ["card"],
        "usage": "off_session",
        "confirm": True,
        "return_url": f"{settings.PUBLIC_URL}/",
        "metadata": {"holdfast_charge": str(charge_id)},
        "expand": EXPAND,
    }
    return _attempt(
        lambda: _client().v1.setup_intents.create(params, {"idempotency_key": idempotency_key}), is_setup=True
    )


def look_up(*, intent_id: str = "", setup_intent_id: str = "") -> Outcome:
    """What Stripe says of the intent now. Raises GatewayUnavailable."""
    if intent_id:
        return _attempt(lambda: _client().v1.payment_intents.retrieve(intent_id, {"expand": EXPAND}), is_setup=False)
    return _attempt(lambda: _client().v1.setup_intents.retrieve(setup_intent_id, {"expand": EXPAND}), is_setup=True)


def cancel(*, intent_id: str = "", setup_intent_id: str = "") -> Outcome:
    """Cancel the intent; one that cannot be canceled any more is told as it is. Raises GatewayUnavailable."""
    with _translated():
        try:
            if intent_id:
                _client().v1.payment_intents.cancel(intent_id)
            else:
                _client().v1.setup_intents.cancel(setup_intent_id)
        except stripe.InvalidRequestError:
            logger.info("an intent could not be canceled; asking what it is")
    return look_up(intent_id=intent_id, setup_intent_id=setup_intent_id)


def refund(*, intent_id: str, amount: Money, refund_id: int, idempotency_key: str) -> RefundOutcome:
    """Give the amount back. Raises GatewayUnavailable."""
    params: Any = {
        "payment_intent": intent_id,
        "amount": amount.minor,
        "metadata": {"holdfast_refund": str(refund_id)},
    }
    with _translated():
        try:
            made = _client().v1.refunds.create(params, {"idempotency_key": idempotency_key})
        except stripe.InvalidRequestError as error:
            if error.http_status == 409:
                raise GatewayUnavailable("the same request is under way") from error
            return RefundOutcome(status=RefundStatus.FAILED, failure_code=error.code or "invalid_request")
    return RefundOutcome(status=REFUND_STATUS[made.status or "pending"], processor_id=made.id)


def read_event(*, payload: bytes, signature: str) -> Event:
    """The webhook's message. Raises BadSignature for whatever Stripe did not sign within the tolerance, or never says."""
    try:
        event = _client().construct_event(payload, signature, settings.STRIPE_WEBHOOK_SECRET)
        subject = event.data.object
        return Event(
            event_id=_said(event.id),
            type=_said(event.type),
            object_id=_said(getattr(subject, "id", None), is_optional=True),
            object_type=_said(getattr(subject, "object", None), is_optional=True),
            intent_id=_said(_name(getattr(subject, "payment_intent", None)), is_optional=True),
        )
    except (
        stripe.SignatureVerificationError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        RecursionError,
    ) as error:
        raise BadSignature from error


def _said(name: Any, *, is_optional: bool = False) -> str:
    """A name as Stripe gives them: plain, and short enough to be kept. Raises ValueError for any other value."""
    if is_optional and not name:
        return ""
    if not isinstance(name, str) or not name.isascii() or not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError("no name of Stripe's")
    return name


def payments_since(since: datetime) -> Iterator[Payment]:
    """Every payment intent made since then, the newest first. Raises GatewayUnavailable."""
    with _translated():
        listed = _client().v1.payment_intents.list({"created": {"gte": int(since.timestamp())}, "limit": PAGE})
        for intent in listed.auto_paging_iter():
            yield _payment(intent)


def payment(*, intent_id: str) -> Payment | None:
    """The payment intent as Stripe lists it; None for one that Stripe does not know. Raises GatewayUnavailable."""
    with _translated():
        try:
            return _payment(_client().v1.payment_intents.retrieve(intent_id))
        except stripe.InvalidRequestError:
            return None


def find_payment(*, charge_id: int, customer_id: str = "", since: datetime) -> Payment | None:
    """The payment that was made for our charge: the one that succeeded, else the latest, else None.

    It is looked for among the customer's, or, without one, among all that were made since then. Raises
    GatewayUnavailable.
    """
    params: Any = {"customer": customer_id} if customer_id else {"created": {"gte": int(since.timestamp())}}
    params["limit"] = PAGE
    latest: Payment | None = None
    with _translated():
        for intent in _client().v1.payment_intents.list(params).auto_paging_iter():
            found = _payment(intent)
            if found.charge_id == charge_id:
                if found.status is ChargeStatus.SUCCEEDED:
                    return found
                latest = latest or found
    return latest


def _payment(intent: Any) -> Payment:
    return Payment(
        intent_id=intent.id,
        charge_id=_own_number(intent.metadata, "holdfast_charge"),
        status=INTENT_STATUS[intent.status],
        amount=Money(intent.amount, intent.currency.upper()),
        created_at=_instant(intent.created),
    )


def refunds_since(since: datetime) -> Iterator[PaidBack]:
    """Every refund made since then, whoever made it, the newest first. Raises GatewayUnavailable."""
    yield from _refunds({"created": {"gte": int(since.timestamp())}, "limit": PAGE})


def refunds_of(*, intent_id: str) -> list[PaidBack]:
    """Every refund of a payment, whoever made it. Raises GatewayUnavailable."""
    return list(_refunds({"payment_intent": intent_id, "limit": PAGE}))


def _refunds(params: Any) -> Iterator[PaidBack]:
    with _translated():
        for made in _client().v1.refunds.list(params).auto_paging_iter():
            yield PaidBack(
                processor_id=made.id,
                intent_id=_name(made.payment_intent),
                refund_id=_own_number(made.metadata, "holdfast_refund"),
                status=REFUND_STATUS[made.status or "pending"],
                amount=Money(made.amount, made.currency.upper()),
                reason=made.reason or "",
                created_at=_instant(made.created),
            )


def dispute(*, dispute_id: str) -> DisputeOutcome | None:
    """Where a dispute stands now; None for one that Stripe does not know. Raises GatewayUnavailable."""
    with _translated():
        try:
            found = _client().v1.disputes.retrieve(dispute_id)
        except stripe.InvalidRequestError:
            return None
    return DisputeOutcome(
        processor_id=found.id,
        intent_id=_name(found.payment_intent),
        status=found.status,
        reason=found.reason,
        amount=Money(found.amount, found.currency.upper()),
        created_at=_instant(found.created),
    )


def forget(*, payment_method: str) -> None:
    """Take the card from its customer: it can never be charged again. What is gone already is no error.

    Raises GatewayUnavailable.
    """
    with _translated():
        try:
            _client().v1.payment_methods.detach(payment_method)
        except stripe.InvalidRequestError:
            logger.info("a card was forgotten already")
