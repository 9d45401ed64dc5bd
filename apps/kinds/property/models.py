"""What a stay has beyond a listing."""

from datetime import time
from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from apps.listings.models import Listing


class Property(models.Model):
    """Nights. Each of its `units` is an exclusive unit of the availability ledger."""

    listing = models.OneToOneField(Listing, on_delete=models.CASCADE, primary_key=True, related_name="property")
    property_type = models.CharField(max_length=120, blank=True)
    max_guests = models.PositiveIntegerField()
    bedrooms = models.PositiveIntegerField(default=1)
    beds = models.PositiveIntegerField(default=1)
    bathrooms = models.DecimalField(max_digits=4, decimal_places=1, default=Decimal(1))
    amenities = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    check_in_time = models.TimeField(default=time(15))
    check_out_time = models.TimeField(default=time(11))
    min_nights = models.PositiveIntegerField(default=1)
    max_nights = models.PositiveIntegerField(default=365)
    cleaning_fee_minor = models.BigIntegerField(null=True, blank=True)
    units = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "properties"
        constraints = [
            models.CheckConstraint(
                condition=Q(min_nights__gte=1, min_nights__lte=F("max_nights")), name="property_nights"
            ),
            models.CheckConstraint(
                condition=Q(check_out_time__lte=F("check_in_time")), name="property_nights_do_not_overlap"
            ),
            models.CheckConstraint(
                condition=Q(cleaning_fee_minor=None) | Q(cleaning_fee_minor__gte=0), name="property_fee_not_negative"
            ),
        ]
        indexes = [GinIndex(fields=["amenities"], name="property_amenities")]

    def __str__(self) -> str:
        return f"property {self.pk}"
