"""What the signed-in person was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.notifications.preferences import Preference, locale_of, preferences_of
from apps.notifications.selectors import notifications_of, unread_count
from schema.core.pagination import NEWEST, Connection, connection_field, paginate, read_page
from schema.notifications.types import NotificationConnection, NotificationPreference

if TYPE_CHECKING:
    from apps.users.models import User
    from schema.core.context import Info


class ViewerNotifications:
    """Mixed into Viewer. `parent` is the account."""

    notifications = connection_field(
        NotificationConnection,
        unread_only=graphene.Boolean(default_value=False, description="Only what is not marked read."),
        description="What this person was told, newest first.",
    )
    unread_notifications = graphene.Int(required=True, description="How many are not marked read.")
    notification_preferences = graphene.List(
        graphene.NonNull(NotificationPreference),
        required=True,
        description="Which types of notification this person is told of, in each channel that a type is told in.",
    )
    locale = graphene.String(
        required=True,
        description="How amounts are written in this person's mails: a language tag such as en or de-CH.",
    )

    def resolve_notifications(parent: User, info: Info, **arguments: Any) -> Connection:
        rows = notifications_of(viewer=parent, unread_only=bool(arguments.get("unread_only")))
        return paginate(rows, NEWEST, read_page(info, arguments, owner=parent.pk))

    def resolve_unread_notifications(parent: User, info: Info) -> int:
        return unread_count(viewer=parent)

    def resolve_notification_preferences(parent: User, info: Info) -> list[Preference]:
        return preferences_of(viewer=parent)

    def resolve_locale(parent: User, info: Info) -> str:
        return locale_of(user_id=parent.pk)
