"""An account: as everybody sees it (`User`), and as its owner does (`Viewer`). Both are shown from the same row."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import graphene

from apps.core.pictures import picture_url
from apps.users.models import User as UserRow
from apps.users.models import UserRole as Role
from apps.users.selectors import sessions_of
from schema.accounts.viewer import ViewerExport
from schema.bookings.calendar import ViewerCalendar
from schema.bookings.viewer import ViewerBookings
from schema.core.ids import to_global_id
from schema.core.nodes import Node, register_model, register_node
from schema.core.pagination import Connection, connection_field, connection_type, read_page
from schema.core.scalars import DateTime
from schema.integrations.viewer import ViewerWebhooks
from schema.listings.host_stats import ViewerHosting
from schema.notifications.viewer import ViewerNotifications
from schema.payments.viewer import ViewerCards
from schema.users.loaders import deals_with_viewer, listing_pages, profiles_by_id, written_review_pages

if TYPE_CHECKING:
    from apps.users.models import Session as SessionRow
    from schema.core.context import Context, Info
    from schema.core.loaders import Deferred

ROLE_DESCRIPTIONS = {
    "GUEST": "May book.",
    "HOST": "May book, and list things.",
    "STAFF": "May do everything.",
}

UserRole = graphene.Enum.from_enum(
    Role,
    name="UserRole",
    description=lambda role: "What an account may do." if role is None else ROLE_DESCRIPTIONS[role.value],
)


def is_open_to(context: Context, user: UserRow) -> bool:
    """Whether the caller sees all of the account: the person, and staff."""
    return context.is_staff or (context.user is not None and context.user.pk == user.pk)


class User(graphene.ObjectType):
    """A person, as others see them."""

    class Meta:
        interfaces = (Node,)

    email = graphene.String(description="The email address; null but to the person and staff.")
    first_name = graphene.String(required=True, description="The first name.")
    last_name = graphene.String(
        required=True,
        description="The last name; empty but for the person, staff and the other side of a booking.",
    )
    display_name = graphene.String(required=True, description='The name for everybody, such as "Ada L.".')
    profile_picture = graphene.String(description="Where the picture is; null without one.")
    joined_at = DateTime(required=True, description="When the account was opened.")
    listings = connection_field(
        "schema.listings.types.ListingConnection",
        description="What this person offers, newest first: all of it to themselves and staff, to others what is published.",
    )
    reviews_written = connection_field(
        "schema.reviews.types.ReviewConnection", description="The reviews this person wrote, newest first."
    )

    def resolve_email(user: UserRow, info: Info) -> str | None:
        return (user.email or None) if is_open_to(info.context, user) else None

    def resolve_last_name(user: UserRow, info: Info) -> Any:
        if is_open_to(info.context, user):
            return user.last_name
        return "" if info.context.user is None or not user.last_name else _last_name(user, info)

    def resolve_profile_picture(user: UserRow, info: Info) -> str | None:
        return picture_url(str(user.profile_picture)) if user.profile_picture else None

    def resolve_listings(user: UserRow, info: Info, **arguments: object) -> Deferred[Connection | None]:
        return info.context.load(listing_pages, (user.pk, read_page(info, arguments, owner=user.pk)))

    def resolve_reviews_written(user: UserRow, info: Info, **arguments: object) -> Deferred[Connection | None]:
        return info.context.load(written_review_pages, (user.pk, read_page(info, arguments, owner=user.pk)))


async def _last_name(user: UserRow, info: Info) -> str:
    return user.last_name if await info.context.load(deals_with_viewer, user.pk) else ""


UserConnection = connection_type(User)


class Session(graphene.ObjectType):
    """A sign-in on one device."""

    id = graphene.ID(required=True, description="The id to end it by.")
    device = graphene.String(required=True, description="The program and system; empty when it did not say.")
    created_at = DateTime(required=True, description="When it was opened.")
    last_used_at = DateTime(required=True, description="When it was last renewed.")
    current = graphene.Boolean(required=True, description="Whether it is the one that asks.")

    def resolve_id(session: SessionRow, info: Info) -> str:
        return to_global_id("Session", session.pk)

    def resolve_current(session: SessionRow, info: Info) -> bool:
        user = info.context.user
        return user is not None and user.current_session is not None and user.current_session.pk == session.pk


class Viewer(
    ViewerBookings,
    ViewerCalendar,
    ViewerCards,
    ViewerNotifications,
    ViewerHosting,
    ViewerExport,
    ViewerWebhooks,
    graphene.ObjectType,
):
    """The signed-in account, with what only its owner sees."""

    class Meta:
        interfaces = (Node,)

    user = graphene.Field(User, required=True, description="The account as others see it.")
    email = graphene.String(required=True, description="The address to sign in with.")
    email_verified = graphene.Boolean(required=True, description="Whether the address is known to be this person's.")
    phone_number = graphene.String(required=True, description="The phone number; empty when none was given.")
    role = graphene.Field(UserRole, required=True, description="What the account may do.")
    created_at = DateTime(required=True, description="When the account was opened.")
    updated_at = DateTime(required=True, description="When the account was last changed.")
    last_sign_in_at = DateTime(description="When the owner last signed in; null before the first time.")
    sessions = graphene.List(
        graphene.NonNull(Session), required=True, description="Where the account is signed in, the latest used first."
    )

    def resolve_user(user: UserRow, info: Info) -> UserRow:
        return user

    def resolve_email_verified(user: UserRow, info: Info) -> bool:
        return user.email_verified_at is not None

    def resolve_created_at(user: UserRow, info: Info) -> Any:
        return user.joined_at

    def resolve_last_sign_in_at(user: UserRow, info: Info) -> Any:
        return user.last_login

    def resolve_sessions(user: UserRow, info: Info) -> list[SessionRow]:
        return sessions_of(viewer=user, now=info.context.now)


def own_account(context: Context, pks: list[int]) -> dict[int, UserRow]:
    """The caller's account as a Viewer, if it is asked for."""
    if context.user is None or context.user.pk not in pks:
        return {}
    # A copy, since the row itself may be shown as a User in the same answer.
    account = copy.copy(context.user)
    account.__dict__["shown_as"] = Viewer
    return {account.pk: account}


register_node(User, profiles_by_id)
register_node(Viewer, own_account)
register_model(UserRow, lambda row: row.__dict__.get("shown_as", User))
