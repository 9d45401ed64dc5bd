"""What an appointment has beyond a listing."""

from django.db import models
from django.db.models import Q

from apps.listings.models import Listing


class Service(models.Model):
    """Appointments on a grid of slots. Each member of `staff` is an exclusive unit of the availability ledger."""

    listing = models.OneToOneField(Listing, on_delete=models.CASCADE, primary_key=True, related_name="service")
    duration_minutes = models.PositiveIntegerField()
    buffer_minutes = models.PositiveIntegerField(default=0)
    staff = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(duration_minutes__gte=1), name="service_duration")]

    def __str__(self) -> str:
        return f"service {self.pk}"


class OpeningHours(models.Model):
    """Open on a weekday (ISO: 1 is Monday) from `opens_at` to `closes_at`; closing at 00:00 is the end of that day."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="opening_hours")
    weekday = models.PositiveSmallIntegerField()
    opens_at = models.TimeField()
    closes_at = models.TimeField()

    class Meta:
        ordering = ["weekday", "opens_at"]
        constraints = [
            models.CheckConstraint(condition=Q(weekday__gte=1, weekday__lte=7), name="opening_hours_weekday"),
            models.UniqueConstraint(fields=["service", "weekday", "opens_at"], name="opening_hours_once"),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.opens_at}-{self.closes_at}"
