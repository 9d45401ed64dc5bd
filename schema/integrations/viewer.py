"""The webhooks of the signed-in person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import graphene

from apps.integrations.selectors import endpoints_of
from schema.integrations.types import WebhookEndpoint

if TYPE_CHECKING:
    from apps.integrations.models import WebhookEndpoint as EndpointRow
    from apps.users.models import User
    from schema.core.context import Info


class ViewerWebhooks:
    """Mixed into Viewer. `parent` is the account."""

    webhook_endpoints = graphene.List(
        graphene.NonNull(WebhookEndpoint),
        required=True,
        description="The addresses that this person has told of events by webhook, the oldest first.",
    )

    def resolve_webhook_endpoints(parent: User, info: Info) -> list[EndpointRow]:
        return endpoints_of(owner=parent)
