"""The log of what happened, from which everybody who listens is told."""

from django.db import models
from django.db.models.functions import Now


class LiveEvent(models.Model):
    """Something that happened to what `topic` names ("booking:5", "availability:9", "notification:7").

    It is written in the transaction of the change, so that it is there exactly when the change is. `position` is given
    after the commit, in the order in which events became visible: whoever has seen a position has been able to see all
    below it. Primary keys do not promise that, since transactions overlap. Kept for a while, for those who come back.
    """

    topic = models.CharField(max_length=60)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now())
    position = models.BigIntegerField(null=True)
    # When the position was given: grows with it, as `at` does not where a transaction takes long.
    numbered_at = models.DateTimeField(db_default=Now())

    class Meta:
        # Only what has a position is in them, so that one entry is written with the change and the others with the number.
        constraints = [
            models.UniqueConstraint(
                fields=["position"], condition=models.Q(position__isnull=False), name="live_event_position_once"
            )
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(position=None), name="live_event_waiting"),
            models.Index(
                fields=["numbered_at", "position"],
                condition=models.Q(position__isnull=False),
                name="live_event_numbered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.pk}"
