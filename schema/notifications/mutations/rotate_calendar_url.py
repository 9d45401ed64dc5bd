"""Another address for the feed of one's bookings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.notifications.preferences import next_feed
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import signed_in

if TYPE_CHECKING:
    from schema.core.context import Context


class RotateCalendarUrlInput(graphene.InputObjectType):
    """Nothing is needed."""

    client_mutation_id = graphene.String(description="Of no effect.")


class RotateCalendarUrlPayload(Payload):
    """Whose feed got another address, or why it did not."""

    viewer = graphene.Field("schema.users.types.Viewer", description="You, with the new address.")


class RotateCalendarUrl(Mutation):
    """Give the iCal feed of your bookings another secret address. The one before opens nothing any more."""

    permission = signed_in
    input_type = RotateCalendarUrlInput
    payload_type = RotateCalendarUrlPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        viewer = context.require_user()
        next_feed(viewer=viewer, now=context.now)
        return {"viewer": viewer}
