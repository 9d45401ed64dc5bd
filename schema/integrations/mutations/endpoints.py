"""Registering addresses that are told of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.integrations import actions
from apps.integrations.models import EventType
from schema.core.inputs import REFUSED, text, value
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import host
from schema.integrations.types import WebhookEndpoint, WebhookEventType, read_endpoint_id

if TYPE_CHECKING:
    from schema.core.context import Context

URL = (
    "Where to: an https address on the internet, without a password. Outside production http and this machine do, too."
)


class CreateWebhookEndpointInput(graphene.InputObjectType):
    """An address and what it wants to know."""

    url = text(2_000, required=True, description=URL)
    events = graphene.List(
        graphene.NonNull(WebhookEventType), required=True, description="What it is told of; at least one."
    )
    description = text(200, description="What to call it.")


class UpdateWebhookEndpointInput(graphene.InputObjectType):
    """What to change of an endpoint; what is left out stays."""

    endpoint_id = graphene.ID(required=True, description="The endpoint.")
    url = text(2_000, required=True, null=REFUSED, description=URL)
    events = value(
        graphene.List(graphene.NonNull(WebhookEventType)), null=REFUSED, description="What it is told of; at least one."
    )
    description = text(200, null=REFUSED, description="What to call it.")
    enabled = value(
        graphene.Boolean,
        null=REFUSED,
        description="Turned off, it is sent nothing; what happens meanwhile can be replayed for 30 days.",
    )


class WebhookEndpointIdInput(graphene.InputObjectType):
    """Names an endpoint."""

    endpoint_id = graphene.ID(required=True, description="The endpoint.")


class RotateWebhookSecretInput(graphene.InputObjectType):
    """Whose secret is replaced, and how fast."""

    endpoint_id = graphene.ID(required=True, description="The endpoint.")
    end_old_now = graphene.Boolean(
        default_value=False,
        description="Sign with the new secret alone at once, when the old one has leaked, instead of with both for a day.",
    )


class WebhookEndpointPayload(Payload):
    """An endpoint, or why nothing was changed."""

    endpoint = graphene.Field(WebhookEndpoint, description="The endpoint as it is now.")


class WebhookSecretPayload(Payload):
    """An endpoint with its secret, or why nothing was changed."""

    endpoint = graphene.Field(WebhookEndpoint, description="The endpoint as it is now.")
    secret = graphene.String(description="The secret that messages are signed with, whsec_...; it is shown only here.")


class DeleteWebhookEndpointPayload(Payload):
    """Whether the endpoint is gone, or why it is not."""

    deleted = graphene.Boolean(required=True, description="Whether it is gone.")


class CreateWebhookEndpoint(Mutation):
    """Have an address told of events: of your listings or, for staff, of all. The secret is shown this once."""

    permission = host
    input_type = CreateWebhookEndpointInput
    payload_type = WebhookSecretPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        endpoint, secret = actions.create_endpoint(
            viewer=context.require_user(),
            url=data.url,
            types=_types(data.events),
            description=data.get("description") or "",
            now=context.now,
        )
        return {"endpoint": endpoint, "secret": secret}


class UpdateWebhookEndpoint(Mutation):
    """Change an endpoint, or turn it on or off."""

    permission = host
    input_type = UpdateWebhookEndpointInput
    payload_type = WebhookEndpointPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        events = data.get("events")
        endpoint = actions.update_endpoint(
            viewer=context.require_user(),
            endpoint_id=read_endpoint_id(data.endpoint_id),
            url=data.get("url"),
            types=None if events is None else _types(events),
            description=data.get("description"),
            is_enabled=data.get("enabled"),
            now=context.now,
        )
        return {"endpoint": endpoint}


class DeleteWebhookEndpoint(Mutation):
    """Forget an endpoint and all that it was sent."""

    permission = host
    input_type = WebhookEndpointIdInput
    payload_type = DeleteWebhookEndpointPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        actions.delete_endpoint(
            viewer=context.require_user(), endpoint_id=read_endpoint_id(data.endpoint_id), now=context.now
        )
        return {"deleted": True}


class RotateWebhookSecret(Mutation):
    """Replace the secret of an endpoint. For a day messages carry a signature of each, so that nothing is refused meanwhile."""

    permission = host
    input_type = RotateWebhookSecretInput
    payload_type = WebhookSecretPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        endpoint, secret = actions.rotate_secret(
            viewer=context.require_user(),
            endpoint_id=read_endpoint_id(data.endpoint_id),
            ends_old=bool(data.get("end_old_now")),
            now=context.now,
        )
        return {"endpoint": endpoint, "secret": secret}


def _types(given: list[Any]) -> list[EventType]:
    return [EventType(getattr(each, "value", each)) for each in given]
