"""The audit in Django admin: staff reads it, and nobody writes it."""

from django.contrib import admin

from apps.audit.models import AuditEvent
from apps.core.admin import ReadOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Newest first; by kind, and by the number of an account."""

    list_display = ("at", "kind", "user_id", "actor_id", "address", "data")
    list_filter = ("kind",)
    search_fields = ("=user_id", "=actor_id", "=address")
    ordering = ("-at", "-id")
