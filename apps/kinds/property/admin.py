"""What listings of this kind have of their own, in Django admin, to be read."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.kinds.property.models import Property


@admin.register(Property)
class PropertyAdmin(ReadOnlyAdmin):
    """Rooms and houses sold by the night."""

    list_display = ("listing", "property_type", "units", "max_guests", "bedrooms", "min_nights", "max_nights")
    list_select_related = ("listing",)
    search_fields = ("=listing__id", "listing__title")
