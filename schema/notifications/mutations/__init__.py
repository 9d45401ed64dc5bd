"""Telling people, how they want to be told, and marking what one was told."""

from schema.notifications.mutations.mark_notifications_read import MarkNotificationsRead
from schema.notifications.mutations.rotate_calendar_url import RotateCalendarUrl
from schema.notifications.mutations.send_notification import SendNotification
from schema.notifications.mutations.update_notification_preferences import UpdateNotificationPreferences


class NotificationMutations:
    """Mixed into Mutation."""

    mark_notifications_read = MarkNotificationsRead.Field()
    update_notification_preferences = UpdateNotificationPreferences.Field()
    rotate_calendar_url = RotateCalendarUrl.Field()
    send_notification = SendNotification.Field()
