"""Webhooks: addresses of integrators, what happened that they want to know, and how it was delivered to them."""

import secrets
import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class EventType(models.TextChoices):
    """What an integrator can be told of; the value is the `type` of the message."""

    BOOKING_HELD = "booking.held"
    BOOKING_CONFIRMED = "booking.confirmed"
    BOOKING_CHANGED = "booking.changed"
    BOOKING_CHECKED_IN = "booking.checked_in"
    BOOKING_CHECKED_OUT = "booking.checked_out"
    BOOKING_ENDED = "booking.ended"
    BOOKING_COMPLETED = "booking.completed"
    BOOKING_CANCELED = "booking.canceled"
    BOOKING_EXPIRED = "booking.expired"
    BOOKING_NO_SHOW = "booking.no_show"
    PAYMENT_STARTED = "payment.started"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_REFUNDED = "payment.refunded"
    REVIEW_CREATED = "review.created"
    REVIEW_UPDATED = "review.updated"
    REVIEW_DELETED = "review.deleted"
    REVIEW_REPLIED = "review.replied"
    REVIEW_HIDDEN = "review.hidden"
    LISTING_CREATED = "listing.created"
    LISTING_UPDATED = "listing.updated"
    LISTING_PUBLISHED = "listing.published"
    LISTING_ARCHIVED = "listing.archived"
    LISTING_DELETED = "listing.deleted"
    # Sent on demand alone.
    WEBHOOK_TEST = "webhook.test"


def new_nonce() -> str:
    return secrets.token_hex(16)


def new_event_id() -> str:
    return f"evt_{uuid.uuid4().hex}"


def new_delivery_id() -> str:
    return f"dlv_{uuid.uuid4().hex}"


class DisabledReason(models.TextChoices):
    """Why nothing is sent to an endpoint."""

    OWNER = "OWNER"
    STAFF = "STAFF"
    FAILING = "FAILING"
    GONE = "GONE"


class WebhookEndpoint(models.Model):
    """Where an account wants to be told of events: of its own listings or, opened by staff, of everybody's.

    Its secrets are derived: see `apps.integrations.signing`.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhook_endpoints")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    # Never changes: who loses the role is told nothing more, and who gains it does not send others' events to an old address.
    is_for_all = models.BooleanField(default=False)
    types = ArrayField(models.CharField(max_length=40, choices=EventType.choices))
    # What the secrets are derived from, beside the secret key and the version.
    nonce = models.CharField(max_length=64, default=new_nonce, editable=False)
    secret_version = models.PositiveIntegerField(default=1)
    # Until then what is sent is signed with the secret before as well.
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=10, choices=DisabledReason.choices, blank=True)
    # Since when every try has failed; how many tries in a row; until when it is left alone.
    failing_since = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    paused_until = models.DateTimeField(null=True, blank=True)
    last_tried_at = models.DateTimeField(null=True, blank=True)
    last_delivered_at = models.DateTimeField(null=True, blank=True)
    # Somebody is sending to it until then, at the latest.
    leased_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(types__len__gt=0), name="webhook_endpoint_wants_something"),
            models.CheckConstraint(
                condition=Q(disabled_at=None, disabled_reason="")
                | (Q(disabled_at__isnull=False) & ~Q(disabled_reason="")),
                name="webhook_endpoint_disabled_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "id"], name="webhook_endpoint_of_owner"),
            models.Index(fields=["id"], condition=Q(is_for_all=True), name="webhook_endpoint_for_all"),
        ]

    def __str__(self) -> str:
        return f"webhook endpoint {self.pk}"


class WebhookEvent(models.Model):
    """Something that happened and that somebody wants to be told, written in its transaction.

    `host_id` is whose listing it is about: a plain number, what happened stands whatever becomes of the account. `topic`
    names what it is about ("booking:5"). `data` is how that looked then; it names no guest.
    """

    public_id = models.CharField(max_length=40, unique=True, default=new_event_id)
    type = models.CharField(max_length=40, choices=EventType.choices)
    version = models.PositiveSmallIntegerField()
    host_id = models.BigIntegerField()
    topic = models.CharField(max_length=60)
    data = models.JSONField()
    at = models.DateTimeField()
    # When a delivery was made for everybody who wanted one.
    fanned_out_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(fanned_out_at=None), name="webhook_event_new"),
            models.Index(fields=["at"], name="webhook_event_age"),
            models.Index(fields=["topic"], name="webhook_event_topic"),
        ]

    def __str__(self) -> str:
        return self.public_id


class DeliveryStatus(models.TextChoices):
    """PENDING is tried until it is DELIVERED or, after three days, FAILED. SKIPPED: its endpoint was off."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint; there is one of them, however often it is tried.

    `tries` counts since `started_at`, when it was made or last replayed.
    """

    public_id = models.CharField(max_length=40, unique=True, default=new_delivery_id)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries")
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="webhook_delivery_once"),
            models.CheckConstraint(
                condition=Q(status="PENDING", next_try_at__isnull=False) | (~Q(status="PENDING") & Q(next_try_at=None)),
                name="webhook_delivery_waits_or_is_over",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_try_at"], condition=Q(status="PENDING"), name="webhook_delivery_due"
            ),
            models.Index(fields=["endpoint", "event"], condition=Q(status="PENDING"), name="webhook_delivery_next"),
            models.Index(fields=["endpoint", "-created_at", "-id"], name="webhook_delivery_newest"),
        ]

    def __str__(self) -> str:
        return self.public_id


class WebhookAttempt(models.Model):
    """One try: the status that came back, or why none did, and the beginning of the answer."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.CharField(max_length=500, blank=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"], name="webhook_attempt_of_delivery")]

    def __str__(self) -> str:
        return f"attempt {self.pk}"
