"""What people were told long ago."""

from datetime import datetime

from django.db.models import QuerySet

from apps.core.retention import Rule, days
from apps.notifications.models import Announcement, Letter, Notification


def _notifications(now: datetime) -> QuerySet[Notification]:
    return Notification.objects.filter(created_at__lt=now - days("notifications"))


def _announcements(now: datetime) -> QuerySet[Announcement]:
    return Announcement.objects.filter(delivered_at__isnull=False, created_at__lt=now - days("notifications"))


def _letters(now: datetime) -> QuerySet[Letter]:
    return Letter.objects.filter(next_try_at=None, created_at__lt=now - days("letters"))


RULES = (
    Rule("notifications", "what accounts were told, older than KEEP_NOTIFICATIONS_DAYS", _notifications),
    Rule("announcements", "messages of staff that were delivered, as old", _announcements),
    Rule("letters", "mails that left or were given up, older than KEEP_LETTERS_DAYS", _letters),
)
