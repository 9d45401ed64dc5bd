"""Money that does not move by itself any more, or not as fast as it should: what somebody has to look after.

Each sort is found in a partial index that holds nothing else, so that looking costs the same at a million bookings.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce, Concat, Extract, Floor

from apps.bookings.models import Booking
from apps.core.money import Money
from apps.core.reads import INSTANT
from apps.core.shapes import Places, Put, Shaped
from apps.payments.models import (
    DISPUTE_TAKES_BACK,
    OPEN_STATUSES,
    Bill,
    Charge,
    ChargeStatus,
    DealtWith,
    Discrepancy,
    Dispute,
    Refund,
    RefundStatus,
    WebhookEvent,
)

# The processor and our workers take seconds; a payer may take their time with the bank, and banks with refunds.
ANSWER_WITHIN = timedelta(minutes=10)
PAYER_ANSWERS_WITHIN = timedelta(days=1)
REFUNDED_WITHIN = timedelta(hours=1)
# In these a dispute waits for us, or has cost us the money.
DISPUTE_NEEDS_US = ("needs_response", "warning_needs_response", "lost")
# More of a sort than this are not counted, nor shown at once.
MOST = 50


@dataclass(frozen=True, slots=True)
class Stuck:
    """One thing to look after.

    `subject` names it, as in "refund:5", and `row` is its own row. `remedies` are the actions that put it right, by the
    row that they are for. What `needs_somebody` does not is taken up again by itself at a known time.
    """

    subject: str
    row: Model
    since: datetime
    amount: Money | None
    words: str
    booking: Booking | None
    remedies: tuple[tuple[Model, str], ...] = ()
    needs_somebody: bool = True


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of stuck money: which rows are stuck, oldest first, and what is told of one."""

    name: str
    title: str
    find: Callable[[datetime], QuerySet[Any]]
    tell: Callable[[Any, datetime], Stuck]
    # Of the rows found those that nobody takes up by themselves.
    urgent: Q | None = None


def stuck_money(*, now: datetime) -> list[tuple[Sort, list[Stuck]]]:
    """Everything that is stuck, by sort, the oldest first; at most MOST of each."""
    return [(sort, [sort.tell(row, now) for row in sort.find(now)[:MOST]]) for sort in SORTS]


def count_stuck(*, now: datetime) -> int:
    """How many things need somebody, with one statement; of each sort not more than MOST are counted."""
    return len(URGENT.rows((), {"now": Put(now, INSTANT)}))


def _urgent(values: Places) -> QuerySet[Any]:
    now: Any = values["now"]
    first, *others = (
        (sort.find(now) if sort.urgent is None else sort.find(now).filter(sort.urgent))
        .order_by()
        .select_related(None)
        .values_list("pk")[:MOST]
        for sort in SORTS
    )
    return first.union(*others, all=True)


# It stands on every page of who sees money: writing it anew each time would be a third of what the page costs.
URGENT = Shaped("urgent", _urgent)


def find_stuck(*, subject: str, now: datetime) -> Stuck | None:
    """What is stuck under that name; None when nothing is, any more or ever."""
    name, _, pk = subject.partition(":")
    for sort in SORTS:
        if sort.name == name and pk.partition(":")[0].isdecimal():
            row = sort.find(now).filter(pk=int(pk.partition(":")[0][:18])).first()
            found = None if row is None else sort.tell(row, now)
            return found if found is not None and found.subject == subject else None
    return None


def unanswered_charges(*, now: datetime) -> QuerySet[Charge]:
    """Payments that the processor was asked for, or their payer, too long ago."""
    # When it was last looked at says nothing: the sweeps look again and again.
    asked = Charge.objects.alias(first_asked=Coalesce("asked_at", "created_at")).filter(status__in=OPEN_STATUSES)
    waits_for_payer = Q(status=ChargeStatus.REQUIRES_ACTION)
    return asked.filter(
        (~waits_for_payer & Q(first_asked__lt=now - ANSWER_WITHIN))
        | (waits_for_payer & Q(first_asked__lt=now - PAYER_ANSWERS_WITHIN))
    ).order_by("pk")


def unanswered_refunds(*, now: datetime) -> QuerySet[Refund]:
    """Refunds that have been under way for too long."""
    return Refund.objects.filter(status=RefundStatus.PENDING, created_at__lt=now - REFUNDED_WITHIN).order_by("pk")


def failed_refunds() -> QuerySet[Refund]:
    """Refunds that failed, where none was made for the same payment since."""
    again = Refund.objects.filter(
        charge=OuterRef("charge"), created_at__gte=OuterRef("updated_at"), pk__gt=OuterRef("pk")
    )
    failed = Refund.objects.filter(~Exists(again.exclude(status=RefundStatus.FAILED)), status=RefundStatus.FAILED)
    # Of several that failed for one payment the last stands for all.
    later = Refund.objects.filter(charge=OuterRef("charge"), status=RefundStatus.FAILED, pk__gt=OuterRef("pk"))
    return failed.filter(~Exists(later)).order_by("updated_at", "pk")


def _not_dealt_with(rows: QuerySet[Any], name: str, *, suffix: Any = None) -> QuerySet[Any]:
    parts = [Value(f"{name}:"), Cast("pk", TextField()), *([] if suffix is None else [Value(":"), suffix])]
    subject = Concat(*parts, output_field=TextField())
    found: QuerySet[Any] = rows.alias(named=subject).filter(
        ~Exists(DealtWith.objects.filter(subject=OuterRef("named")))
    )
    return found


def _booking(bill: Bill) -> Booking | None:
    return getattr(bill, "booking", None)


def _charges(now: datetime) -> QuerySet[Charge]:
    return unanswered_charges(now=now).select_related("bill__booking")


def _of_charge(charge: Charge, now: datetime) -> Stuck:
    booking = _booking(charge.bill)
    waits_for_payer = charge.status == ChargeStatus.REQUIRES_ACTION
    return Stuck(
        subject=f"charge:{charge.pk}",
        row=charge,
        since=charge.asked_at or charge.created_at,
        amount=charge.amount,
        words=(
            "The payer was asked by the card's bank and has not answered."
            if waits_for_payer
            else "The processor was asked for this payment, and its answer is not known."
        ),
        booking=booking,
        remedies=((booking, "refresh"),) if booking else (),
    )


def _refunds_under_way(now: datetime) -> QuerySet[Refund]:
    return unanswered_refunds(now=now).select_related("charge__bill__booking")


def _of_refund_under_way(refund: Refund, now: datetime) -> Stuck:
    booking = _booking(refund.charge.bill)
    return Stuck(
        subject=f"refund:{refund.pk}",
        row=refund,
        since=refund.created_at,
        amount=Money(refund.amount_minor, refund.charge.currency),
        words="The processor was asked to give this back and has not said that it did.",
        booking=booking,
        remedies=((booking, "refresh"),) if booking else (),
    )


def _refunds_failed(now: datetime) -> QuerySet[Refund]:
    return _not_dealt_with(failed_refunds(), "failed_refund").select_related("charge__bill__booking")


def _of_refund_failed(refund: Refund, now: datetime) -> Stuck:
    has_left = refund.charge.refunded_minor < refund.charge.amount_minor
    return Stuck(
        subject=f"failed_refund:{refund.pk}",
        row=refund,
        since=refund.updated_at,
        amount=Money(refund.amount_minor, refund.charge.currency),
        words="A refund failed: the money is still here. Refund it again, or pay the guest in another way and say how.",
        booking=_booking(refund.charge.bill),
        remedies=((refund.charge, "refund"),) if has_left else (),
    )


def _disputes(now: datetime) -> QuerySet[Dispute]:
    rows = Dispute.objects.filter(status__in=DISPUTE_NEEDS_US).exclude(status__in=("won", "warning_closed"))
    return _not_dealt_with(rows, "dispute").select_related("charge__bill__booking").order_by("created_at", "pk")


def _of_dispute(dispute: Dispute, now: datetime) -> Stuck:
    is_lost = dispute.status == "lost"
    why = f" ({dispute.reason.replace('_', ' ')})" if dispute.reason else ""
    return Stuck(
        subject=f"dispute:{dispute.pk}",
        row=dispute,
        since=dispute.created_at,
        amount=Money(dispute.amount_minor, dispute.currency),
        words=(
            f"The payer's bank took the money back for good{why}."
            if is_lost
            else f"The payer contests the payment{why}: answer in the processor's dashboard, it has a deadline."
        ),
        booking=_booking(dispute.charge.bill),
    )


def _kept(now: datetime) -> QuerySet[Bill]:
    with_bank = Dispute.objects.filter(charge__bill=OuterRef("pk"), status__in=DISPUTE_TAKES_BACK)
    failed = Refund.objects.filter(charge__bill=OuterRef("pk"), status=RefundStatus.FAILED)
    rows = Bill.objects.filter(captured_minor__gt=F("refunded_minor") + F("kept_minor"))
    rows = rows.filter(~Exists(with_bank), ~Exists(failed))
    return _not_dealt_with(rows, "kept").select_related("booking").order_by("pk")


def _of_kept(bill: Bill, now: datetime) -> Stuck:
    booking = _booking(bill)
    return Stuck(
        subject=f"kept:{bill.pk}",
        row=bill,
        since=(booking and (booking.canceled_at or booking.updated_at)) or bill.created_at,
        amount=Money(bill.captured_minor - bill.refunded_minor - (bill.kept_minor or 0), bill.currency),
        words="The booking was called off, and more of what was paid is here than was to be kept.",
        booking=booking,
        remedies=((booking, "refund"),) if booking else (),
    )


def _debts(now: datetime) -> QuerySet[Bill]:
    under_way = Charge.objects.filter(bill=OuterRef("pk"), status__in=OPEN_STATUSES)
    rows = Bill.objects.filter(~Exists(under_way), owed_since__isnull=False, total_minor__gt=F("settled_minor"))
    return _not_dealt_with(rows, "debt").select_related("booking").order_by("owed_since", "pk")


def _of_debt(bill: Bill, now: datetime) -> Stuck:
    booking = _booking(bill)
    goes_on = bill.retry_at is not None
    then = (
        f"The card is asked again on {bill.retry_at:%Y-%m-%d} by itself."
        if goes_on
        else "The card is not asked again by itself: ask it once more, or write to the guest."
    )
    return Stuck(
        subject=f"debt:{bill.pk}",
        row=bill,
        since=bill.owed_since or bill.created_at,
        amount=bill.owed,
        words=f"It was used and not paid. {then}",
        booking=booking,
        remedies=((booking, "retry"),) if booking else (),
        needs_somebody=not goes_on,
    )


def _events(now: datetime) -> QuerySet[WebhookEvent]:
    rows = WebhookEvent.objects.filter(handled_at=None, received_at__lt=now - ANSWER_WITHIN)
    return _not_dealt_with(rows, "event").order_by("received_at", "pk")


def _of_event(event: WebhookEvent, now: datetime) -> Stuck:
    return Stuck(
        subject=f"event:{event.pk}",
        row=event,
        since=event.received_at,
        amount=None,
        words=f"The processor told of {event.type}, and every try to carry that out has failed.",
        booking=None,
        remedies=((event, "handle"),),
    )


def _discrepancies(now: datetime) -> QuerySet[Discrepancy]:
    begun = Cast(Floor(Extract("found_at", "epoch")), TextField())
    rows = _not_dealt_with(Discrepancy.objects.filter(ended_at=None), "discrepancy", suffix=begun)
    return rows.select_related("charge__bill__booking").order_by("found_at", "pk")


def _of_discrepancy(row: Discrepancy, now: datetime) -> Stuck:
    return Stuck(
        subject=f"discrepancy:{row.pk}:{int(row.found_at.timestamp())}",
        row=row,
        since=row.found_at,
        amount=None if row.amount_minor is None else Money(row.amount_minor, row.currency),
        words=f"Our ledger and the processor's differ: {row.text}.",
        booking=None if row.charge is None else _booking(row.charge.bill),
    )


SORTS: Iterable[Sort] = (
    Sort("failed_refund", "Refunds that failed", _refunds_failed, _of_refund_failed),
    Sort("kept", "Paid, and called off", _kept, _of_kept),
    Sort("dispute", "Disputes", _disputes, _of_dispute),
    Sort("debt", "Used and not paid", _debts, _of_debt, urgent=Q(retry_at=None)),
    Sort("charge", "Payments without an answer", _charges, _of_charge),
    Sort("refund", "Refunds without an answer", _refunds_under_way, _of_refund_under_way),
    Sort("event", "The processor's messages that are not carried out", _events, _of_event),
    Sort("discrepancy", "Differences to the processor's ledger", _discrepancies, _of_discrepancy),
)
# Which of them staff can call settled: what the ledger itself will not show as over.
CAN_BE_DEALT_WITH = frozenset({"failed_refund", "kept", "dispute", "debt", "event", "discrepancy"})
