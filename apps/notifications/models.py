"""What people are told, in their account and by mail: once for each fact."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class NotificationType(models.TextChoices):
    """What a notification is about."""

    BOOKING_CONFIRMED = "BOOKING_CONFIRMED"
    BOOKING_CHANGED = "BOOKING_CHANGED"
    BOOKING_CANCELED = "BOOKING_CANCELED"
    BOOKING_REMINDER = "BOOKING_REMINDER"
    BOOKING_ENDED = "BOOKING_ENDED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    PAYMENT_REFUNDED = "PAYMENT_REFUNDED"
    REVIEW_RECEIVED = "REVIEW_RECEIVED"
    REVIEW_REPLIED = "REVIEW_REPLIED"
    CALENDAR_CONFLICT = "CALENDAR_CONFLICT"
    MESSAGE = "MESSAGE"


class NotificationChannel(models.TextChoices):
    """A way in which people are told."""

    EMAIL = "EMAIL"
    IN_APP = "IN_APP"


class NotificationSettings(models.Model):
    """How one account wants to be told. Without a row: of everything, in every way, with numbers as in English.

    `muted` holds "TYPE:CHANNEL" for each that was turned off; `locale` is a BCP 47 tag. `feed_number` grows with every new
    address of the feed of their bookings.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="notification_settings"
    )
    muted = ArrayField(models.CharField(max_length=40), default=list)
    locale = models.CharField(max_length=35, blank=True)
    feed_number = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "notification settings"

    def __str__(self) -> str:
        return f"notification settings of user {self.user_id}"


class MutedAddress(models.Model):
    """That an address without an account wants no more mails of a sort. `address` is a digest: whose it is stays unsaid."""

    address = models.CharField(max_length=64)
    type = models.CharField(max_length=20, choices=NotificationType.choices)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "type"], name="address_muted_once")]
        verbose_name_plural = "muted addresses"

    def __str__(self) -> str:
        return f"muted address {self.pk}"


class Notification(models.Model):
    """Something one account is told. `key` names the fact, so that nobody is told of it twice."""

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    type = models.CharField(max_length=20, choices=NotificationType.choices)
    title = models.CharField(max_length=200)
    body = models.TextField()
    booking = models.ForeignKey(
        "bookings.Booking", on_delete=models.SET_NULL, null=True, blank=True, related_name="notifications"
    )
    key = models.CharField(max_length=120)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "key"], name="notification_once_per_fact")]
        indexes = [
            models.Index(fields=["recipient", "-created_at", "-id"], name="notification_newest"),
            models.Index(
                fields=["recipient", "-created_at", "-id"], condition=Q(read_at=None), name="notification_unread"
            ),
        ]

    def __str__(self) -> str:
        return f"notification {self.pk}"


class Announcement(models.Model):
    """A message from staff to many people; a worker makes their notifications of it."""

    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="announcements"
    )
    title = models.CharField(max_length=200)
    body = models.TextField()
    recipients = ArrayField(models.BigIntegerField())
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], condition=Q(delivered_at=None), name="announcement_waiting"),
        ]

    def __str__(self) -> str:
        return f"announcement {self.pk}"


class Reminder(models.Model):
    """That a booking's guest was reminded of this moment. Moved to another time, they are reminded again."""

    booking = models.ForeignKey("bookings.Booking", on_delete=models.CASCADE, related_name="reminders")
    moment = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["booking", "moment"], name="reminder_once_per_moment")]

    def __str__(self) -> str:
        return f"reminder of booking {self.booking_id}"


class Letter(models.Model):
    """A mail to be sent, written down with the fact it tells of. `key` names fact and reader: there is one mail of it.

    `data` is what it says or, until it is first tried, may be what that is made of: see `letters.word_later`.
    `next_try_at` is set while it has not left; a letter that was given up has `failed_at` instead of `sent_at`.
    """

    key = models.CharField(max_length=120)
    to = models.EmailField(max_length=254)
    template = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    booking = models.ForeignKey(
        "bookings.Booking", on_delete=models.SET_NULL, null=True, blank=True, related_name="letters"
    )
    created_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        permissions = [("resend_letter", "Can send mails again")]
        constraints = [
            # In the order of their characters, so that the copies of a mail are found by what their keys begin with.
            models.UniqueConstraint(fields=["key"], opclasses=["varchar_pattern_ops"], name="letter_key_once"),
            models.CheckConstraint(
                condition=Q(next_try_at__isnull=False, sent_at=None, failed_at=None)
                | Q(next_try_at=None, sent_at__isnull=False, failed_at=None)
                | Q(next_try_at=None, sent_at=None, failed_at__isnull=False),
                name="letter_waits_or_left_or_failed",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="letter_waiting"),
            models.Index(fields=["-failed_at"], condition=Q(failed_at__isnull=False), name="letter_dead"),
        ]

    def __str__(self) -> str:
        return f"letter {self.pk}"
