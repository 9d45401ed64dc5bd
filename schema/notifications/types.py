"""What people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.bookings.models import Booking as BookingRow
from apps.bookings.selectors import visible_bookings
from apps.notifications.models import Notification as NotificationRow
from apps.notifications.models import NotificationChannel as Channel
from apps.notifications.models import NotificationType as Type
from apps.notifications.selectors import visible_notifications
from schema.core.nodes import Node, register_node
from schema.core.pagination import connection_type
from schema.core.scalars import DateTime

if TYPE_CHECKING:
    from schema.core.context import Context, Info

TYPE_DESCRIPTIONS = {
    "BOOKING_CONFIRMED": "A booking is confirmed; to guest and host.",
    "BOOKING_CHANGED": "A booking was changed or moved; to guest and host.",
    "BOOKING_CANCELED": "A booking was canceled; to guest and host.",
    "BOOKING_REMINDER": "It begins within a day, or parking is about to end; to the guest.",
    "BOOKING_ENDED": "A booking is over; to the guest.",
    "PAYMENT_FAILED": "A payment was refused; to the guest.",
    "PAYMENT_REFUNDED": "Money goes back; to the guest.",
    "REVIEW_RECEIVED": "Somebody reviewed a listing; to its host.",
    "REVIEW_REPLIED": "The host answered a review; to its author.",
    "CALENDAR_CONFLICT": "An imported calendar blocks what is booked; to the host.",
    "MESSAGE": "From staff.",
}

NotificationType = graphene.Enum.from_enum(
    Type,
    name="NotificationType",
    description=lambda each: "What a notification is about." if each is None else TYPE_DESCRIPTIONS[each.value],
)

CHANNEL_DESCRIPTIONS = {
    "EMAIL": "By mail.",
    "IN_APP": "Among your notifications, and live through `notificationReceived`.",
}

NotificationChannel = graphene.Enum.from_enum(
    Channel,
    name="NotificationChannel",
    description=lambda each: "A way of telling people." if each is None else CHANNEL_DESCRIPTIONS[each.value],
)


def bookings_by_id(context: Context, booking_ids: list[int]) -> dict[int, BookingRow]:
    """Those of the bookings that the caller's account may see."""
    return visible_bookings(viewer=context.user, ids=booking_ids)


class Notification(graphene.ObjectType):
    """Something you are told."""

    class Meta:
        interfaces = (Node,)

    type = graphene.Field(NotificationType, required=True, description="What it is about.")
    title = graphene.String(required=True, description="What happened, in a line.")
    body = graphene.String(required=True, description="More about it, as plain text.")
    booking = graphene.Field(
        "schema.bookings.types.Booking", description="The booking it is about; null without one that you may see."
    )
    read_at = DateTime(description="When you marked it read; null before.")
    created_at = DateTime(required=True, description="When it happened.")

    def resolve_booking(notification: NotificationRow, info: Info) -> Any:
        pk = notification.booking_id
        return None if pk is None else info.context.load(bookings_by_id, pk)


NotificationConnection = connection_type(Notification)


class NotificationPreference(graphene.ObjectType):
    """Whether you are told of a type of notification in a channel."""

    type = graphene.Field(NotificationType, required=True, description="The type.")
    channel = graphene.Field(NotificationChannel, required=True, description="The way of telling you.")
    enabled = graphene.Boolean(required=True, description="Whether you are told of it so.")
    required = graphene.Boolean(
        required=True,
        description="Whether it cannot be turned off, since you must learn of it: your money, your bookings.",
    )


def notifications_for_node(context: Context, pks: list[int]) -> dict[int, NotificationRow]:
    """Those of the notifications that are the caller's."""
    return visible_notifications(viewer=context.user, ids=pks)


register_node(Notification, notifications_for_node, model=NotificationRow)
