"""The one door to Stripe. Everything comes back as an `Outcome`; nothing of Stripe's own leaves this package."""

from apps.payments.gateway.attempts import cancel, charge, create_customer, forget, look_up, save_card
from apps.payments.gateway.client import AnswerLost, GatewayUnavailable
from apps.payments.gateway.lists import dispute, find_payment, payment, payments_since
from apps.payments.gateway.messages import BadSignature, read_event
from apps.payments.gateway.refunds import refund, refunds_of, refunds_since
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
    "cancel",
    "charge",
    "create_customer",
    "dispute",
    "find_payment",
    "forget",
    "look_up",
    "payment",
    "payments_since",
    "read_event",
    "refund",
    "refunds_of",
    "refunds_since",
    "save_card",
]
