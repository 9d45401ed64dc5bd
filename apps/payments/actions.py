"""Steps of the money ledger: in somebody's unit of work, never with the network inside."""

import logging
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db.models import F

from apps.core.db import require_transaction
from apps.core.instances import new
from apps.core.metrics import CHARGE_RESULTS, REFUND_RESULTS, count_on_commit
from apps.core.money import Money
from apps.core.outbox import enqueue
from apps.core.prepared import Prepared
from apps.payments import gateway
from apps.payments.cards import remember_card
from apps.payments.models import (
    CAPTURED_STATUSES,
    OPEN_STATUSES,
    Bill,
    Charge,
    ChargeStatus,
    PaymentTiming,
    Refund,
    RefundStatus,
)
from apps.payments.selectors import is_taken_back
from apps.users.models import User

logger = logging.getLogger(__name__)

NEXT_RECEIPT = Prepared(
    "next_receipt",
    """
    INSERT INTO payments_receiptcounter AS counter (year, last) VALUES (%(year)s, 1)
    ON CONFLICT (year) DO UPDATE SET last = counter.last + 1
    RETURNING last
    """,
    year="integer",
)

# How long after each refusal a saved card is asked again.
RETRY_AFTER = (timedelta(days=1), timedelta(days=3), timedelta(days=7))


def new_bill(*, pk: int, total: Money, timing: PaymentTiming, now: datetime) -> Bill:
    """A debt under a number that was drawn for it, to be written with what is owed for."""
    return new(Bill, pk=pk, currency=total.currency, total_minor=total.minor, timing=timing, created_at=now)


def open_charge(bill_id: int) -> Charge | None:
    """The charge of the bill that is under way, if there is one. There is never more than one."""
    return Charge.objects.filter(bill=bill_id, status__in=OPEN_STATUSES).first()


def has_saved_card(bill_id: int) -> bool:
    """Whether a card waits to be charged at the end."""
    return Charge.objects.filter(bill=bill_id, status=ChargeStatus.AUTHORIZED).exists()


def start_charge(
    *,
    bill: Bill,
    payer: User | None,
    timing: PaymentTiming,
    amount: Money,
    payment_method: str,
    customer_id: str = "",
    now: datetime,
) -> Charge:
    """Write the charge down, with the key that the processor will be asked with. The caller enqueues the asking.

    With `customer_id` the payment method is one that was saved there, and is charged without its owner.
    """
    require_transaction()
    return Charge.objects.create(
        bill=bill,
        payer=payer,
        timing=timing,
        status=ChargeStatus.PROCESSING,
        amount_minor=amount.minor,
        currency=amount.currency,
        payment_method=payment_method,
        customer_id=customer_id,
        idempotency_key=uuid.uuid4().hex,
        created_at=now,
        asked_at=now,
    )


def cancel_open_charges(bill_id: int, *, now: datetime) -> None:
    """What waits for the payer waits no longer. The processor is told after commit."""
    require_transaction()
    waiting = Charge.objects.select_for_update().filter(bill=bill_id, status=ChargeStatus.REQUIRES_ACTION)
    for charge in waiting:
        Charge.objects.filter(pk=charge.pk).update(
            status=ChargeStatus.CANCELED, client_secret="", next_action_url="", cancel_asked_at=now, updated_at=now
        )
        enqueue("bookings.cancel_intent", charge_id=charge.pk)


def record_outcome(charge: Charge, outcome: gateway.Outcome, *, now: datetime) -> bool:
    """Move the locked charge forward to what the processor said. Returns whether its status changed.

    States move forward only: success is believed at any time, everything else only of a charge that is still open.
    """
    require_transaction()
    is_open = charge.status in OPEN_STATUSES
    succeeded = outcome.status is ChargeStatus.SUCCEEDED
    if charge.status in CAPTURED_STATUSES or not (is_open or succeeded):
        return False
    if charge.card_saved_at is not None and outcome.setup_intent_id:
        # Late news of how the card was saved says nothing about the charge that it was saved for.
        return False
    changed = charge.status != outcome.status
    charge.status = outcome.status
    charge.intent_id = outcome.intent_id or charge.intent_id
    charge.setup_intent_id = outcome.setup_intent_id or charge.setup_intent_id
    charge.customer_id = outcome.customer_id or charge.customer_id
    charge.payment_method = outcome.payment_method or charge.payment_method
    charge.client_secret = outcome.client_secret
    charge.next_action_url = outcome.next_action_url
    charge.failure_code = outcome.failure_code
    charge.card_brand = outcome.card_brand or charge.card_brand
    charge.card_last4 = outcome.card_last4 or charge.card_last4
    if outcome.status in (ChargeStatus.SUCCEEDED, ChargeStatus.AUTHORIZED):
        remember_card(charge, outcome, now=now)
    if outcome.status is ChargeStatus.AUTHORIZED:
        charge.card_saved_at = now
    if succeeded:
        charge.paid_at = now
        charge.receipt_number = next_receipt_number(now=now)
        Bill.objects.filter(pk=charge.bill_id).update(
            captured_minor=F("captured_minor") + charge.amount_minor,
            settled_minor=F("settled_minor") + charge.amount_minor,
            retry_at=None,
        )
    charge.save()
    if changed:
        count_on_commit(CHARGE_RESULTS, str(outcome.status))
    return changed


def set_total(bill_id: int, total: Money, *, owed_since: datetime | None = None) -> None:
    """Change what is owed in all. With `owed_since` it is a debt from then on, as far as it is not paid."""
    require_transaction()
    since = {} if owed_since is None else {"owed_since": owed_since}
    Bill.objects.filter(pk=bill_id).update(total_minor=total.minor, **since)


def mark_debts(bill_ids: Iterable[int], *, now: datetime) -> None:
    """What the bills are about is over: those that were not paid in full are debts from now on."""
    require_transaction()
    unpaid = Bill.objects.filter(pk__in=list(bill_ids), total_minor__gt=F("settled_minor"), owed_since=None)
    unpaid.update(owed_since=now)


def keep(bill_id: int, kept: Money) -> None:
    """What the bill is about was called off: of what was paid this much is kept, and all the rest is to go back."""
    require_transaction()
    Bill.objects.filter(pk=bill_id).update(kept_minor=kept.minor)


def keep_nothing_more(bill_id: int) -> None:
    """A payment came for what had been called off: what was kept stays kept, and the payment is to go back."""
    require_transaction()
    Bill.objects.filter(pk=bill_id, kept_minor=None).update(kept_minor=0)


def settle_down_to(bill_id: int, total: Money) -> None:
    """The debt became smaller than what was paid of it: the surplus pays for nothing any more."""
    require_transaction()
    Bill.objects.filter(pk=bill_id).update(total_minor=total.minor, settled_minor=total.minor)


def drop_saved_cards(bill_id: int, *, now: datetime) -> None:
    """A card that was saved for a charge that will never come is not charged."""
    require_transaction()
    Charge.objects.filter(bill=bill_id, status=ChargeStatus.AUTHORIZED).update(
        status=ChargeStatus.CANCELED, updated_at=now
    )


def charge_saved_card(bill_id: int, *, amount: Money, now: datetime) -> Charge | None:
    """Let the charge whose card was saved become the charge of the amount; the caller enqueues the asking.

    None where no card was saved or nothing is to be charged.
    """
    require_transaction()
    if amount.minor == 0:
        drop_saved_cards(bill_id, now=now)
        return None
    charge = Charge.objects.select_for_update().filter(bill=bill_id, status=ChargeStatus.AUTHORIZED).first()
    if charge is None:
        return None
    charge.status = ChargeStatus.PROCESSING
    charge.amount_minor = amount.minor
    charge.asked_at = now
    charge.save(update_fields=["status", "amount_minor", "asked_at", "updated_at"])
    return charge


def schedule_retry(bill_id: int, *, now: datetime) -> None:
    """A card that was saved for the end refused to pay: it is asked again later, a few times. Then it is a debt."""
    require_transaction()
    bill = Bill.objects.select_for_update().get(pk=bill_id)
    if bill.timing != PaymentTiming.AT_END or bill.retry_at is not None or bill.retries >= len(RETRY_AFTER):
        return
    bill.retry_at = now + RETRY_AFTER[bill.retries]
    bill.save(update_fields=["retry_at"])


def retry_charge(bill: Bill, *, now: datetime) -> Charge | None:
    """Ask the saved card of the locked bill once more, as the schedule says; the caller enqueues the asking.

    None where nothing is owed any more, no card was saved or a payment is under way.
    """
    require_transaction()
    if open_charge(bill.pk) is not None:
        return None
    saved = Charge.objects.filter(bill=bill, card_saved_at__isnull=False).order_by("-pk").first()
    Bill.objects.filter(pk=bill.pk).update(retry_at=None, retries=F("retries") + 1)
    return None if saved is None or bill.owed.minor == 0 else charge_again(bill, card_of=saved, now=now)


def charge_again(bill: Bill, *, card_of: Charge, now: datetime) -> Charge:
    """Charge the card of an earlier payment with what is owed, without its owner; the caller enqueues the asking."""
    saved = card_of
    return start_charge(
        bill=bill,
        payer=saved.payer,
        timing=PaymentTiming.NOW,
        amount=bill.owed,
        payment_method=saved.payment_method,
        customer_id=saved.customer_id,
        now=now,
    )


def refund_bill(bill_id: int, *, amount: Money, reason: str, past_bank: bool = False, now: datetime) -> Money:
    """Give that much back from what was captured, the newest payment first; the caller has locked the bill.

    Returns how much goes back: less than the amount where the payer's bank has taken a payment back by itself, of which the
    processor refunds nothing. With `past_bank` such a payment is passed over, and all of the amount comes from the others.
    Raises ValueError when less was captured.
    """
    require_transaction()
    left = amount.minor
    taken_back = 0
    captured = Charge.objects.select_for_update().filter(bill=bill_id, status__in=CAPTURED_STATUSES).order_by("-pk")
    for charge in captured:
        part = min(left, charge.amount_minor - charge.refunded_minor)
        if part <= 0:
            continue
        is_with_bank = is_taken_back(charge.pk)
        if is_with_bank and past_bank:
            continue
        left -= part
        if is_with_bank:
            taken_back += part
        else:
            start_refund(charge, amount=Money(part, charge.currency), reason=reason, now=now)
    if left:
        raise ValueError("more was to be refunded than was captured")
    return amount - Money(taken_back, amount.currency)


def next_receipt_number(*, now: datetime) -> str:
    """`YYYY-NNNNNN` without gaps: the counter's row is locked until the payment that takes the number commits."""
    require_transaction()
    year = now.astimezone(UTC).year
    ((last,),) = NEXT_RECEIPT.rows(year=year)
    return f"{year}-{last:06d}"


def start_refund(charge: Charge, *, amount: Money, reason: str, now: datetime) -> Refund:
    """Write the refund down against the locked charge and send for it after commit.

    The database refuses more than was captured.
    """
    require_transaction()
    refund = Refund.objects.create(
        charge=charge,
        amount_minor=amount.minor,
        reason=reason,
        idempotency_key=uuid.uuid4().hex,
        created_at=now,
    )
    _count_refund(charge, amount.minor)
    enqueue("bookings.carry_out_refund", refund_id=refund.pk)
    return refund


def adopt_refund(charge: Charge, *, told: gateway.PaidBack, now: datetime) -> Refund:
    """Write down against the locked charge a refund that somebody made past us.

    The database refuses more than was captured, and the same refund twice.
    """
    require_transaction()
    refund = Refund.objects.create(
        charge=charge,
        amount_minor=told.amount.minor,
        reason=f"Made outside: {told.reason}" if told.reason else "Made outside.",
        status=told.status,
        idempotency_key=f"outside-{told.processor_id}"[:64],
        processor_id=told.processor_id,
        created_at=now,
    )
    _count_refund(charge, told.amount.minor)
    return refund


def record_refund(refund: Refund, outcome: gateway.RefundOutcome) -> None:
    """Note what became of the locked refund. A refund that failed is no longer counted as money gone back.

    It may fail after it succeeded: the bank sent the money back. What failed stays failed.
    """
    require_transaction()
    if refund.status == RefundStatus.FAILED or (
        refund.status == RefundStatus.SUCCEEDED and outcome.status is not RefundStatus.FAILED
    ):
        return
    if refund.status != outcome.status:
        count_on_commit(REFUND_RESULTS, str(outcome.status))
    refund.status = outcome.status
    refund.processor_id = outcome.processor_id or refund.processor_id
    refund.save()
    if outcome.status is RefundStatus.FAILED:
        logger.error("refund %s failed: %s", refund.pk, outcome.failure_code)
        charge = Charge.objects.select_for_update().get(pk=refund.charge_id)
        _count_refund(charge, -refund.amount_minor)


def _count_refund(charge: Charge, minor: int) -> None:
    """So much more of the locked charge has gone back, or come back with a negative number."""
    charge.refunded_minor += minor
    charge.status = (
        ChargeStatus.REFUNDED
        if charge.refunded_minor == charge.amount_minor
        else ChargeStatus.PARTIALLY_REFUNDED
        if charge.refunded_minor
        else ChargeStatus.SUCCEEDED
    )
    charge.save(update_fields=["refunded_minor", "status", "updated_at"])
    Bill.objects.filter(pk=charge.bill_id).update(refunded_minor=F("refunded_minor") + minor)
