"""What can be read of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.users.selectors import search_users
from schema.core.ids import read_global_id
from schema.core.pagination import Connection, connection_field, paginate, read_page
from schema.core.permissions import RootField, anyone, staff
from schema.users.loaders import NEWEST_ACCOUNTS, profiles_by_id
from schema.users.types import User, UserConnection, Viewer

if TYPE_CHECKING:
    from apps.users.models import User as UserRow
    from schema.core.context import Info


class UserQueries:
    """Mixed into Query."""

    me = RootField(Viewer, permission=anyone, description="The signed-in account; null when nobody is signed in.")
    user = RootField(
        User,
        id=graphene.ID(required=True, description="The id of the person."),
        permission=anyone,
        description="A person; null when there is none that you may see.",
    )
    users = connection_field(
        UserConnection,
        permission=staff,
        search=graphene.String(description="Part of the name or of the email, in any case."),
        description="Accounts, newest first; for staff.",
    )

    def resolve_me(root: None, info: Info) -> UserRow | None:
        return info.context.user

    def resolve_user(root: None, info: Info, id: str) -> Any:  # noqa: A002
        pk = read_global_id(id, "User")
        return None if pk is None else info.context.load(profiles_by_id, pk)

    def resolve_users(root: None, info: Info, **arguments: Any) -> Connection:
        rows = search_users(search=arguments.get("search"))
        return paginate(rows, NEWEST_ACCOUNTS, read_page(info, arguments))
