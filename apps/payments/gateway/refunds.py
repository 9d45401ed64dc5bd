"""Giving back, and what was given back."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from apps.core.money import Money
from apps.payments.gateway.client import PAGE, GatewayUnavailable, client, translated
from apps.payments.gateway.library import stripe
from apps.payments.gateway.reading import REFUND_STATUS, instant, name_of, own_number
from apps.payments.models import RefundStatus
from apps.payments.outcomes import PaidBack, RefundOutcome
from apps.payments.stripe_amounts import NotChargeable, from_stripe, to_stripe


def refund(*, intent_id: str, amount: Money, refund_id: int, idempotency_key: str) -> RefundOutcome:
    """Give the amount back. Raises GatewayUnavailable."""
    try:
        told = to_stripe(amount)
    except NotChargeable as error:
        return RefundOutcome(status=RefundStatus.FAILED, failure_code=error.code)
    params: Any = {
        "payment_intent": intent_id,
        "amount": told,
        "metadata": {"holdfast_refund": str(refund_id)},
    }
    with translated():
        try:
            made = client().v1.refunds.create(params, {"idempotency_key": idempotency_key})
        except stripe.InvalidRequestError as error:
            if error.http_status == 409:
                raise GatewayUnavailable("the same request is under way") from error
            return RefundOutcome(status=RefundStatus.FAILED, failure_code=error.code or "invalid_request")
    return RefundOutcome(status=REFUND_STATUS[made.status or "pending"], processor_id=made.id)


def refunds_since(since: datetime) -> Iterator[PaidBack]:
    """Every refund made since then, whoever made it, the newest first. Raises GatewayUnavailable."""
    yield from _refunds({"created": {"gte": int(since.timestamp())}, "limit": PAGE})


def refunds_of(*, intent_id: str) -> list[PaidBack]:
    """Every refund of a payment, whoever made it. Raises GatewayUnavailable."""
    return list(_refunds({"payment_intent": intent_id, "limit": PAGE}))


def _refunds(params: Any) -> Iterator[PaidBack]:
    with translated():
        for made in client().v1.refunds.list(params).auto_paging_iter():
            yield PaidBack(
                processor_id=made.id,
                intent_id=name_of(made.payment_intent),
                refund_id=own_number(made.metadata, "holdfast_refund"),
                status=REFUND_STATUS[made.status or "pending"],
                amount=from_stripe(made.amount, made.currency),
                reason=made.reason or "",
                created_at=instant(made.created),
            )
