"""Accounts, sessions and groups in Django admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.core.admin import ReadOnlyAdmin, StaffAdmin, way_to_list
from apps.users.actions import standing
from apps.users.models import MailToken, RefreshToken, Session, TrustedIdentity, UsedAssertion, User
from apps.users.roles import BY_NAME


def actor_of(request: HttpRequest) -> int:
    """Who is doing it."""
    assert request.user.pk is not None, "the pages of the admin are open to nobody who is not signed in"
    return int(request.user.pk)


@admin.register(User)
class UserAdmin(StaffAdmin):
    """Profile, role and standing can be changed. Passwords and addresses are their owners' to change, by mail."""

    list_display = ("id", "email", "first_name", "last_name", "role", "is_active", "joined_at")
    list_filter = ("role", "is_active")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("-joined_at", "-id")
    readonly_fields = (
        "email", "email_verified_at", "joined_at", "updated_at", "last_login", "deleted_at", "source", "booked", "hosted",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("email", "email_verified_at", "first_name", "last_name", "phone_number")}),
        ("Standing", {"fields": ("role", "is_active", "is_superuser", "groups", "user_permissions")}),
        ("Bookings", {"fields": ("booked", "hosted")}),
        ("History", {"fields": ("joined_at", "updated_at", "last_login", "deleted_at", "source")}),
    )
    autocomplete_fields = ("groups", "user_permissions")

    @admin.display(description="as a guest")
    def booked(self, user: User) -> SafeString:
        return way_to_list("bookings.booking", "All bookings of the account", guest=user.pk)

    @admin.display(description="as a host")
    def hosted(self, user: User) -> SafeString:
        return way_to_list("bookings.booking", "All bookings of its listings", listing__host=user.pk)

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

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whoever closed their account is not brought back."""
        return super().has_change_permission(request, obj) and (obj is None or obj.deleted_at is None)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        form.standing = standing.locked_standing(user_id=obj.pk)
        columns = {field.name for field in obj._meta.concrete_fields}
        standing.save_account(user=obj, fields=columns & set(form.changed_data))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        standing.note_standing(
            user_id=form.instance.pk, before=form.standing, actor_id=actor_of(request), now=timezone.now()
        )


admin.site.unregister(Group)


@admin.register(Group)
class RightsAdmin(StaffAdmin, GroupAdmin):
    """What members of the staff may do. A superuser's to say: whoever could change a group could give themself every right.

    The roles of `apps.users.roles` are groups that keep their names: what their members may do stands in that table, and what
    a group adds to it here comes on top.
    """

    fields = ("name", "said_by_the_product", "permissions")
    readonly_fields = ("said_by_the_product",)
    filter_horizontal = ()
    autocomplete_fields = ("permissions",)
    ordering = ("name",)

    @admin.display(description="may do by its role")
    def said_by_the_product(self, group: Group) -> SafeString | str:
        role = BY_NAME.get(group.name)
        if role is None:
            return "-"
        words = [(role.about,), *((permission,) for permission in sorted(role.permissions))]
        return format_html_join("", "<div>{}</div>", words)

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> tuple[str, ...]:
        is_role = obj is not None and obj.name in BY_NAME
        return ("name", *self.readonly_fields) if is_role else self.readonly_fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return self.has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return self.has_add_permission(request) and (obj is None or obj.name not in BY_NAME)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Groups are deleted one by one, on their pages: many at once would take the roles along."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def save_model(self, request: HttpRequest, obj: Group, form: Any, change: bool) -> None:
        form.rights = standing.permissions_of_group(obj)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        self._note(request, form.instance, before=form.rights, after=standing.permissions_of_group(form.instance))

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        with transaction.atomic():
            self._note(request, obj, before=standing.permissions_of_group(obj), after="")
            super().delete_model(request, obj)

    def _note(self, request: HttpRequest, group: Group, *, before: str, after: str) -> None:
        standing.note_group(group=group, before=before, after=after, actor_id=actor_of(request), now=timezone.now())


@admin.register(Permission)
class PermissionAdmin(ReadOnlyAdmin):
    """What there is to be allowed, to be found by those who give it."""

    list_display = ("codename", "content_type", "name")
    list_select_related = ("content_type",)
    search_fields = ("codename", "name")
    ordering = ("content_type__app_label", "codename")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Permission]:
        rows: QuerySet[Permission] = super().get_queryset(request)
        return rows.select_related("content_type")


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Sessions can be seen and ended, not written."""

    list_display = ("id", "user", "device", "created_at", "last_used_at", "ended_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    ordering = ("-last_used_at", "-id")
    actions = ("end_selected",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("users.change_session")

    @admin.action(description="End the selected sessions", permissions=["end"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        for session in queryset:
            standing.end_session_of(session=session, actor_id=actor_of(request), now=timezone.now())


@admin.register(RefreshToken)
class RefreshTokenAdmin(ReadOnlyAdmin):
    """When tokens were made and used; the tokens themselves are not known, and their digests are nobody's business."""

    list_display = ("id", "session", "created_at", "expires_at", "used_at")
    list_select_related = ("session",)
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    search_fields = ("=session__id", "=session__user__email")
    fields = ("session", "created_at", "expires_at", "used_at")


@admin.register(MailToken)
class MailTokenAdmin(ReadOnlyAdmin):
    """Which links were mailed and followed. What they could be made again from is not shown."""

    list_display = ("id", "user", "purpose", "email", "created_at", "expires_at", "used_at")
    list_select_related = ("user",)
    list_filter = ("purpose", ("used_at", admin.EmptyFieldListFilter))
    search_fields = ("=email", "=user__email")
    fields = ("user", "purpose", "email", "created_at", "expires_at", "used_at")


@admin.register(TrustedIdentity)
class TrustedIdentityAdmin(ReadOnlyAdmin):
    """Which accounts other issuers vouch for."""

    list_display = ("id", "issuer", "subject", "user", "created_at")
    list_select_related = ("user",)
    search_fields = ("=subject", "=user__email")


@admin.register(UsedAssertion)
class UsedAssertionAdmin(ReadOnlyAdmin):
    """Which tokens of issuers were exchanged, and are not taken again."""

    list_display = ("id", "issuer", "token_id", "expires_at")
    search_fields = ("=token_id",)
