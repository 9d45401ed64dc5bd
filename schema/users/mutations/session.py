"""Opening an account or a session, and ending sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.core.network import network_of
from apps.users.actions import sessions
from apps.users.actions.accounts import sign_up
from apps.users.actions.trusted_sign_in import exchange_token
from schema.core.errors import Unauthenticated
from schema.core.ids import read_global_id
from schema.core.limits import SIGN_IN, SIGN_UP
from schema.core.mutations import Mutation
from schema.core.permissions import anyone, signed_in
from schema.users.guesses import mailed_token
from schema.users.payloads import AuthPayload, EndSessionPayload, SignOutPayload, show_tokens

if TYPE_CHECKING:
    from schema.core.context import Context


class SignUpInput(graphene.InputObjectType):
    """A new account."""

    email = graphene.String(required=True, description="The address to sign in with; stored in lower case.")
    password = graphene.String(required=True, description="8 to 128 characters, hard to guess.")
    first_name = graphene.String(required=True, description="The first name.")
    last_name = graphene.String(required=True, description="The last name.")
    phone_number = graphene.String(description="An optional + and 7 to 15 digits.")


class ExchangeTokenInput(graphene.InputObjectType):
    """A token of a trusted issuer."""

    issuer = graphene.String(required=True, description="The name of the issuer.")
    token = graphene.String(required=True, description="Its signed token, good once.")


class SignOutInput(graphene.InputObjectType):
    """Which session to end."""

    refresh_token = graphene.String(description="A token of the session; without it, the session that asks.")
    everywhere = graphene.Boolean(default_value=False, description="Whether to end all sessions of the account.")


class EndSessionInput(graphene.InputObjectType):
    """Which session to end."""

    id = graphene.ID(required=True, description="The id of one of your sessions.")


class SignUp(Mutation):
    """Open an account and sign in. A mail lets you verify the address."""

    permission = anyone
    input_type = SignUpInput
    payload_type = AuthPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        SIGN_UP.spend_by(context)
        pair = sign_up(
            email=data.email,
            password=data.password,
            first_name=data.first_name,
            last_name=data.last_name,
            phone_number=data.get("phone_number"),
            user_agent=context.user_agent,
            now=context.now,
        )
        return show_tokens(context, pair)


class ExchangeToken(Mutation):
    """Sign in with a token of a trusted issuer, after a redirect from its site."""

    permission = anyone
    input_type = ExchangeTokenInput
    payload_type = AuthPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        SIGN_IN.spend(f"exchange:{network_of(context.ip)}")
        with mailed_token(context):
            pair = exchange_token(issuer=data.issuer, token=data.token, user_agent=context.user_agent, now=context.now)
        return show_tokens(context, pair)


class SignOut(Mutation):
    """End the session that asks, the session of a refresh token, or all sessions of the account. Its tokens die at once."""

    permission = anyone
    input_type = SignOutInput
    payload_type = SignOutPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        refresh_token = data.get("refresh_token")
        if context.user is None and refresh_token is None:
            raise Unauthenticated
        sessions.sign_out(
            viewer=context.user,
            refresh_token=refresh_token,
            everywhere=bool(data.get("everywhere")),
            now=context.now,
        )
        return {"signed_out": True}


class EndSession(Mutation):
    """End one of your sessions, on whatever device. Its tokens die at once."""

    permission = signed_in
    input_type = EndSessionInput
    payload_type = EndSessionPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        viewer = context.require_user()
        sessions.end_session(viewer=viewer, session_id=read_global_id(data.id, "Session"), now=context.now)
        return {"viewer": viewer}
