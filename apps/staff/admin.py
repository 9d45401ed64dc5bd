"""What everybody leans on and no app of the product owns the page of: the outbox, remembered keys, the admin's own log."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from apps.core.admin import ReadOnlyAdmin
from apps.core.models import IdempotencyKey, OutboxMessage, PromisedJob
from apps.staff.desk import admin as bookings
from apps.staff.models import BackupCode, SecondFactor

__all__ = ["bookings"]


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """Jobs that were promised and have not left yet. Where there are many, or old ones, the broker is away."""

    list_display = ("id", "task", "arguments", "created_at")
    search_fields = ("=task",)
    ordering = ("pk",)


@admin.register(PromisedJob)
class PromisedJobAdmin(ReadOnlyAdmin):
    """Jobs that are sent again until a worker has done them. One with many tries fails each time; the worker's log says why."""

    list_display = ("id", "task", "tries", "look_again_at", "created_at")
    search_fields = ("=task",)
    fields = ("task", "tries", "look_again_at", "created_at")
    ordering = ("pk",)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """Which requests with a key were answered, and what came out of them."""

    list_display = ("id", "caller", "key", "result", "created_at")
    search_fields = ("=key",)
    fields = ("caller", "key", "result", "created_at")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """What staff did in the admin, row by row."""

    list_display = ("action_time", "user", "content_type", "object_repr", "change_message")
    list_filter = ("action_flag",)
    list_select_related = ("user", "content_type")
    search_fields = ("=user__email", "=object_id")


@admin.register(SecondFactor)
class SecondFactorAdmin(ReadOnlyAdmin):
    """Who has set up a second factor, without what it is made of. `manage.py reset_second_factor` forgets one."""

    list_display = ("id", "user", "confirmed", "created_at", "confirmed_at")
    list_filter = ("confirmed",)
    list_select_related = ("user",)
    search_fields = ("=user__email",)
    fields = ("user", "confirmed", "created_at", "confirmed_at")


@admin.register(BackupCode)
class BackupCodeAdmin(ReadOnlyAdmin):
    """Which backup codes were used."""

    list_display = ("id", "factor", "used_at")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    list_select_related = ("factor",)
    search_fields = ("=factor__user__email",)
    fields = ("factor", "used_at")
