"""The second factor of members of the staff."""

from typing import ClassVar

from django.db import models
from django_otp.models import Device


class SecondFactor(Device):
    """An authenticator app that makes six digits from a secret and the time (RFC 6238), one for each account.

    The secret is kept encrypted, see `apps.staff.codes`. `last_step` is the step of 30 s of the last code that was taken:
    no code is taken twice. Until `confirmed` it was shown and nobody has proven yet that the app has it.
    """

    secret = models.CharField(max_length=200)
    last_step = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar["models.Manager[SecondFactor]"] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user"], name="second_factor_once_per_account")]
        permissions = [("see_revenue", "Can see what is earned")]

    def __str__(self) -> str:
        return f"second factor {self.pk}"


class BackupCode(models.Model):
    """A code for the day on which the telephone is lost; it opens once. The database knows a keyed digest only."""

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="backup_codes")
    code_hash = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["factor", "code_hash"], name="backup_code_once")]

    def __str__(self) -> str:
        return f"backup code {self.pk}"
