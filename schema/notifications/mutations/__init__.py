"""Telling people, and marking what one was told."""

from schema.notifications.mutations.mark_notifications_read import MarkNotificationsRead
from schema.notifications.mutations.send_notification import SendNotification


class NotificationMutations:
    """Mixed into Mutation."""

    mark_notifications_read = MarkNotificationsRead.Field()
    send_notification = SendNotification.Field()
