"""Calendars of other houses that block our listings."""

from django.db import models

from apps.listings.models import Listing


class ImportedCalendar(models.Model):
    """An outside iCal feed. Its blocks carry `name` as their source; what it said last stands until it says otherwise."""

    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="calendars")
    name = models.CharField(max_length=150)
    url = models.CharField(max_length=2000)
    created_at = models.DateTimeField()
    next_sync_at = models.DateTimeField()
    last_synced_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listing", "name"], name="calendar_name_once")]
        indexes = [models.Index(fields=["next_sync_at"], name="calendar_due")]

    def __str__(self) -> str:
        return f"calendar {self.pk}"
