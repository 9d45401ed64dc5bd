"""What a parking spot has beyond a listing."""

from django.db import models
from django.db.models import Q

from apps.listings.models import Listing


class ParkingSpot(models.Model):
    """Minutes, at an hourly price, charged when the driver leaves. One exclusive unit of the availability ledger."""

    listing = models.OneToOneField(Listing, on_delete=models.CASCADE, primary_key=True, related_name="parking_spot")
    street = models.CharField(max_length=300)
    max_minutes = models.PositiveIntegerField(default=1440)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(max_minutes__gte=1), name="parking_spot_max_minutes")]

    def __str__(self) -> str:
        return f"parking spot {self.pk}"
