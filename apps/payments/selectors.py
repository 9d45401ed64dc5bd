"""Reads of the money ledger."""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet, Sum

from apps.core.along import Along
from apps.core.reads import INTEGERS, OneOf, Parameter, Read
from apps.payments.models import CAPTURED_STATUSES, DISPUTE_TAKES_BACK, Charge, Dispute
from apps.users.models import User

# What a line about a payment is made of: what became of it, how much and when.
BRIEF = ("bill", "status", "timing", "amount_minor", "refunded_minor", "currency", "created_at", "paid_at")


def _charges(is_brief: bool, *, ids: Parameter) -> QuerySet[Charge]:
    rows = Charge.objects.filter(OneOf("bill_id", ids)).order_by("bill", "pk")
    return rows.only(*BRIEF) if is_brief else rows


CHARGES: Read[Charge] = Read(_charges, ids=INTEGERS)


def charges_along(*, is_brief: bool) -> Along:
    """The charges of the bills of bookings, to come along with these. `is_brief`: of each no more than BRIEF."""
    return Along(CHARGES, is_brief, by="bill_id", place="ids")


def charges_of_bills(bill_ids: Iterable[int], *, is_brief: bool) -> dict[int, list[Charge]]:
    """The charges of each bill, oldest first. `is_brief`: of each no more than BRIEF."""
    ids = list(bill_ids)
    found: dict[int, list[Charge]] = {pk: [] for pk in ids}
    for charge in CHARGES.rows(is_brief, ids=ids):
        found[charge.bill_id].append(charge)
    return found


def charges_of(*, payer: User) -> QuerySet[Charge]:
    """What a person paid or tried to, in no order yet."""
    return Charge.objects.filter(payer=payer)


def charges_by_id(ids: Iterable[int]) -> dict[int, Charge]:
    """The charges with these ids. Who may see them is for the caller to decide."""
    return {row.pk: row for row in Charge.objects.filter(pk__in=list(ids))}


def left_to_refund(bill_id: int) -> int:
    """How much of what was captured could go back now, in minor units: not what has gone back, or is with the payer's bank."""
    with_bank = Dispute.objects.filter(charge=OuterRef("pk"), status__in=DISPUTE_TAKES_BACK)
    captured = Charge.objects.filter(~Exists(with_bank), bill=bill_id, status__in=CAPTURED_STATUSES)
    found: int | None = captured.aggregate(left=Sum(F("amount_minor") - F("refunded_minor")))["left"]
    return found or 0


def card_to_charge_again(bill_id: int) -> Charge | None:
    """The payment whose card can be charged without its owner: the one saved last, else the one that paid last."""
    charges = Charge.objects.filter(bill=bill_id).exclude(customer_id="").order_by("-pk")
    return charges.filter(card_saved_at__isnull=False).first() or charges.filter(status__in=CAPTURED_STATUSES).first()


def is_taken_back(charge_id: int) -> bool:
    """Whether the payer's bank has taken the payment back, for now or for good."""
    return Dispute.objects.filter(charge=charge_id, status__in=DISPUTE_TAKES_BACK).exists()


UNBALANCED = """
    SELECT bill.id FROM payments_bill bill
    LEFT JOIN (
        SELECT bill_id,
            sum(amount_minor) FILTER (WHERE status IN ('SUCCEEDED', 'REFUNDED', 'PARTIALLY_REFUNDED')) AS captured,
            sum(refunded_minor) AS refunded
        FROM payments_charge GROUP BY bill_id
    ) charges ON charges.bill_id = bill.id
    WHERE bill.captured_minor <> coalesce(charges.captured, 0)
        OR bill.refunded_minor <> coalesce(charges.refunded, 0)
    UNION
    SELECT charge.bill_id FROM payments_charge charge
    LEFT JOIN (
        SELECT charge_id, sum(amount_minor) FILTER (WHERE status <> 'FAILED') AS refunded
        FROM payments_refund GROUP BY charge_id
    ) refunds ON refunds.charge_id = charge.id
    WHERE charge.refunded_minor <> coalesce(refunds.refunded, 0)
    ORDER BY 1
"""


def unbalanced_bills() -> list[int]:
    """The bills that are not the sum of their charges and refunds. There are none, or something is broken."""
    with connection.cursor() as cursor:
        cursor.execute(UNBALANCED)
        return [pk for (pk,) in cursor.fetchall()]


RECEIPT_GAPS = """
    SELECT counter.year, counter.last - count(charge.id) FROM payments_receiptcounter counter
    LEFT JOIN payments_charge charge ON charge.receipt_number LIKE counter.year::text || '-%'
    GROUP BY counter.year, counter.last HAVING counter.last <> count(charge.id) ORDER BY 1
"""


def receipt_gaps() -> list[tuple[int, int]]:
    """The years whose receipts are not numbered without gaps, and how many are missing. There are none."""
    with connection.cursor() as cursor:
        cursor.execute(RECEIPT_GAPS)
        return [(year, missing) for year, missing in cursor.fetchall()]
