"""Webhooks as their owner sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.integrations import payloads
from apps.integrations.models import DeliveryStatus as Status
from apps.integrations.models import DisabledReason as Reason
from apps.integrations.models import EventType as Type
from apps.integrations.models import WebhookAttempt as AttemptRow
from apps.integrations.models import WebhookDelivery as DeliveryRow
from apps.integrations.models import WebhookEndpoint as EndpointRow
from schema.core.ids import read_global_id, to_global_id
from schema.core.pagination import connection_field, connection_type, read_page
from schema.core.scalars import JSON, DateTime
from schema.integrations.loaders import attempts_by_delivery, delivery_pages

if TYPE_CHECKING:
    from schema.core.context import Info

STATUS_DESCRIPTIONS = {
    "PENDING": "On its way; tried again until it is taken, for three days.",
    "DELIVERED": "Taken: the endpoint answered with a status of 200 to 299.",
    "FAILED": "Given up after three days.",
    "SKIPPED": "Not sent, since the endpoint was turned off.",
}
REASON_DESCRIPTIONS = {
    "OWNER": "By its owner.",
    "STAFF": "By staff.",
    "FAILING": "Nothing got through to it for days.",
    "GONE": "It answered with status 410.",
}


def _type_description(each: Any) -> str:
    return "What a webhook tells of." if each is None else f"The message `{each.value}`."


WebhookEventType = graphene.Enum.from_enum(Type, name="WebhookEventType", description=_type_description)
WebhookDeliveryStatus = graphene.Enum.from_enum(
    Status,
    name="WebhookDeliveryStatus",
    description=lambda each: "What became of a message." if each is None else STATUS_DESCRIPTIONS[each.value],
)
WebhookDisabledReason = graphene.Enum.from_enum(
    Reason,
    name="WebhookDisabledReason",
    description=lambda each: "Why an endpoint was turned off." if each is None else REASON_DESCRIPTIONS[each.value],
)


class WebhookAttempt(graphene.ObjectType):
    """One try at delivering a message."""

    at = DateTime(required=True, description="When.")
    status_code = graphene.Int(description="The HTTP status that came back; null without an answer.")
    milliseconds = graphene.Int(required=True, description="How long it took.")
    answer = graphene.String(required=True, description="The first 500 bytes of the answer, as text.")
    error = graphene.String(required=True, description="Why there was no answer; empty where there was one.")

    def resolve_at(attempt: AttemptRow, info: Info) -> Any:
        return attempt.at


class WebhookDelivery(graphene.ObjectType):
    """A message to an endpoint."""

    id = graphene.ID(required=True, description="The `delivery_id` of the message.")
    event_id = graphene.ID(
        required=True,
        description="The `event_id` of the message, the same for every endpoint that is told of the event.",
    )
    type = graphene.Field(WebhookEventType, required=True, description="What it tells of.")
    status = graphene.Field(WebhookDeliveryStatus, required=True, description="What became of it.")
    payload = JSON(required=True, description="The message as it is sent.")
    attempts = graphene.List(
        graphene.NonNull(WebhookAttempt),
        required=True,
        description="When it was tried and what came back, oldest first.",
    )
    occurred_at = DateTime(required=True, description="When it happened.")
    created_at = DateTime(required=True, description="When the message was made.")
    next_try_at = DateTime(description="While PENDING: when it is tried next.")
    delivered_at = DateTime(description="When it was taken.")

    def resolve_id(delivery: DeliveryRow, info: Info) -> str:
        return delivery.public_id

    def resolve_event_id(delivery: DeliveryRow, info: Info) -> str:
        return delivery.event.public_id

    def resolve_type(delivery: DeliveryRow, info: Info) -> str:
        return delivery.event.type

    def resolve_payload(delivery: DeliveryRow, info: Info) -> payloads.Data:
        return payloads.body_of(delivery)

    def resolve_attempts(delivery: DeliveryRow, info: Info) -> Any:
        return info.context.load(attempts_by_delivery, delivery.pk)

    def resolve_occurred_at(delivery: DeliveryRow, info: Info) -> Any:
        return delivery.event.at


WebhookDeliveryConnection = connection_type(WebhookDelivery)


class WebhookEndpoint(graphene.ObjectType):
    """An address that is told of events by webhook."""

    id = graphene.ID(required=True, description="The id to change it by.")
    url = graphene.String(required=True, description="Where messages are sent.")
    description = graphene.String(required=True, description="What its owner calls it; may be empty.")
    events = graphene.List(graphene.NonNull(WebhookEventType), required=True, description="What it is told of.")
    all_listings = graphene.Boolean(
        required=True,
        description="Whether it is told of everybody's listings, as staff's endpoints are, or its owner's.",
    )
    enabled = graphene.Boolean(required=True, description="Whether it is sent anything.")
    disabled_at = DateTime(description="When it was turned off; null while it is on.")
    disabled_reason = graphene.Field(WebhookDisabledReason, description="Why it was turned off; null while it is on.")
    failing_since = DateTime(description="Since when nothing has got through; null when the last message did.")
    last_delivered_at = DateTime(description="When a message last got through.")
    previous_secret_until = DateTime(
        description="Until when messages are signed with the secret before the last as well; null when they are not."
    )
    created_at = DateTime(required=True, description="When it was registered.")
    updated_at = DateTime(required=True, description="When it was last changed.")
    deliveries = connection_field(
        WebhookDeliveryConnection,
        status=graphene.List(graphene.NonNull(WebhookDeliveryStatus), description="Only these."),
        description="What it was sent in the last 30 days, newest first.",
    )

    def resolve_id(endpoint: EndpointRow, info: Info) -> str:
        return to_global_id("WebhookEndpoint", endpoint.pk)

    def resolve_events(endpoint: EndpointRow, info: Info) -> list[str]:
        return endpoint.types

    def resolve_all_listings(endpoint: EndpointRow, info: Info) -> bool:
        return endpoint.is_for_all

    def resolve_enabled(endpoint: EndpointRow, info: Info) -> bool:
        return endpoint.disabled_at is None

    def resolve_disabled_reason(endpoint: EndpointRow, info: Info) -> str | None:
        return endpoint.disabled_reason or None

    def resolve_previous_secret_until(endpoint: EndpointRow, info: Info) -> Any:
        until = endpoint.previous_secret_until
        return until if until is not None and info.context.now < until else None

    def resolve_deliveries(endpoint: EndpointRow, info: Info, **arguments: Any) -> Any:
        given = arguments.get("status")
        statuses = None if given is None else tuple(sorted({getattr(each, "value", each) for each in given}))
        page = read_page(info, arguments, owner=endpoint.pk)
        return info.context.load(delivery_pages, (endpoint.pk, page, statuses))


def read_endpoint_id(value: object) -> int | None:
    """The key in an endpoint's id, else None."""
    return read_global_id(value, "WebhookEndpoint")
