"""Sending a test, and sending again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.integrations import actions
from schema.core.limits import WEBHOOKS, caller_of
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import host
from schema.core.scalars import DateTime
from schema.integrations.mutations.endpoints import WebhookEndpointIdInput
from schema.integrations.types import WebhookDelivery, read_endpoint_id

if TYPE_CHECKING:
    from schema.core.context import Context


class ReplayWebhookDeliveryInput(graphene.InputObjectType):
    """Names a message."""

    delivery_id = graphene.ID(required=True, description="The message, as its `delivery_id` names it.")


class ReplayWebhookDeliveriesInput(graphene.InputObjectType):
    """Which messages of an endpoint are sent again."""

    endpoint_id = graphene.ID(required=True, description="The endpoint.")
    from_ = DateTime(name="from", required=True, description="What happened from then on.")
    to = DateTime(required=True, description="What happened before then.")
    include_delivered = graphene.Boolean(
        default_value=False, description="What got through as well, not only what was given up or skipped."
    )


class WebhookDeliveryPayload(Payload):
    """A message, or why nothing is sent."""

    delivery = graphene.Field(WebhookDelivery, description="The message that is on its way.")


class ReplayWebhookDeliveriesPayload(Payload):
    """How many messages are sent again, or why none are."""

    accepted = graphene.Int(required=True, description="How many messages are on their way.")


class SendTestWebhook(Mutation):
    """Send an endpoint a message of the type `webhook.test`, to see whether it takes it."""

    permission = host
    input_type = WebhookEndpointIdInput
    payload_type = WebhookDeliveryPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        WEBHOOKS.spend(caller_of(context))
        delivery = actions.send_test(
            viewer=context.require_user(), endpoint_id=read_endpoint_id(data.endpoint_id), now=context.now
        )
        return {"delivery": delivery}


class ReplayWebhookDelivery(Mutation):
    """Send a message again under its ids, whatever became of it; it is tried for three days anew."""

    permission = host
    input_type = ReplayWebhookDeliveryInput
    payload_type = WebhookDeliveryPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        WEBHOOKS.spend(caller_of(context))
        delivery = actions.replay_delivery(viewer=context.require_user(), delivery_id=data.delivery_id, now=context.now)
        return {"delivery": delivery}


class ReplayWebhookDeliveries(Mutation):
    """Send again what happened in a span of time and did not get through, at most 10,000 messages."""

    permission = host
    input_type = ReplayWebhookDeliveriesInput
    payload_type = ReplayWebhookDeliveriesPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        WEBHOOKS.spend(caller_of(context))
        accepted = actions.replay_span(
            viewer=context.require_user(),
            endpoint_id=read_endpoint_id(data.endpoint_id),
            start=data.from_,
            end=data.to,
            is_everything=bool(data.get("include_delivered")),
            now=context.now,
        )
        return {"accepted": accepted}
