"""Messages from staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.notifications import actions
from schema.core.ids import read_global_id
from schema.core.inputs import text
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import staff

if TYPE_CHECKING:
    from schema.core.context import Context


class SendNotificationInput(graphene.InputObjectType):
    """A message and whom it is for."""

    user_ids = graphene.List(graphene.NonNull(graphene.ID), required=True, description="Who gets it; each once.")
    title = text(200, required=True, description="The message in a line, at most 200 characters.")
    body = text(5_000, required=True, description="The message, at most 5,000 characters of plain text.")
    idempotency_key = graphene.String(
        description="8 to 200 characters; the same key within 24 hours sends nothing again and answers the same."
    )


class SendNotificationPayload(Payload):
    """How many people will be told, or why nobody will."""

    accepted = graphene.Int(required=True, description="How many people it will reach.")


class SendNotification(Mutation):
    """Send a message to people; for staff. A worker delivers it."""

    permission = staff
    input_type = SendNotificationInput
    payload_type = SendNotificationPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        accepted = actions.send_notification(
            sender=context.require_user(),
            recipient_ids=[read_global_id(each, "User", "Viewer") for each in data.user_ids],
            title=data.title,
            body=data.body,
            idempotency_key=data.get("idempotency_key"),
            now=context.now,
        )
        return {"accepted": accepted}
