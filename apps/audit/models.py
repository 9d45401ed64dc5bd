"""Who did what to whose account, from where. Rows are added and never changed: the database itself refuses it."""

from django.db import models


class AuditKind(models.TextChoices):
    """What happened."""

    SIGNED_UP = "SIGNED_UP"
    SIGNED_IN = "SIGNED_IN"
    SIGN_IN_REFUSED = "SIGN_IN_REFUSED"
    TRIES_LIMITED = "TRIES_LIMITED"
    ACCESS_REFUSED = "ACCESS_REFUSED"
    TOKEN_REUSED = "TOKEN_REUSED"  # noqa: S105
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105
    EMAIL_VERIFIED = "EMAIL_VERIFIED"
    ROLE_CHANGED = "ROLE_CHANGED"
    RIGHTS_CHANGED = "RIGHTS_CHANGED"
    GROUP_CHANGED = "GROUP_CHANGED"
    SESSIONS_ENDED = "SESSIONS_ENDED"
    SECOND_FACTOR_SET = "SECOND_FACTOR_SET"
    SECOND_FACTOR_PROVEN = "SECOND_FACTOR_PROVEN"
    SECOND_FACTOR_REFUSED = "SECOND_FACTOR_REFUSED"
    SECOND_FACTOR_RESET = "SECOND_FACTOR_RESET"
    EXPORTED = "EXPORTED"
    ACCOUNT_DELETED = "ACCOUNT_DELETED"
    BOOKING_CANCELED = "BOOKING_CANCELED"
    PAYMENT_REFUNDED = "PAYMENT_REFUNDED"
    CHARGE_RETRIED = "CHARGE_RETRIED"
    MAIL_SENT_AGAIN = "MAIL_SENT_AGAIN"
    PERIOD_BLOCKED = "PERIOD_BLOCKED"
    REVIEW_HIDDEN = "REVIEW_HIDDEN"
    REVIEW_SHOWN = "REVIEW_SHOWN"
    MONEY_DEALT_WITH = "MONEY_DEALT_WITH"
    WEBHOOK_REGISTERED = "WEBHOOK_REGISTERED"
    WEBHOOK_CHANGED = "WEBHOOK_CHANGED"
    WEBHOOK_REMOVED = "WEBHOOK_REMOVED"


class AuditEvent(models.Model):
    """One thing that happened.

    `user_id` is the account that it is about and `actor_id` the one that did it, None where nobody was signed in. Both are
    plain numbers: what happened stands, whatever becomes of the account. `data` holds neither secrets nor addresses.
    `subject` names what else it is about, as in "booking:5"; "" where it is about an account alone.
    """

    at = models.DateTimeField()
    kind = models.CharField(max_length=30, choices=AuditKind.choices)
    user_id = models.BigIntegerField(null=True, blank=True)
    actor_id = models.BigIntegerField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    data = models.JSONField(default=dict, blank=True)
    subject = models.CharField(max_length=60, blank=True, default="", db_default="")

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_newest"),
            models.Index(fields=["user_id", "-at", "-id"], name="audit_of_user"),
            models.Index(fields=["kind", "-at", "-id"], name="audit_of_kind"),
            models.Index(fields=["subject", "at", "id"], condition=~models.Q(subject=""), name="audit_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
