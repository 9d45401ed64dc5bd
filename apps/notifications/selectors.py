"""Reads of what people were told: always their own."""

from collections.abc import Iterable

from django.db.models import QuerySet

from apps.notifications.models import Letter, Notification, NotificationChannel, NotificationType
from apps.notifications.preferences import muting
from apps.users.models import User


def notifications_of(*, viewer: User, unread_only: bool = False) -> QuerySet[Notification]:
    """What the account was told, in no order yet."""
    rows = Notification.objects.filter(recipient=viewer)
    return rows.filter(read_at=None) if unread_only else rows


def unread_count(*, viewer: User) -> int:
    """How much of it the account has not read."""
    return notifications_of(viewer=viewer, unread_only=True).count()


def visible_notifications(*, viewer: User | None, ids: Iterable[int]) -> dict[int, Notification]:
    """Those of the notifications that are the viewer's, by id."""
    if viewer is None:
        return {}
    return {row.pk: row for row in Notification.objects.filter(recipient=viewer, pk__in=list(ids))}


def reachable_ids(*, ids: Iterable[int]) -> set[int]:
    """Those of the accounts that can be told something: open, and somebody's."""
    rows = User.objects.filter(pk__in=list(ids), is_active=True, deleted_at=None).exclude(email="")
    return set(rows.values_list("pk", flat=True))


def not_to_tell(*, ids: Iterable[int], key: str, type: NotificationType) -> set[int]:  # noqa: A002
    """Those of the accounts that were told of the fact already, or want to be told of none of its type. One statement."""
    wanted = list(ids)
    told = Notification.objects.filter(recipient__in=wanted, key=key).values_list("recipient_id")
    muted = muting(ids=wanted, type=type, channel=NotificationChannel.IN_APP).values_list("user_id")
    return {pk for (pk,) in told.union(muted)}


def notification_of_fact(*, viewer: User, key: str) -> Notification | None:
    """What the account was told of the fact."""
    return Notification.objects.filter(recipient=viewer, key=key).first()


def letters_of(*, booking_id: int) -> list[Letter]:
    """The mails about a booking, oldest first. Who may know of them is for the caller to decide."""
    return list(Letter.objects.filter(booking=booking_id).order_by("created_at", "pk"))
