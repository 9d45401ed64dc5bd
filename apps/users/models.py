"""Accounts, their sessions, and the other proofs of who somebody is."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.crypto import salted_hmac


class UserRole(models.TextChoices):
    """What an account may do; staff may do everything."""

    GUEST = "GUEST"
    HOST = "HOST"
    STAFF = "STAFF"


class UserQueries(BaseUserManager["User"]):
    """Creates accounts for Django's own commands; everybody else goes through actions."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.with_email(username or "").get()

    def with_email(self, email: str) -> models.QuerySet["User"]:
        """The account with this address, if any, in any case; in the words of the unique index."""
        wanted = email.strip().lower()
        return self.alias(lower_email=Lower("email")).filter(~models.Q(email=""), lower_email=wanted)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, role=UserRole.STAFF, is_superuser=True, **fields)


# Types are not known of the device that a second factor is.
class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]
    """An account. `email` is stored in lower case; it is "" for nobody but an account that was deleted or imported."""

    email = models.EmailField(max_length=254, blank=True)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    phone_number = models.CharField(max_length=20, blank=True)
    profile_picture = models.ImageField(upload_to="profiles/", null=True, blank=True)
    role = models.CharField(max_length=10, choices=UserRole.choices, default=UserRole.GUEST)
    is_active = models.BooleanField(default=True)
    email_verified_at = models.DateTimeField(null=True, blank=True)
    # Part of every access token: raising it ends them all at once.
    token_version = models.PositiveIntegerField(default=0)
    joined_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # Where an imported account came from: hosts and reviewers of public data, without name or email.
    source = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=100, blank=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserQueries()

    # Not stored: the session whose access token this caller sent, set by the selector that accepted the token.
    current_session: "Session | None" = None

    class Meta:
        permissions = [("end_sessions", "Can sign accounts out everywhere")]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_once", condition=~models.Q(email="")),
            models.UniqueConstraint(
                fields=["source", "external_id"], name="user_imported_once", condition=~models.Q(external_id="")
            ),
        ]
        indexes = [models.Index(fields=["-joined_at", "-id"], name="user_newest")]

    def __str__(self) -> str:
        return f"user {self.pk}"

    @property
    def is_staff(self) -> bool:
        """Django admin's door: open to the staff role."""
        return self.role == UserRole.STAFF

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session of Django admin hangs on: signing out everywhere ends those too, as a new password does."""
        hashed: str = salted_hmac(
            "users.User.session", f"{self.password}:{self.token_version}", secret=secret, algorithm="sha256"
        ).hexdigest()
        return hashed

    @property
    def display_name(self) -> str:
        """What everybody may see: "Ada L."."""
        initial = f"{self.last_name[0]}." if self.last_name else ""
        return f"{self.first_name} {initial}".strip()


class Session(models.Model):
    """One sign-in on one device: a family of refresh tokens of which only the newest is good."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    device = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    # A keyed digest of the network it was opened from: tells a place that the owner has been from one of strangers.
    network = models.CharField(max_length=64, blank=True)
    # When a code of the second factor was given for it, or an issuer that is believed about staff vouched for the person.
    second_factor_at = models.DateTimeField(null=True, blank=True)

    # Not stored: what the access token says with which this session's caller came.
    access_payload: dict[str, Any] | None = None

    class Meta:
        indexes = [
            models.Index(fields=["user", "-last_used_at"], name="session_of_user"),
            models.Index(fields=["user", "network"], name="session_of_network"),
        ]

    def __str__(self) -> str:
        return f"session {self.pk}"


class RefreshToken(models.Model):
    """A single-use token of a session; the database knows its SHA-256 only."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="refresh_token_age")]

    def __str__(self) -> str:
        return f"refresh token {self.pk}"


class MailPurpose(models.TextChoices):
    """What a link in a mail lets its reader do."""

    VERIFY_EMAIL = "VERIFY_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105


class MailToken(models.Model):
    """A single-use token that leaves by mail. It is derived from the nonce and the secret key, and never stored itself."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="mail_tokens")
    purpose = models.CharField(max_length=20, choices=MailPurpose.choices)
    # The address that the mail goes to; what the token proves is that its holder reads that mailbox.
    email = models.EmailField(max_length=254)
    nonce = models.CharField(max_length=64)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "purpose", "-created_at"], name="mail_token_of_user"),
            models.Index(fields=["expires_at"], name="mail_token_age"),
        ]

    def __str__(self) -> str:
        return f"mail token {self.pk}"


class TrustedIdentity(models.Model):
    """The account of a person whom a trusted issuer knows under `subject`."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="trusted_identities")
    issuer = models.CharField(max_length=100)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="trusted_identity_once")]
        verbose_name_plural = "trusted identities"

    def __str__(self) -> str:
        return f"{self.issuer} identity {self.pk}"


class UsedAssertion(models.Model):
    """An issuer's token that was exchanged; it is refused from then on. Kept until it would have expired anyway."""

    issuer = models.CharField(max_length=100)
    token_id = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "token_id"], name="assertion_used_once")]
        indexes = [models.Index(fields=["expires_at"], name="used_assertion_age")]

    def __str__(self) -> str:
        return f"assertion {self.pk}"
