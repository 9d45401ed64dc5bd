"""What one has read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.notifications import actions
from schema.core.ids import read_global_id
from schema.core.inputs import value
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import signed_in

if TYPE_CHECKING:
    from schema.core.context import Context


class MarkNotificationsReadInput(graphene.InputObjectType):
    """What was read."""

    ids = value(
        graphene.List(graphene.NonNull(graphene.ID)),
        description="Your notifications; left out or null: all of them, an empty list: none.",
    )


class MarkNotificationsReadPayload(Payload):
    """Whose notifications were marked, or why none were."""

    viewer = graphene.Field("schema.users.types.Viewer", description="You, with what is left unread.")


class MarkNotificationsRead(Mutation):
    """Mark notifications read; all of them or, when one is not yours, none."""

    permission = signed_in
    input_type = MarkNotificationsReadInput
    payload_type = MarkNotificationsReadPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        viewer = context.require_user()
        ids = data.get("ids")
        actions.mark_read(
            viewer=viewer,
            notification_ids=None if ids is None else [read_global_id(each, "Notification") for each in ids],
            now=context.now,
        )
        return {"viewer": viewer}
