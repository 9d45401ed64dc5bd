"""The audit in Django admin: staff reads it, and nobody writes it."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from apps.audit.models import AuditEvent

if TYPE_CHECKING:
    _ForEvents = admin.ModelAdmin[AuditEvent]
else:
    # Only the type stubs know a ModelAdmin of something.
    _ForEvents = admin.ModelAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(_ForEvents):
    """Newest first; by kind, and by the number of an account."""

    list_display = ("at", "kind", "user_id", "actor_id", "address", "data")
    list_filter = ("kind",)
    search_fields = ("=user_id", "=actor_id", "=address")
    ordering = ("-at", "-id")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False
