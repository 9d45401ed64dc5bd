"""Idempotent calls to the card processor: what became of an earlier asking is found before it is asked again."""

from datetime import datetime, timedelta

from apps.core.money import Money
from apps.payments import gateway
from apps.payments.models import Charge, Customer, PaymentTiming, Refund

# A key is forgotten after a day at the earliest; from then on the processor would charge once more for the same key.
KEY_REMEMBERED = timedelta(hours=20)
# What was asked so long ago has been carried out, or never will be.
DONE_WITHIN = timedelta(minutes=1)
CLOCKS_DIFFER = timedelta(hours=1)


def ask_processor(charge: Charge, *, now: datetime) -> gateway.Outcome:
    """Carry the charge out, or find out what became of it. Safe to repeat at any time; no transaction may be open.

    Raises GatewayUnavailable.
    """
    if charge.intent_id:
        return gateway.look_up(intent_id=charge.intent_id)
    if charge.card_saved_at is not None:
        return _charge(
            charge, customer_id=charge.customer_id, key=f"{charge.idempotency_key}-end", off_session=True, now=now
        )
    if charge.setup_intent_id:
        return gateway.look_up(setup_intent_id=charge.setup_intent_id)
    is_saved = charge.customer_id != ""
    customer_id = charge.customer_id or _customer_of(charge)
    if charge.timing == PaymentTiming.AT_END:
        return _save_card(charge, customer_id=customer_id, now=now)
    return _charge(charge, customer_id=customer_id, key=charge.idempotency_key, off_session=is_saved, now=now)


def _asked_at(charge: Charge) -> datetime:
    return charge.asked_at or charge.created_at


def _charge(charge: Charge, *, customer_id: str, key: str, off_session: bool, now: datetime) -> gateway.Outcome:
    def ask(key: str) -> gateway.Outcome:
        return gateway.charge(
            amount=charge.amount,
            payment_method=charge.payment_method,
            customer_id=customer_id,
            charge_id=charge.pk,
            idempotency_key=key,
            off_session=off_session,
        )

    age = now - _asked_at(charge)
    if age < KEY_REMEMBERED:
        try:
            return ask(key)
        except gateway.AnswerLost:
            if age < DONE_WITHIN:
                raise
            key = f"{key}-again"
    return _found(charge, customer_id=customer_id) or ask(key)


def _found(charge: Charge, *, customer_id: str) -> gateway.Outcome | None:
    """What became of an earlier asking whose answer never reached us. Every payment carries its charge's number."""
    # An account has one customer, and few payments; an anonymous payer may have been given another customer since.
    own = customer_id if charge.payer_id is not None or charge.customer_id else ""
    found = gateway.find_payment(charge_id=charge.pk, customer_id=own, since=_asked_at(charge) - CLOCKS_DIFFER)
    if found is None or found.amount != charge.amount:
        return None
    return gateway.look_up(intent_id=found.intent_id)


def _save_card(charge: Charge, *, customer_id: str, now: datetime) -> gateway.Outcome:
    def ask(key: str) -> gateway.Outcome:
        return gateway.save_card(
            amount=charge.amount,
            payment_method=charge.payment_method,
            customer_id=customer_id,
            charge_id=charge.pk,
            idempotency_key=key,
        )

    try:
        return ask(charge.idempotency_key)
    except gateway.AnswerLost:
        if now - _asked_at(charge) < DONE_WITHIN:
            raise
        # A card that is saved twice costs nobody anything.
        return ask(f"{charge.idempotency_key}-again")


def _customer_of(charge: Charge) -> str:
    """The payer's customer id; an anonymous payer gets one for the bill."""
    if charge.payer_id is None:
        return _new_customer(f"bill-{charge.bill_id}")
    known = Customer.objects.filter(user=charge.payer_id).first()
    if known is not None:
        return known.processor_id
    made = _new_customer(f"user-{charge.payer_id}")
    Customer.objects.bulk_create([Customer(user_id=charge.payer_id, processor_id=made)], ignore_conflicts=True)
    return Customer.objects.get(user=charge.payer_id).processor_id


def _new_customer(account: str) -> str:
    try:
        return gateway.create_customer(account=account, idempotency_key=f"customer-{account}")
    except gateway.AnswerLost:
        # A customer without cards harms nobody.
        return gateway.create_customer(account=account, idempotency_key=f"customer-{account}-again")


def ask_for_refund(refund: Refund) -> gateway.RefundOutcome:
    """Carry the refund out, or find out what became of it. Safe to repeat at any time. Raises GatewayUnavailable."""
    # What went back already is looked for first, for the same reasons as above: a part would go back once more.
    for earlier in gateway.refunds_of(intent_id=refund.charge.intent_id):
        if earlier.refund_id == refund.pk and earlier.amount.minor == refund.amount_minor:
            return gateway.RefundOutcome(status=earlier.status, processor_id=earlier.processor_id)
    return gateway.refund(
        intent_id=refund.charge.intent_id,
        amount=Money(refund.amount_minor, refund.charge.currency),
        refund_id=refund.pk,
        idempotency_key=refund.idempotency_key,
    )
