"""Where somebody has to look after the money of a booking."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.bookings.models import Booking
from apps.bookings.selectors import debts
from apps.payments.models import DISPUTE_TAKES_BACK, OPEN_STATUSES, Charge, ChargeStatus, Dispute, Refund, RefundStatus

# A payer may take their time with the bank; the processor and our workers do not take so long.
STUCK_AFTER = timedelta(minutes=10)
STATES = (
    ("debt", "Used and not paid"),
    ("stuck", "Under way for long"),
    ("refund_failed", "A refund failed"),
    ("disputed", "Taken back by the bank"),
)


def with_money(state: str, bookings: QuerySet[Booking], *, now: datetime) -> QuerySet[Booking]:
    """Those of the bookings whose money is in one of the STATES; all of them for any other text."""
    of_booking: Any = {"bill": OuterRef("bill")}
    refunds = Refund.objects.filter(charge__bill=OuterRef("bill"))
    long_ago = Q(updated_at__lt=now - STUCK_AFTER)
    match state:
        case "debt":
            return bookings.filter(pk__in=debts().values("pk"))
        case "stuck":
            asked = Charge.objects.filter(long_ago, **of_booking, status__in=OPEN_STATUSES)
            asked = asked.exclude(status=ChargeStatus.REQUIRES_ACTION)
            return bookings.filter(Exists(asked) | Exists(refunds.filter(long_ago, status=RefundStatus.PENDING)))
        case "refund_failed":
            return bookings.filter(Exists(refunds.filter(status=RefundStatus.FAILED)))
        case "disputed":
            disputes = Dispute.objects.filter(charge__bill=OuterRef("bill"), status__in=DISPUTE_TAKES_BACK)
            return bookings.filter(Exists(disputes))
        case _:
            return bookings
