"""The log of live events in Django admin, to be read."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.live.models import LiveEvent


@admin.register(LiveEvent)
class LiveEventAdmin(ReadOnlyAdmin):
    """What listeners were told of. An event that waits has no position yet."""

    list_display = ("id", "topic", "at", "position", "numbered_at")
    list_filter = (("position", admin.EmptyFieldListFilter),)
    search_fields = ("=topic",)
