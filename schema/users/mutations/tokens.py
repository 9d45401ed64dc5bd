"""tokenAuth, verifyToken, refreshToken and revokeToken, in the shape of django-graphql-jwt.

Types and arguments are that library's, so that its clients work as they are. What it does behind them is replaced: sessions with
hashed, rotating refresh tokens instead of tokens in plain text, and a verification that asks the database. Failures are top-level
errors: INVALID_CREDENTIALS, INVALID_TOKEN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene
from graphql_jwt.mixins import JSONWebTokenMixin, VerifyMixin
from graphql_jwt.refresh_token.mixins import RevokeMixin

from apps.core.errors import InvalidToken
from apps.users.actions import sessions
from apps.users.callers import viewer_for_access_token
from schema.core.permissions import RootField, anyone
from schema.core.scalars import JSON
from schema.users.guesses import sign_in_of
from schema.users.payloads import one_time_code

if TYPE_CHECKING:
    from apps.users.tokens import TokenPair
    from schema.core.context import Info

LARGEST_INT = 2**31 - 1


def payload_field() -> graphene.Field:
    return graphene.Field(
        JSON,
        required=True,
        description="What the access token says: `sub` the account, `exp` and `iat` in seconds since 1970.",
    )


def refresh_token_argument() -> graphene.String:
    return graphene.String(description="The refresh token.")


def root_field(mutation: Any) -> RootField:
    """The library's field, nullable, open to everybody, with a description."""
    return RootField(
        mutation._meta.output,
        args=mutation._meta.arguments,
        resolver=mutation._meta.resolver,
        permission=anyone,
        description=mutation.purpose,
    )


class Tokens(JSONWebTokenMixin):
    """What both a sign-in and a refresh answer."""

    token = graphene.String(required=True, description="The access token, for `Authorization: Bearer`.")
    payload = payload_field()
    refresh_token = graphene.String(required=True, description="The refresh token; keep it secret. It is good once.")
    refresh_expires_in = graphene.Int(
        required=True, description="When the refresh token runs out, in seconds since 1970."
    )


def shown(pair: TokenPair) -> dict[str, Any]:
    return {
        "token": pair.access_token,
        "payload": pair.payload,
        "refresh_token": pair.refresh_token,
        "refresh_expires_in": min(int(pair.refresh_expires_at.timestamp()), LARGEST_INT),
    }


class ObtainJSONWebToken(Tokens, graphene.Mutation):
    """The tokens of a new session."""

    purpose = (
        "Sign in. An unknown email, a wrong password and a closed account answer alike. Where the password is right and the "
        "account has a second factor, a code that is missing or wrong is told by INVALID_CREDENTIALS with `extensions.field` "
        '`["oneTimeCode"]`.'
    )

    class Arguments:
        email = graphene.String(required=True, description="The email address, in any case.")
        password = graphene.String(required=True, description="The password.")
        one_time_code = one_time_code()

    @staticmethod
    def mutate(
        _root: None, info: Info, *, email: str, password: str, one_time_code: str | None = None
    ) -> ObtainJSONWebToken:
        with sign_in_of(info.context, email):
            pair = sessions.sign_in(
                email=email,
                password=password,
                one_time_code=one_time_code,
                user_agent=info.context.user_agent,
                now=info.context.now,
            )
        return ObtainJSONWebToken(**shown(pair))


class Verify(VerifyMixin, graphene.Mutation):
    """What a good access token says."""

    purpose = "Check an access token, or without one that of the request: signature, time, session and account."

    payload = payload_field()

    class Arguments:
        token = graphene.String(description="The access token.")

    @staticmethod
    def mutate(_root: None, info: Info, *, token: str | None = None) -> Verify:
        if token is None:
            session = info.context.session
        else:
            session = viewer_for_access_token(token=token, now=info.context.now).current_session
        if session is None:
            raise InvalidToken("A token is needed.")
        return Verify(payload=session.access_payload)


class Refresh(Tokens, graphene.Mutation):
    """The next tokens of a session."""

    purpose = (
        "Exchange a refresh token for new tokens. It is good once: used again, it ends its session, but for two requests that "
        "were under way together."
    )

    class Arguments:
        refresh_token = refresh_token_argument()

    @staticmethod
    def mutate(_root: None, info: Info, *, refresh_token: str | None = None) -> Refresh:
        pair = sessions.refresh(refresh_token=refresh_token or "", now=info.context.now)
        return Refresh(**shown(pair))


class Revoke(RevokeMixin, graphene.Mutation):
    """When a session was ended."""

    purpose = "End the session of a refresh token, with all its tokens."

    revoked = graphene.Int(required=True, description="When it was ended, in seconds since 1970.")

    class Arguments:
        refresh_token = refresh_token_argument()

    @staticmethod
    def mutate(_root: None, info: Info, *, refresh_token: str | None = None) -> Revoke:
        ended_at = sessions.revoke(refresh_token=refresh_token or "", now=info.context.now)
        return Revoke(revoked=int(ended_at.timestamp()))
