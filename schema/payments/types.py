"""A payment as its payer, the host and staff see it."""

from __future__ import annotations

from typing import Any

import graphene

from apps.bookings.policies import side_of
from apps.bookings.receipts import receipt_url
from apps.bookings.selectors import bookings_of_bills
from apps.payments.models import Charge, ChargeStatus
from apps.payments.models import PaymentTiming as Timing
from apps.payments.selectors import charges_by_id
from schema.bookings import loaders
from schema.bookings.secrets import is_guest
from schema.bookings.types import Booking, PaymentStatus, describe
from schema.core.context import Context, Info
from schema.core.nodes import Node, register_node
from schema.core.pagination import connection_type
from schema.core.scalars import DateTime
from schema.listings.values import Money

PaymentTiming = graphene.Enum.from_enum(
    Timing,
    name="PaymentTiming",
    description=describe(
        {"NOW": "At once.", "AT_END": "The card is saved, and charged when the booking ends."},
        "When the card is charged.",
    ),
)


class Payment(graphene.ObjectType):
    """One attempt to pay for a booking."""

    class Meta:
        interfaces = (Node,)

    booking = graphene.Field(Booking, required=True, description="What it pays for.")
    status = graphene.Field(PaymentStatus, required=True, description="What became of it.")
    timing = graphene.Field(PaymentTiming, required=True, description="When the card is charged.")
    amount = graphene.Field(Money, required=True, description="How much; with AT_END the estimate until the end.")
    refunded = graphene.Field(Money, required=True, description="How much of it went back.")
    receipt_number = graphene.String(description="Once succeeded: YYYY-NNNNNN, without gaps in a year.")
    receipt_url = graphene.String(
        description="Once succeeded: a page with the receipt, also as a PDF; opens without an account for a month."
    )
    card_brand = graphene.String(description="The brand of the card.")
    card_last4 = graphene.String(name="cardLast4", description="The last four digits of the card.")
    client_secret = graphene.String(description="While REQUIRES_ACTION, to the payer only: for Stripe.js.")
    next_action_url = graphene.String(
        description="While REQUIRES_ACTION, to the payer only: where the payer authenticates."
    )
    failure_code = graphene.String(description="When FAILED or CANCELED: Stripe's decline or error code.")
    created_at = DateTime(required=True, description="When it was accepted.")
    paid_at = DateTime(description="When it succeeded.")

    def resolve_booking(parent: Charge, info: Info) -> Any:
        return info.context.load(loaders.bookings_by_bill, parent.bill_id)

    def resolve_receipt_url(parent: Charge, info: Info) -> str | None:
        return receipt_url(parent, now=info.context.now)

    def resolve_card_brand(parent: Charge, info: Info) -> str | None:
        return parent.card_brand or None

    def resolve_card_last4(parent: Charge, info: Info) -> str | None:
        return parent.card_last4 or None

    def resolve_failure_code(parent: Charge, info: Info) -> str | None:
        return parent.failure_code or None

    async def resolve_client_secret(parent: Charge, info: Info) -> str | None:
        return await _to_the_payer(parent, parent.client_secret, info)

    async def resolve_next_action_url(parent: Charge, info: Info) -> str | None:
        return await _to_the_payer(parent, parent.next_action_url, info)


async def _to_the_payer(charge: Charge, value: str, info: Info) -> str | None:
    """What the payer needs to authenticate, as long as there is something to authenticate."""
    is_asked = charge.status == ChargeStatus.REQUIRES_ACTION
    return value or None if is_asked and await _is_payer(charge, info) else None


async def _is_payer(charge: Charge, info: Info) -> bool:
    """Whether the caller is the guest: by account, or by the secret that this request has shown for the booking."""
    booking = await info.context.load(loaders.bookings_by_bill, charge.bill_id)
    return booking is not None and is_guest(info.context, booking)


PaymentConnection = connection_type(Payment)


def payments_for_node(context: Context, pks: list[int]) -> dict[int, Charge]:
    """Those of the payments whose booking the caller's account may see."""
    charges = charges_by_id(pks)
    bookings = bookings_of_bills([charge.bill_id for charge in charges.values()])
    return {
        pk: charge
        for pk, charge in charges.items()
        if charge.bill_id in bookings and side_of(bookings[charge.bill_id], viewer=context.user) is not None
    }


register_node(Payment, payments_for_node, model=Charge)
