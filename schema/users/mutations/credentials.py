"""Passwords and email addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.users.actions import credentials
from schema.core.limits import RESET
from schema.core.mutations import Mutation
from schema.core.permissions import anyone, signed_in
from schema.users.guesses import mailed_token, own_password
from schema.users.payloads import (
    ChangeEmailPayload,
    ChangePasswordPayload,
    RequestPasswordResetPayload,
    ResendVerificationPayload,
    ResetPasswordPayload,
    VerifyEmailPayload,
    one_time_code,
    show_as,
    show_tokens,
)

if TYPE_CHECKING:
    from schema.core.context import Context


class ChangePasswordInput(graphene.InputObjectType):
    """A new password."""

    current_password = graphene.String(required=True, description="The password until now.")
    new_password = graphene.String(required=True, description="8 to 128 characters, hard to guess.")


class RequestPasswordResetInput(graphene.InputObjectType):
    """Who lost a password."""

    email = graphene.String(required=True, description="The address of the account.")


class ResetPasswordInput(graphene.InputObjectType):
    """A new password, with the proof from a mail."""

    token = graphene.String(required=True, description="What stands in the link of the mail.")
    new_password = graphene.String(required=True, description="8 to 128 characters, hard to guess.")
    one_time_code = one_time_code()


class VerifyEmailInput(graphene.InputObjectType):
    """The proof from a mail."""

    token = graphene.String(required=True, description="What stands in the link of the mail.")


class ResendVerificationInput(graphene.InputObjectType):
    """Nothing is needed."""

    client_mutation_id = graphene.String(description="Of no effect.")


class ChangeEmailInput(graphene.InputObjectType):
    """Another address."""

    new_email = graphene.String(required=True, description="The new address.")
    password = graphene.String(required=True, description="The password.")


class ChangePassword(Mutation):
    """Set another password. Every other session ends, and this one goes on with new tokens."""

    permission = signed_in
    input_type = ChangePasswordInput
    payload_type = ChangePasswordPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        viewer = context.require_user()
        with own_password(context):
            pair = credentials.change_password(
                viewer=viewer,
                current_password=data.current_password,
                new_password=data.new_password,
                user_agent=context.user_agent,
                now=context.now,
            )
        return show_tokens(context, pair)


class RequestPasswordReset(Mutation):
    """Get a mail with a link to set a new password. The answer is the same whether there is such an account or not."""

    permission = anyone
    input_type = RequestPasswordResetInput
    payload_type = RequestPasswordResetPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        RESET.spend_by(context)
        credentials.request_password_reset(email=data.email)
        return {"accepted": True}


class ResetPassword(Mutation):
    """Set a new password with the link of a mail, and sign in. Every session until now ends."""

    permission = anyone
    input_type = ResetPasswordInput
    payload_type = ResetPasswordPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        RESET.spend_by(context)
        with mailed_token(context):
            pair = credentials.reset_password(
                token=data.token,
                new_password=data.new_password,
                one_time_code=data.get("one_time_code"),
                user_agent=context.user_agent,
                now=context.now,
            )
        return show_tokens(context, pair) if pair is not None else {}


class VerifyEmail(Mutation):
    """Confirm an email address with the link of a mail."""

    permission = anyone
    input_type = VerifyEmailInput
    payload_type = VerifyEmailPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        RESET.spend_by(context)
        with mailed_token(context):
            user = credentials.verify_email(token=data.token, now=context.now)
        if context.user is None or context.user.pk != user.pk:
            # The link proves a mailbox and signs nobody in: the rest of the request is still whoever sent it.
            return {"viewer": user}
        user.current_session = context.user.current_session
        return show_as(context, user)


class ResendVerification(Mutation):
    """Get the mail that verifies your address again."""

    permission = signed_in
    input_type = ResendVerificationInput
    payload_type = ResendVerificationPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        RESET.spend_by(context)
        return {"sent": credentials.resend_verification(viewer=context.require_user(), now=context.now)}


class ChangeEmail(Mutation):
    """Use another address. It takes effect when the link in a mail to it is followed; the old address is told."""

    permission = signed_in
    input_type = ChangeEmailInput
    payload_type = ChangeEmailPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        viewer = context.require_user()
        # Each may send a mail to anybody's address.
        RESET.spend_by(context)
        with own_password(context):
            credentials.change_email(viewer=viewer, new_email=data.new_email, password=data.password, now=context.now)
        return {"sent": True}
