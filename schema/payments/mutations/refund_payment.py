"""refundPayment."""

from __future__ import annotations

from typing import Any

import graphene

from apps.bookings.actions import refund
from apps.bookings.selectors import bookings_of_bills
from apps.core.money import Money
from schema.bookings.inputs import idempotency_key
from schema.core.context import Context
from schema.core.ids import read_global_id
from schema.core.inputs import OMITTED, value
from schema.core.limits import PAYMENT
from schema.core.mutations import Mutation
from schema.core.permissions import signed_in
from schema.listings.values import MoneyInput
from schema.payments.payload import PaymentPayload, payment_payload


class RefundPaymentInput(graphene.InputObjectType):
    """A payment, and how much of it goes back."""

    payment_id = graphene.ID(required=True, description="The payment.")
    amount = value(MoneyInput, null=OMITTED, description="How much; all that is left unless said.")
    reason = value(graphene.String, null=OMITTED, description="Why; kept with the refund.")
    idempotency_key = idempotency_key()


class RefundPayment(Mutation):
    """Give money back; for the host of the listing and staff. The booking stays as it is."""

    permission = signed_in
    input_type = RefundPaymentInput
    payload_type = PaymentPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        PAYMENT.spend_by(context, "refund:")
        given = data.get("amount")
        charge = refund(
            viewer=context.require_user(),
            payment_id=read_global_id(data["payment_id"], "Payment"),
            amount=Money(given["amount_minor"], given["currency"]) if given else None,
            reason=data.get("reason", ""),
            idempotency_key=data.get("idempotency_key"),
            now=context.now,
        )
        booking = bookings_of_bills([charge.bill_id])[charge.bill_id]
        return payment_payload(context, charge=charge, booking=booking, access_token=None)
