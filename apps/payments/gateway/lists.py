"""What Stripe has written down of payments and disputes."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from apps.payments.gateway.client import PAGE, client, translated
from apps.payments.gateway.library import stripe
from apps.payments.gateway.reading import INTENT_STATUS, instant, name_of, own_number
from apps.payments.models import ChargeStatus
from apps.payments.outcomes import DisputeOutcome, Payment
from apps.payments.stripe_amounts import from_stripe


def payments_since(since: datetime) -> Iterator[Payment]:
    """Every payment intent made since then, the newest first. Raises GatewayUnavailable."""
    with translated():
        listed = client().v1.payment_intents.list({"created": {"gte": int(since.timestamp())}, "limit": PAGE})
        for intent in listed.auto_paging_iter():
            yield _payment(intent)


def payment(*, intent_id: str) -> Payment | None:
    """The payment intent as Stripe lists it; None for one that Stripe does not know. Raises GatewayUnavailable."""
    with translated():
        try:
            return _payment(client().v1.payment_intents.retrieve(intent_id))
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
    with translated():
        for intent in client().v1.payment_intents.list(params).auto_paging_iter():
            found = _payment(intent)
            if found.charge_id == charge_id:
                if found.status is ChargeStatus.SUCCEEDED:
                    return found
                latest = latest or found
    return latest


def dispute(*, dispute_id: str) -> DisputeOutcome | None:
    """Where a dispute stands now; None for one that Stripe does not know. Raises GatewayUnavailable."""
    with translated():
        try:
            found = client().v1.disputes.retrieve(dispute_id)
        except stripe.InvalidRequestError:
            return None
    return DisputeOutcome(
        processor_id=found.id,
        intent_id=name_of(found.payment_intent),
        status=found.status,
        reason=found.reason,
        amount=from_stripe(found.amount, found.currency),
        created_at=instant(found.created),
    )


def _payment(intent: Any) -> Payment:
    return Payment(
        intent_id=intent.id,
        charge_id=own_number(intent.metadata, "holdfast_charge"),
        status=INTENT_STATUS[intent.status],
        amount=from_stripe(intent.amount, intent.currency),
        created_at=instant(intent.created),
    )
