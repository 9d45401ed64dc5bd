"""What an account says about its owner, and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.users.actions import accounts
from apps.users.models import UserRole as Role
from schema.core.ids import read_global_id
from schema.core.limits import UPLOAD
from schema.core.mutations import Mutation
from schema.core.permissions import signed_in, staff
from schema.core.scalars import Upload
from schema.users.payloads import (
    BecomeHostPayload,
    SetUserRolePayload,
    UpdateProfilePayload,
    UploadProfilePicturePayload,
    show_as,
)
from schema.users.types import UserRole

if TYPE_CHECKING:
    from schema.core.context import Context

# Each costs seconds of drawing.


class UpdateProfileInput(graphene.InputObjectType):
    """What is to change; what is left out stays."""

    first_name = graphene.String(description="The first name.")
    last_name = graphene.String(description="The last name.")
    phone_number = graphene.String(description="An optional + and 7 to 15 digits; empty or null takes it away.")


class UploadProfilePictureInput(graphene.InputObjectType):
    """A picture."""

    file = Upload(required=True, description="A PNG, JPEG or WebP of at most 5 MB, in a multipart request.")


class RemoveProfilePictureInput(graphene.InputObjectType):
    """Nothing is needed."""

    client_mutation_id = graphene.String(description="Of no effect.")


class BecomeHostInput(graphene.InputObjectType):
    """Nothing is needed."""

    client_mutation_id = graphene.String(description="Of no effect.")


class SetUserRoleInput(graphene.InputObjectType):
    """A role for somebody."""

    user_id = graphene.ID(required=True, description="Whose role.")
    role = graphene.InputField(UserRole, required=True, description="The role from now on.")


class UpdateProfile(Mutation):
    """Change your names or your phone number."""

    permission = signed_in
    input_type = UpdateProfileInput
    payload_type = UpdateProfilePayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        return show_as(context, accounts.update_profile(viewer=context.require_user(), changes=dict(data)))


class UploadProfilePicture(Mutation):
    """Show a picture of you. It is drawn anew, without the metadata it came with."""

    permission = signed_in
    input_type = UploadProfilePictureInput
    payload_type = UploadProfilePicturePayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        viewer = context.require_user()
        UPLOAD.spend_by(context)
        return show_as(context, accounts.upload_profile_picture(viewer=viewer, file=data.file))


class RemoveProfilePicture(Mutation):
    """Show no picture of you any more."""

    permission = signed_in
    input_type = RemoveProfilePictureInput
    payload_type = UpdateProfilePayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        return show_as(context, accounts.remove_profile_picture(viewer=context.require_user()))


class BecomeHost(Mutation):
    """List things from now on. The tokens you have stay good."""

    permission = signed_in
    input_type = BecomeHostInput
    payload_type = BecomeHostPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        return show_as(context, accounts.become_host(viewer=context.require_user(), now=context.now))


class SetUserRole(Mutation):
    """Give somebody a role; for staff, and never for oneself."""

    permission = staff
    input_type = SetUserRoleInput
    payload_type = SetUserRolePayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        user = accounts.set_user_role(
            viewer=context.require_user(),
            user_id=read_global_id(data.user_id, "User"),
            role=Role(getattr(data.role, "value", data.role)),
            now=context.now,
        )
        return {"user": user}
