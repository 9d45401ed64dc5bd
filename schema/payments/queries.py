"""What staff ask about money."""

from __future__ import annotations

from typing import Any

import graphene

from apps.bookings.selectors import booking_for
from apps.notifications.models import Letter
from apps.notifications.selectors import letters_of
from apps.payments.trail import Trace, money_trail
from schema.core.context import Info
from schema.core.ids import read_global_id, to_global_id
from schema.core.permissions import RootField, staff
from schema.core.scalars import JSON, DateTime

# Only payments are objects of the schema; the rest is named alike.
ID_TYPES = {"CHARGE": "Payment", "REFUND": "Refund", "DISPUTE": "Dispute", "WEBHOOK": "Webhook", "MAIL": "Mail"}


class PaymentQueries:
    """Mixed into Query."""

    money_trail = RootField(
        JSON,
        required=True,
        booking_id=graphene.ID(required=True, description="The booking."),
        permission=staff,
        description="Every charge, refund, dispute, webhook and mail of a booking, oldest first; for staff.",
    )

    def resolve_money_trail(root: None, info: Info, booking_id: str) -> Any:
        booking, _ = booking_for(viewer=info.context.user, booking_id=read_global_id(booking_id, "Booking"))
        letters = [_of_letter(letter) for letter in letters_of(booking_id=booking.pk)]
        traces = sorted([*money_trail(booking.bill_id), *letters], key=lambda trace: trace.at)
        return [_told(trace) for trace in traces]


def _of_letter(letter: Letter) -> Trace:
    status = "SENT" if letter.sent_at else "FAILED" if letter.failed_at else "WAITING"
    return Trace(at=letter.created_at, kind="MAIL", pk=letter.pk, status=status, details=letter.template)


def _told(trace: Trace) -> dict[str, Any]:
    return {
        "at": DateTime.serialize(trace.at),
        "kind": trace.kind,
        "id": to_global_id(ID_TYPES[trace.kind], trace.pk),
        "status": trace.status,
        "amountMinor": trace.amount_minor,
        "currency": trace.currency,
        "processorIds": list(trace.processor_ids),
        "details": trace.details,
    }
