"""What the payment mutations answer."""

from __future__ import annotations

from typing import Any

import graphene

from apps.bookings.models import Booking as BookingRow
from apps.payments.models import Charge
from schema.bookings import loaders
from schema.bookings.secrets import remember_secret
from schema.bookings.types import Booking
from schema.core.context import Context
from schema.core.mutations import Payload
from schema.payments.types import Payment


class PaymentPayload(Payload):
    """The payment and its booking, or why there is none."""

    payment = graphene.Field(Payment, description="The payment as it is now; its outcome comes later.")
    booking = graphene.Field(Booking, description="The booking as it is now.")


def payment_payload(
    context: Context, *, charge: Charge | None, booking: BookingRow, access_token: str | None
) -> dict[str, Any]:
    """The payload; remembers the secret, so that the payer sees what only the payer may."""
    remember_secret(context, booking, access_token)
    context.loaders.prime(loaders.bookings_by_bill, {booking.bill_id: booking})
    return {"payment": charge, "booking": booking}
