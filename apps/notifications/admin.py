"""What people were told and mailed, in Django admin: looked through, and sent again where it did not leave."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.core.admin import ReadOnlyAdmin
from apps.notifications.letters import render, words_of
from apps.notifications.mailing import try_again
from apps.notifications.models import (
    Announcement,
    Letter,
    MutedAddress,
    Notification,
    NotificationSettings,
    Reminder,
)


class LetterState(admin.SimpleListFilter):
    """Dead letters are one click away."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("failed", "Given up"),
            ("waiting", "Waiting"),
            ("retried", "Waiting after a failure"),
            ("sent", "Sent"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "failed":
                return queryset.filter(failed_at__isnull=False)
            case "waiting":
                return queryset.filter(next_try_at__isnull=False)
            case "retried":
                return queryset.filter(next_try_at__isnull=False, tries__gt=0)
            case "sent":
                return queryset.filter(sent_at__isnull=False)
            case _:
                return queryset


@admin.register(Letter)
class LetterAdmin(ReadOnlyAdmin):
    """What a letter says is shown without the secrets of its links."""

    list_display = ("id", "to", "template", "booking", "created_at", "sent_at", "failed_at", "tries", "last_error")
    list_filter = (LetterState, "template")
    list_select_related = ("booking",)
    search_fields = ("=to", "=booking__reference")
    ordering = ("-id",)
    fields = (
        "to", "template", "booking", "created_at", "sent_at", "failed_at", "next_try_at", "tries", "last_error", "words",
    )  # fmt: skip
    readonly_fields = ("words",)
    actions = ("send_again",)

    @admin.display(description="text")
    def words(self, letter: Letter) -> str:
        letter.data = {**words_of(letter), "secret_of": None, "courtesy": None}
        return render(letter).text

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.resend_letter")

    @admin.action(description="Try the selected letters that were given up again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Letter]) -> None:
        tried = [try_again(letter_id=pk, now=timezone.now()) for pk in queryset.values_list("pk", flat=True)]
        self.message_user(request, f"{sum(tried)} letters are tried again.")


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """What people were told in their accounts."""

    list_display = ("id", "recipient", "type", "title", "created_at", "read_at")
    list_filter = ("type",)
    list_select_related = ("recipient",)
    search_fields = ("=recipient__email", "=booking__reference")
    ordering = ("-created_at", "-id")


@admin.register(Announcement)
class AnnouncementAdmin(ReadOnlyAdmin):
    """What staff told many people at once."""

    list_display = ("id", "title", "sender", "created_at", "delivered_at")
    list_select_related = ("sender",)
    list_filter = (("delivered_at", admin.EmptyFieldListFilter),)
    search_fields = ("title",)
    fields = ("title", "body", "sender", "created_at", "delivered_at")


@admin.register(Reminder)
class ReminderAdmin(ReadOnlyAdmin):
    """Which bookings' guests were reminded, and of what moment."""

    list_display = ("id", "booking", "moment", "created_at")
    list_select_related = ("booking",)
    search_fields = ("=booking__reference",)


@admin.register(NotificationSettings)
class NotificationSettingsAdmin(ReadOnlyAdmin):
    """How accounts want to be told."""

    list_display = ("user", "muted", "locale", "updated_at")
    list_select_related = ("user",)
    search_fields = ("=user__email",)


@admin.register(MutedAddress)
class MutedAddressAdmin(ReadOnlyAdmin):
    """Which sorts of mail addresses without an account want no more; whose they are is not known."""

    list_display = ("id", "type", "created_at")
    list_filter = ("type",)
    search_fields = ("=address",)
    fields = ("type", "created_at")
