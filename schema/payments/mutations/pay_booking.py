"""payBooking."""

from __future__ import annotations

from typing import Any

import graphene

from apps.bookings.actions import pay
from apps.bookings.selectors import booking_for
from schema.bookings.inputs import access_token, idempotency_key
from schema.bookings.secrets import OpensBooking
from schema.core.context import Context
from schema.core.ids import read_global_id
from schema.core.limits import PAYMENT
from schema.core.mutations import Mutation
from schema.core.permissions import anyone
from schema.payments.payload import PaymentPayload, payment_payload


class PayBookingInput(graphene.InputObjectType):
    """A booking and a card."""

    booking_id = graphene.ID(required=True, description="The booking.")
    access_token = access_token()
    payment_method = graphene.String(required=True, description="A Stripe PaymentMethod id, pm_...")
    idempotency_key = idempotency_key()


class PayBooking(OpensBooking, Mutation):
    """Pay what is owed for a booking. Accepted at once and carried out by a worker: the outcome is read later."""

    permission = anyone
    input_type = PayBookingInput
    payload_type = PaymentPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        PAYMENT.spend_by(context, "pay:")
        booking_id = read_global_id(data["booking_id"], "Booking")
        token = data.get("access_token")
        charge = pay(
            viewer=context.user,
            booking_id=booking_id,
            access_token=token,
            payment_method=data["payment_method"],
            idempotency_key=data.get("idempotency_key"),
            now=context.now,
        )
        booking, _ = booking_for(viewer=context.user, booking_id=booking_id, access_token=token)
        return payment_payload(context, charge=charge, booking=booking, access_token=token)
