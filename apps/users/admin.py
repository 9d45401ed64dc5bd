"""Accounts and sessions in Django admin."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.core.db import unit_of_work
from apps.users.actions.sessions import end_all_sessions, end_session
from apps.users.models import Session, User

if TYPE_CHECKING:
    _ForUsers = admin.ModelAdmin[User]
    _ForSessions = admin.ModelAdmin[Session]
else:
    # Only the type stubs know a ModelAdmin of something.
    _ForUsers = _ForSessions = admin.ModelAdmin


@admin.register(User)
class UserAdmin(_ForUsers):
    """Profile, role and standing can be changed. Passwords and addresses are their owners' to change, by mail."""

    list_display = ("id", "email", "first_name", "last_name", "role", "is_active", "joined_at")
    list_filter = ("role", "is_active")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("-joined_at", "-id")
    readonly_fields = ("email", "email_verified_at", "joined_at", "updated_at", "last_login", "deleted_at", "source")
    fieldsets = (
        (None, {"fields": ("email", "email_verified_at", "first_name", "last_name", "phone_number")}),
        ("Standing", {"fields": ("role", "is_active", "is_superuser", "groups", "user_permissions")}),
        ("History", {"fields": ("joined_at", "updated_at", "last_login", "deleted_at", "source")}),
    )
    filter_horizontal = ("groups", "user_permissions")
    show_full_result_count = False
    actions = ("end_sessions",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People sign up; the first member of staff comes from `createsuperuser`."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Closing an account keeps its bookings, which deleting the row would not."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """What gives power is a superuser's to give, and nobody's to give themself."""
        fields = tuple(str(field) for field in self.readonly_fields)
        if request.user.is_superuser and obj != request.user:
            return fields
        return (*fields, "role", "is_active", "is_superuser", "groups", "user_permissions")

    @admin.action(description="End all sessions of the selected accounts", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        end = unit_of_work(end_all_sessions)
        for user in queryset:
            end(user=user, now=timezone.now())


@admin.register(Session)
class SessionAdmin(_ForSessions):
    """Sessions can be seen and ended, not written."""

    list_display = ("id", "user", "device", "created_at", "last_used_at", "ended_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    ordering = ("-last_used_at", "-id")
    show_full_result_count = False
    actions = ("end_selected",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("users.change_session")

    @admin.action(description="End the selected sessions", permissions=["end"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        for session in queryset.select_related("user").filter(ended_at=None):
            end_session(viewer=session.user, session_id=session.pk, now=timezone.now())
