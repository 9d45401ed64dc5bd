"""What listings of this kind have of their own, in Django admin, to be read."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin, ReadOnlyInline
from apps.kinds.service.models import OpeningHours, Service


class OpeningHoursInline(ReadOnlyInline):
    model = OpeningHours
    fields = ("weekday", "opens_at", "closes_at")


@admin.register(Service)
class ServiceAdmin(ReadOnlyAdmin):
    """Appointments."""

    list_display = ("listing", "duration_minutes", "buffer_minutes", "staff")
    list_select_related = ("listing",)
    search_fields = ("=listing__id", "listing__title")
    inlines = (OpeningHoursInline,)


@admin.register(OpeningHours)
class OpeningHoursAdmin(ReadOnlyAdmin):
    """When appointments can be had."""

    list_display = ("id", "service", "weekday", "opens_at", "closes_at")
    list_filter = ("weekday",)
    list_select_related = ("service",)
    search_fields = ("=service__listing__id",)
