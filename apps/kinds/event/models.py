"""What an event has beyond a listing."""

from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Func, Q

from apps.listings.models import Listing


class Event(models.Model):
    """Tickets for one period. How many are left is the availability ledger's counter, not here."""

    listing = models.OneToOneField(Listing, on_delete=models.CASCADE, primary_key=True, related_name="event")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    venue = models.CharField(max_length=300)
    total_tickets = models.PositiveIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="event_ends_after_start")]
        indexes = [
            models.Index(fields=["starts_at", "listing"], name="event_start"),
            GistIndex(Func(F("starts_at"), F("ends_at"), function="tstzrange"), name="event_period"),
        ]

    def __str__(self) -> str:
        return f"event {self.pk}"
