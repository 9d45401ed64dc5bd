"""What listings of this kind have of their own, in Django admin, to be read."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.kinds.parking.models import ParkingSpot


@admin.register(ParkingSpot)
class ParkingSpotAdmin(ReadOnlyAdmin):
    """Parking sold by the minute."""

    list_display = ("listing", "street", "max_minutes")
    list_select_related = ("listing",)
    search_fields = ("=listing__id", "listing__title")
