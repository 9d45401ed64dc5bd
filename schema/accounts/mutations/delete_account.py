"""deleteAccount."""

from __future__ import annotations

from typing import Any

import graphene

from apps.accounts.actions import delete_account
from schema.core.context import Context
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import signed_in
from schema.users.guesses import own_password


class DeleteAccountInput(graphene.InputObjectType):
    """The proof that it is you."""

    password = graphene.String(required=True, description="The password.")


class DeleteAccountPayload(Payload):
    """Whether the account is gone, or why it is not."""

    deleted = graphene.Boolean(required=True, description="Whether it is gone.")


class DeleteAccount(Mutation):
    """Close your account for good. Bookings, reviews and payments stay without you, your listings are archived."""

    permission = signed_in
    input_type = DeleteAccountInput
    payload_type = DeleteAccountPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        viewer = context.require_user()
        with own_password(context):
            delete_account(viewer=viewer, password=data.password, now=context.now)
        # The rest of the request is nobody's.
        context.user = context.session = None
        return {"deleted": True}
