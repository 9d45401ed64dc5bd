"""Our ledger against the processor's: every payment and every refund, healed where it can be, reported where not."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from apps.bookings.actions.events import resume_events, settle_intent
from apps.bookings.actions.outside import take_over
from apps.bookings.actions.pay import resume_payments, settle
from apps.bookings.actions.processor import cancel_intent, resume_refunds
from apps.core.money import Money
from apps.payments import gateway
from apps.payments.differences import Difference, keep_differences
from apps.payments.models import CAPTURED_STATUSES, OPEN_STATUSES, Charge, ChargeStatus, Refund, RefundStatus
from apps.payments.selectors import receipt_gaps, unbalanced_bills

logger = logging.getLogger(__name__)

FINAL = (ChargeStatus.SUCCEEDED, ChargeStatus.FAILED, ChargeStatus.CANCELED)


@dataclass(slots=True)
class Reconciliation:
    """What was compared, what was put right, and what somebody has to look into. No drift: both ledgers agree."""

    payments: int = 0
    refunds: int = 0
    healed: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    found: list[Difference] = field(default_factory=list)

    def heal(self, what: str) -> None:
        logger.warning("reconciled: %s", what)
        self.healed.append(what)

    def report(self, what: str, *, charge_id: int | None = None, amount: Money | None = None) -> None:
        logger.error("the ledgers differ: %s", what)
        self.drift.append(what)
        self.found.append(Difference(text=what, charge_id=charge_id, amount=amount))


def reconcile(*, since: datetime, now: datetime) -> Reconciliation:
    """Compare everything since then. Safe while the system runs, and to repeat. Raises GatewayUnavailable.

    What differs is kept until somebody has dealt with it, or a comparison finds that it is gone.
    """
    result = Reconciliation()
    resume_payments(now=now)
    resume_refunds(now=now)
    resume_events(now=now)
    seen = _compare_payments(gateway.payments_since(since), result, now=now)
    _look_for_missing_payments(seen, result, since=since)
    told = list(gateway.refunds_since(since))
    _compare_refunds(told, result, now=now)
    _look_for_missing_refunds({each.processor_id for each in told}, result, since=since)
    for bill_id in unbalanced_bills():
        result.report(f"bill {bill_id} is not the sum of its charges and refunds")
    for year, missing in receipt_gaps():
        result.report(f"{missing} receipt numbers of {year} are missing")
    keep_differences(result.found, since=since, now=now)
    return result


def _compare_payments(told: Iterable[gateway.Payment], result: Reconciliation, *, now: datetime) -> set[str]:
    seen = set()
    for payment in told:
        result.payments += 1
        seen.add(payment.intent_id)
        charge = Charge.objects.filter(pk=payment.charge_id).first() if payment.charge_id is not None else None
        if charge is not None:
            _compare_payment(payment, charge, result, now=now)
        elif payment.status is ChargeStatus.SUCCEEDED:
            result.report(
                f"{payment.intent_id} of {payment.amount} was paid and is no charge of ours", amount=payment.amount
            )
    return seen


def _compare_payment(payment: gateway.Payment, charge: Charge, result: Reconciliation, *, now: datetime) -> None:
    name = f"{payment.intent_id} (charge {charge.pk})"
    succeeded = payment.status is ChargeStatus.SUCCEEDED
    if charge.intent_id not in ("", payment.intent_id):
        if succeeded:
            result.report(
                f"{name} of {payment.amount} was paid beside {charge.intent_id}",
                charge_id=charge.pk,
                amount=payment.amount,
            )
        return
    if succeeded and payment.amount != charge.amount:
        result.report(
            f"{name} was paid with {payment.amount} and is written down as {charge.amount}",
            charge_id=charge.pk,
            amount=payment.amount,
        )
    is_captured = charge.status in CAPTURED_STATUSES
    if is_captured and not succeeded:
        said = f"{name} is {charge.status} with us and {payment.status} with the processor"
        result.report(said, charge_id=charge.pk, amount=charge.amount)
    elif succeeded != is_captured or (charge.status in OPEN_STATUSES and payment.status in FINAL):
        settle(charge_id=charge.pk, outcome=gateway.look_up(intent_id=payment.intent_id), now=now)
        result.heal(f"{name} was {charge.status} with us and {payment.status} with the processor")
    elif charge.status == ChargeStatus.CANCELED and payment.status in OPEN_STATUSES:
        settle_intent(intent_id=payment.intent_id, now=now)
        cancel_intent(charge_id=charge.pk, now=now)
        result.heal(f"{name} was canceled with us and still open with the processor")


def _look_for_missing_payments(seen: set[str], result: Reconciliation, *, since: datetime) -> None:
    ours = Charge.objects.filter(status__in=CAPTURED_STATUSES, paid_at__gte=since).exclude(intent_id__in=seen)
    for charge in ours.order_by("pk"):
        result.payments += 1
        known = gateway.look_up(intent_id=charge.intent_id) if charge.intent_id else None
        if known is None or known.status is not ChargeStatus.SUCCEEDED:
            said = f"charge {charge.pk} of {charge.amount} is not paid with the processor"
            result.report(said, charge_id=charge.pk, amount=charge.amount)


def _compare_refunds(told: list[gateway.PaidBack], result: Reconciliation, *, now: datetime) -> None:
    for refund in sorted(told, key=lambda each: each.created_at):
        result.refunds += 1
        charge = Charge.objects.filter(intent_id=refund.intent_id).exclude(intent_id="").first()
        if charge is None:
            if refund.status is not RefundStatus.FAILED:
                result.report(
                    f"{refund.processor_id} of {refund.amount} went back of no charge of ours", amount=refund.amount
                )
            continue
        _compare_refund(refund, charge, result, now=now)


def _compare_refund(refund: gateway.PaidBack, charge: Charge, result: Reconciliation, *, now: datetime) -> None:
    ours = Refund.objects.filter(charge=charge)
    known = ours.filter(processor_id=refund.processor_id).first() or ours.filter(pk=refund.refund_id or 0).first()
    name = f"{refund.processor_id} (charge {charge.pk})"
    if known is not None and known.amount_minor != refund.amount.minor:
        said = f"{name} is {refund.amount} with the processor and {known.amount_minor} minor units with us"
        result.report(said, charge_id=charge.pk, amount=refund.amount)
        return
    before = known.status if known is not None else None
    if before == refund.status or (before is None and refund.status is RefundStatus.FAILED):
        return
    if before == RefundStatus.FAILED:
        said = f"{name} failed with us and is {refund.status} with the processor"
        result.report(said, charge_id=charge.pk, amount=refund.amount)
        return
    try:
        take_over(charge_id=charge.pk, told=refund, now=now)
    except gateway.GatewayUnavailable as error:
        said = f"{name} of {refund.amount} cannot be written down: {error}"
        result.report(said, charge_id=charge.pk, amount=refund.amount)
        return
    result.heal(f"{name} was {before or 'unknown'} with us and {refund.status} with the processor")


def _look_for_missing_refunds(seen: set[str], result: Reconciliation, *, since: datetime) -> None:
    ours = Refund.objects.filter(status=RefundStatus.SUCCEEDED, created_at__gte=since).exclude(processor_id__in=seen)
    for refund in ours.select_related("charge").order_by("pk"):
        result.refunds += 1
        known = {each.processor_id for each in gateway.refunds_of(intent_id=refund.charge.intent_id)}
        if refund.processor_id not in known:
            said = f"refund {refund.pk} of charge {refund.charge_id} is unknown to the processor"
            result.report(said, charge_id=refund.charge_id, amount=Money(refund.amount_minor, refund.charge.currency))
