"""refreshPayment."""

from __future__ import annotations

from typing import Any

from apps.bookings.actions import refresh
from schema.bookings.inputs import BookingActionInput
from schema.bookings.secrets import OpensBooking
from schema.core.context import Context
from schema.core.ids import read_global_id
from schema.core.limits import PAYMENT
from schema.core.mutations import Mutation
from schema.core.permissions import anyone
from schema.payments.payload import PaymentPayload, payment_payload


class RefreshPayment(OpensBooking, Mutation):
    """Ask the card processor now about every open payment of a booking; answers with the newest."""

    permission = anyone
    input_type = BookingActionInput
    payload_type = PaymentPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        PAYMENT.spend_by(context, "refresh:")
        token = data.get("access_token")
        booking, charge = refresh(
            viewer=context.user,
            booking_id=read_global_id(data["booking_id"], "Booking"),
            access_token=token,
            now=context.now,
        )
        return payment_payload(context, charge=charge, booking=booking, access_token=token)
