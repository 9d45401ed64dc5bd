"""removeCard."""

from __future__ import annotations

from typing import Any

import graphene

from apps.payments.cards import remove_card
from schema.core.context import Context
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import signed_in


class RemoveCardInput(graphene.InputObjectType):
    """Which card to forget."""

    id = graphene.ID(required=True, description="The id of one of your cards.")


class RemoveCardPayload(Payload):
    """The account, or why no card was forgotten."""

    viewer = graphene.Field("schema.users.types.Viewer", description="The account.")


class RemoveCard(Mutation):
    """Forget one of your cards. It cannot be charged any more; refused while a booking is still to be charged to it."""

    permission = signed_in
    input_type = RemoveCardInput
    payload_type = RemoveCardPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        viewer = context.require_user()
        remove_card(viewer=viewer, card_id=data.id)
        return {"viewer": viewer}
