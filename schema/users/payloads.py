"""What the account mutations answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from schema.core.mutations import Payload
from schema.users.types import User, Viewer

if TYPE_CHECKING:
    from apps.users.models import User as UserRow
    from apps.users.tokens import TokenPair
    from schema.core.context import Context


def viewer_field() -> graphene.Field:
    return graphene.Field(Viewer, description="The account as it is now.")


def token_field() -> graphene.String:
    return graphene.String(description="The access token, for `Authorization: Bearer`.")


def refresh_token_field() -> graphene.String:
    return graphene.String(description="The refresh token; keep it secret. It is shown once and good once.")


def one_time_code() -> graphene.String:
    return graphene.String(
        description="A code of the authenticator app or a backup code, where the account has a second factor. Good once."
    )


class AuthPayload(Payload):
    """A signed-in account with its tokens, or why there is none."""

    viewer = viewer_field()
    token = token_field()
    refresh_token = refresh_token_field()


class ChangePasswordPayload(Payload):
    """The tokens of the session that goes on, or why the password stays."""

    viewer = viewer_field()
    token = token_field()
    refresh_token = refresh_token_field()


class ResetPasswordPayload(Payload):
    """The tokens of a new session, or why the password stays. Staff that has to set up a second factor first gets no tokens."""

    viewer = viewer_field()
    token = token_field()
    refresh_token = refresh_token_field()


class SignOutPayload(Payload):
    """Whether the session has ended."""

    signed_out = graphene.Boolean(required=True, description="Whether it has ended.")


class VerifyEmailPayload(Payload):
    """The account with its verified address, or why it is not."""

    viewer = viewer_field()


class ResendVerificationPayload(Payload):
    """Whether a mail is under way."""

    sent = graphene.Boolean(required=True, description="Whether a mail is under way; false when all is verified.")


class RequestPasswordResetPayload(Payload):
    """Whether the request was accepted. That says nothing about whether there is an account."""

    accepted = graphene.Boolean(required=True, description="Whether it was accepted.")


class ChangeEmailPayload(Payload):
    """Whether a mail to the new address is under way."""

    sent = graphene.Boolean(required=True, description="Whether a mail is under way.")


class UpdateProfilePayload(Payload):
    """The account as it is now, or why nothing was changed."""

    viewer = viewer_field()


class UploadProfilePicturePayload(Payload):
    """The account with its picture, or why it was refused."""

    viewer = viewer_field()


class EndSessionPayload(Payload):
    """The account, or why no session was ended."""

    viewer = viewer_field()


class BecomeHostPayload(Payload):
    """The account, which is a host now."""

    viewer = viewer_field()


class SetUserRolePayload(Payload):
    """The account with its role, or why it was not changed."""

    user = graphene.Field(User, description="The account as it is now.")


def show_as(context: Context, user: UserRow) -> dict[str, Any]:
    """The payload's viewer. The rest of the request is answered to this account, as it is now."""
    context.user = user
    return {"viewer": user}


def show_tokens(context: Context, pair: TokenPair) -> dict[str, Any]:
    """The payload of whoever has just signed in; the rest of the request is answered to them."""
    context.session = pair.session
    return {**show_as(context, pair.user), "token": pair.access_token, "refresh_token": pair.refresh_token}
