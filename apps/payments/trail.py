"""What happened to the money of a bill: every charge, refund, dispute and webhook, oldest first. Never a secret."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from apps.payments.models import Charge, Dispute, Refund, WebhookEvent


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing that happened. `processor_ids` are the processor's names for it; `details` say more in plain words."""

    at: datetime
    kind: str
    pk: int
    status: str
    amount_minor: int | None = None
    currency: str | None = None
    processor_ids: tuple[str, ...] = ()
    details: str = ""


def money_trail(bill_id: int) -> list[Trace]:
    """Everything that is known of the bill's money. Who may see it is for the caller to decide."""
    charges = list(Charge.objects.filter(bill=bill_id))
    ids = [charge.pk for charge in charges]
    refunds = list(Refund.objects.filter(charge__in=ids))
    disputes = list(Dispute.objects.filter(charge__in=ids))
    traces = [*map(_of_charge, charges), *_of_refunds(refunds, charges), *map(_of_dispute, disputes)]
    intents = [charge.intent_id for charge in charges if charge.intent_id]
    subjects = [name for trace in traces for name in trace.processor_ids if name]
    events = WebhookEvent.objects.filter(Q(object_id__in=subjects) | Q(intent_id__in=intents))
    return sorted([*traces, *map(_of_event, events)], key=lambda trace: (trace.at, trace.kind, trace.pk))


def _of_charge(charge: Charge) -> Trace:
    return Trace(
        at=charge.created_at,
        kind="CHARGE",
        pk=charge.pk,
        status=charge.status,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        processor_ids=tuple(filter(None, (charge.intent_id, charge.setup_intent_id))),
        details=charge.failure_code or charge.receipt_number or "",
    )


def _of_refunds(refunds: list[Refund], charges: list[Charge]) -> list[Trace]:
    currency = {charge.pk: charge.currency for charge in charges}
    return [
        Trace(
            at=refund.created_at,
            kind="REFUND",
            pk=refund.pk,
            status=refund.status,
            amount_minor=refund.amount_minor,
            currency=currency[refund.charge_id],
            processor_ids=tuple(filter(None, (refund.processor_id,))),
            details=refund.reason,
        )
        for refund in refunds
    ]


def _of_dispute(dispute: Dispute) -> Trace:
    return Trace(
        at=dispute.created_at,
        kind="DISPUTE",
        pk=dispute.pk,
        status=dispute.status,
        amount_minor=dispute.amount_minor,
        currency=dispute.currency,
        processor_ids=(dispute.processor_id,),
        details=dispute.reason,
    )


def _of_event(event: WebhookEvent) -> Trace:
    return Trace(
        at=event.received_at,
        kind="WEBHOOK",
        pk=event.pk,
        status="WAITING" if event.handled_at is None else "HANDLED",
        processor_ids=tuple(filter(None, (event.event_id, event.object_id))),
        details=event.type,
    )
