"""A booking as its guest, its host and staff see it."""

from __future__ import annotations

from typing import Any

import graphene

from apps.bookings.models import Booking as BookingRow
from apps.bookings.models import BookingEvent as BookingEventRow
from apps.bookings.selectors import visible_bookings
from apps.bookings.states import OPENS_ADDRESS
from apps.bookings.states import Actor as ActorName
from apps.bookings.states import BookingEventType as EventName
from apps.bookings.states import BookingStatus as StatusName
from apps.bookings.terms import refundable
from apps.payments.models import ChargeStatus
from schema.bookings import loaders
from schema.bookings.secrets import is_guest
from schema.core.context import Context, Info
from schema.core.nodes import Node, register_node
from schema.core.pagination import connection_type
from schema.core.scalars import JSON, Date, DateTime
from schema.listings.loaders import open_address
from schema.listings.values import Money, Period, PriceLine


def describe(texts: dict[Any, str], whole: str) -> Any:
    """The description function of an enum made from Python's."""
    return lambda value: whole if value is None else texts[value.value]


BookingStatus = graphene.Enum.from_enum(
    StatusName,
    name="BookingStatus",
    description=describe(
        {
            "PENDING": "Held, and free again at `expiresAt` unless paid.",
            "CONFIRMED": "Paid, or the card is saved, or it costs nothing.",
            "CHECKED_IN": "The guest is there.",
            "COMPLETED": "Over.",
            "CANCELED": "Canceled by guest, host or staff.",
            "EXPIRED": "The hold ran out.",
            "NO_SHOW": "The guest never came.",
        },
        "Where a booking is in its life.",
    ),
)
BookingEventType = graphene.Enum.from_enum(
    EventName,
    name="BookingEventType",
    description=describe(
        {
            "HELD": "The place was taken for a while.",
            "CONFIRMED": "The booking stands.",
            "CHANGED": "Period, tickets or guests were changed.",
            "CHECKED_IN": "The guest arrived.",
            "CHECKED_OUT": "The guest left.",
            "ENDED": "The driver left.",
            "COMPLETED": "The booking is over.",
            "CANCELED": "The booking was canceled.",
            "EXPIRED": "The hold ran out.",
            "NO_SHOW": "The guest never came.",
            "PAYMENT_STARTED": "A payment was accepted for processing.",
            "PAYMENT_SUCCEEDED": "A payment, or the saving of a card, succeeded.",
            "PAYMENT_FAILED": "A payment failed.",
            "REFUNDED": "Money went back.",
        },
        "What happened to a booking.",
    ),
)
Actor = graphene.Enum.from_enum(
    ActorName,
    name="Actor",
    description=describe(
        {
            "GUEST": "Who booked.",
            "HOST": "Whose listing it is.",
            "STAFF": "Our staff.",
            "SYSTEM": "The system by itself.",
        },
        "Who did it.",
    ),
)
PaymentStatus = graphene.Enum.from_enum(
    ChargeStatus,
    name="PaymentStatus",
    description=describe(
        {
            "PENDING": "Accepted, not yet begun.",
            "PROCESSING": "With the card processor.",
            "REQUIRES_ACTION": "The payer has to authenticate at `nextActionUrl`.",
            "AUTHORIZED": "The card is saved; it is charged when the booking ends.",
            "SUCCEEDED": "The money is here.",
            "FAILED": "Refused; `failureCode` says why.",
            "CANCELED": "Given up before it succeeded.",
            "REFUNDED": "All of it went back.",
            "PARTIALLY_REFUNDED": "A part of it went back.",
        },
        "What became of a payment.",
    ),
)


class BookingEvent(graphene.ObjectType):
    """Something that happened to a booking."""

    at = DateTime(required=True, description="When.")
    type = graphene.Field(BookingEventType, required=True, description="What.")
    actor = graphene.Field(Actor, required=True, description="Who.")
    data = JSON(required=True, description="More about it, only what guest and host may both see.")

    def resolve_type(parent: BookingEventRow, info: Info) -> str:
        return parent.type


class Booking(graphene.ObjectType):
    """A customer, a place in the calendar and a debt."""

    class Meta:
        interfaces = (Node,)

    reference = graphene.String(required=True, description="Short, random, safe to read out.")
    status = graphene.Field(BookingStatus, required=True, description="Where the booking is in its life.")
    listing = graphene.Field(
        "schema.listings.types.Listing", required=True, description="What was booked, also after it left the market."
    )
    guest = graphene.Field("schema.users.types.User", description="Who booked; null without an account.")
    email = graphene.String(required=True, description="Where the guest is written to.")
    period = graphene.Field(Period, required=True, description="When it is used.")
    check_in = Date(description="The day of arrival, of a property.")
    check_out = Date(description="The day of departure, of a property.")
    tickets = graphene.Int(description="How many tickets, of an event.")
    guests = graphene.Int(description="How many guests, of a property.")
    lines = graphene.List(graphene.NonNull(PriceLine), required=True, description="The price, itemised.")
    total = graphene.Field(Money, required=True, description="What the lines sum to.")
    refundable = graphene.Field(
        Money, required=True, description="What the guest would get back by canceling now, by the terms as booked."
    )
    payment_status = graphene.Field(
        PaymentStatus, description="That of the newest payment; null before the first payBooking."
    )
    payments = graphene.List(
        graphene.NonNull("schema.payments.types.Payment"), required=True, description="Its payments, oldest first."
    )
    expires_at = DateTime(description="While PENDING: when the hold ends.")
    created_at = DateTime(required=True, description="When it was held.")
    confirmed_at = DateTime(description="When it was confirmed.")
    checked_in_at = DateTime(description="When the guest checked in.")
    checked_out_at = DateTime(description="When the guest checked out.")
    canceled_at = DateTime(description="When it was canceled.")
    history = graphene.List(
        graphene.NonNull(BookingEvent), required=True, description="Who did what and when, oldest first."
    )
    ticket_code = graphene.String(description="Of an event, once confirmed: what the door scans.")

    def resolve_listing(parent: BookingRow, info: Info) -> Any:
        # An account's own bookings are found by the loader; one made without an account is known by its secret alone.
        if parent.status in OPENS_ADDRESS and is_guest(info.context, parent):
            open_address(info.context, parent.listing_id)
        return parent.listing

    def resolve_guest(parent: BookingRow, info: Info) -> Any:
        return parent.guest if parent.guest is not None and parent.guest.deleted_at is None else None

    def resolve_period(parent: BookingRow, info: Info) -> Any:
        return parent.span

    def resolve_total(parent: BookingRow, info: Info) -> Any:
        return parent.bill.total

    async def resolve_refundable(parent: BookingRow, info: Info) -> Any:
        history = await info.context.load(loaders.history_by_booking, parent.pk)
        return refundable(parent, now=info.context.now, history=history)

    def resolve_lines(parent: BookingRow, info: Info) -> Any:
        return info.context.load(loaders.lines_by_booking, parent.pk)

    def resolve_history(parent: BookingRow, info: Info) -> Any:
        return info.context.load(loaders.history_by_booking, parent.pk)

    def resolve_payments(parent: BookingRow, info: Info) -> Any:
        return info.context.load(loaders.payments_for(info), parent.bill_id)

    async def resolve_payment_status(parent: BookingRow, info: Info) -> str | None:
        payments = await info.context.load(loaders.payments_for(info), parent.bill_id)
        return payments[-1].status if payments else None


BookingConnection = connection_type(Booking)


def bookings_for_node(context: Context, pks: list[int]) -> dict[int, BookingRow]:
    """Those of the bookings that the caller's account may see."""
    return visible_bookings(viewer=context.user, ids=pks)


register_node(Booking, bookings_for_node, model=BookingRow)
