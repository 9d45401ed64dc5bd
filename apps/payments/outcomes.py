"""What the processor said, in our own words. Empty strings where there is nothing to tell."""

from dataclasses import dataclass
from datetime import datetime

from apps.core.money import Money
from apps.payments.models import ChargeStatus, RefundStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt to be paid. Empty strings where there is nothing to tell."""

    status: ChargeStatus
    intent_id: str = ""
    setup_intent_id: str = ""
    customer_id: str = ""
    payment_method: str = ""
    client_secret: str = ""
    next_action_url: str = ""
    failure_code: str = ""
    card_brand: str = ""
    card_last4: str = ""
    card_fingerprint: str = ""
    card_exp_month: int = 0
    card_exp_year: int = 0


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    """What became of a refund."""

    status: RefundStatus
    processor_id: str = ""
    failure_code: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment intent as Stripe lists it. `charge_id` is our own number for it, None where it carries none."""

    intent_id: str
    charge_id: int | None
    status: ChargeStatus
    amount: Money
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PaidBack:
    """A refund as Stripe lists it. `refund_id` is our own number for it, None where somebody else made it."""

    processor_id: str
    intent_id: str
    refund_id: int | None
    status: RefundStatus
    amount: Money
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DisputeOutcome:
    """Where a dispute stands."""

    processor_id: str
    intent_id: str
    status: str
    reason: str
    amount: Money
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook's message: only its name and what it is about; what it says is asked again."""

    event_id: str
    type: str
    object_id: str
    object_type: str
    intent_id: str = ""
