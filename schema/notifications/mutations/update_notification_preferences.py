"""How one wants to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.core.errors import Collector, Invalid
from apps.notifications.preferences import Wish, update_preferences
from schema.core.inputs import REFUSED, text, value
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import signed_in
from schema.notifications.types import NotificationChannel, NotificationType

if TYPE_CHECKING:
    from schema.core.context import Context

MOST = 100


class NotificationPreferenceInput(graphene.InputObjectType):
    """Whether you want to be told of a type of notification in a channel."""

    type = graphene.InputField(NotificationType, required=True, description="The type.")
    channel = graphene.InputField(NotificationChannel, required=True, description="The way of telling you.")
    enabled = graphene.Boolean(required=True, description="Whether you want to be told of it so.")


class UpdateNotificationPreferencesInput(graphene.InputObjectType):
    """What changes; what is left out stays."""

    preferences = value(
        graphene.List(graphene.NonNull(NotificationPreferenceInput)),
        description="At most 100 wishes; of several for the same type and channel the last counts.",
    )
    locale = text(
        35,
        required=True,
        null=REFUSED,
        description="How amounts are written in your mails: a language tag such as en or de-CH.",
    )


class UpdateNotificationPreferencesPayload(Payload):
    """Whose preferences were changed, or why none were."""

    viewer = graphene.Field("schema.users.types.Viewer", description="You, with the preferences as they are now.")


class UpdateNotificationPreferences(Mutation):
    """Say which types of notification you want, by mail and in your account. What is required cannot be turned off."""

    permission = signed_in
    input_type = UpdateNotificationPreferencesInput
    payload_type = UpdateNotificationPreferencesPayload

    @classmethod
    def check(cls, context: Context, data: Any, problems: Collector) -> None:
        if len(data.get("preferences") or []) > MOST:
            problems.add(Invalid(f"preferences must have at most {MOST} entries.", field="preferences"))

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        viewer = context.require_user()
        wishes = [Wish(each.type, each.channel, enabled=each.enabled) for each in data.get("preferences") or []]
        update_preferences(viewer=viewer, wishes=wishes, locale=data.get("locale"), now=context.now)
        return {"viewer": viewer}
