"""Where somebody has to look after the money of a booking."""

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from apps.bookings.models import Booking
from apps.bookings.selectors import debts
from apps.bookings.stuck import unanswered_charges, unanswered_refunds
from apps.payments.models import DISPUTE_TAKES_BACK, Dispute, Refund, RefundStatus

STATES = (
    ("debt", "Used and not paid"),
    ("stuck", "Under way for long"),
    ("refund_failed", "A refund failed"),
    ("disputed", "Taken back by the bank"),
)


def with_money(state: str, bookings: QuerySet[Booking], *, now: datetime) -> QuerySet[Booking]:
    """Those of the bookings whose money is in one of the STATES; all of them for any other text."""
    refunds = Refund.objects.filter(charge__bill=OuterRef("bill"))
    match state:
        case "debt":
            return bookings.filter(pk__in=debts().values("pk"))
        case "stuck":
            asked = unanswered_charges(now=now).filter(bill=OuterRef("bill"))
            given = unanswered_refunds(now=now).filter(charge__bill=OuterRef("bill"))
            return bookings.filter(Exists(asked) | Exists(given))
        case "refund_failed":
            return bookings.filter(Exists(refunds.filter(status=RefundStatus.FAILED)))
        case "disputed":
            disputes = Dispute.objects.filter(charge__bill=OuterRef("bill"), status__in=DISPUTE_TAKES_BACK)
            return bookings.filter(Exists(disputes))
        case _:
            return bookings
