"""What listings of this kind have of their own, in Django admin, to be read."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.kinds.event.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """What tickets are sold for."""

    list_display = ("listing", "venue", "starts_at", "ends_at", "total_tickets")
    list_select_related = ("listing",)
    search_fields = ("=listing__id", "listing__title")
