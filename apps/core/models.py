"""What every app leans on: the outbox and the memory of idempotency keys."""

from django.db import models
from django.db.models.functions import Now


class OutboxMessage(models.Model):
    """A job that was promised in a transaction. Sent after commit, or by a beat task later; a row that is sent is deleted.

    `luggage` names the request that promised it, and its trace, for the logs of the job.
    """

    task = models.CharField(max_length=100)
    arguments = models.JSONField(default=dict)
    luggage = models.JSONField(default=dict, db_default={})
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.task} {self.pk}"


class PromisedJob(models.Model):
    """A job that nothing else remembers, until a worker has done it. Where none is heard of by `look_again_at`, it is sent
    again.
    """

    task = models.CharField(max_length=100)
    arguments = models.JSONField(default=dict)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    look_again_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["look_again_at"], name="promised_job_due")]

    def __str__(self) -> str:
        return f"{self.task} {self.pk}"


class IdempotencyKey(models.Model):
    """The same key from the same caller within 24 hours answers the same result.

    `caller` names the operation and who called it, `fingerprint` is a digest of the cleaned input, `result` is the
    primary key of what came out of it.
    """

    caller = models.CharField(max_length=400)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    result = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once_per_caller")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"
