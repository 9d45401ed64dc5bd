"""Calendars of other houses that block our listings, and the addresses at which others read ours."""

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
    # How often in a row it could not be read.
    failures = models.PositiveSmallIntegerField(default=0)
    # When it was last read as a whole, and by what to ask whether it has changed since.
    read_at = models.DateTimeField(null=True, blank=True)
    etag = models.CharField(max_length=200, blank=True)
    last_modified = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listing", "name"], name="calendar_name_once")]
        indexes = [models.Index(fields=["next_sync_at"], name="calendar_due")]

    def __str__(self) -> str:
        return f"calendar {self.pk}"


class ListingFeed(models.Model):
    """Which address a listing's feed has: the first one without a row, and another with each number."""

    listing = models.OneToOneField(Listing, on_delete=models.CASCADE, primary_key=True, related_name="feed")
    number = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"feed {self.number} of listing {self.listing_id}"
