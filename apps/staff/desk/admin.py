"""Bookings in Django admin: found, and each with its whole story on one page."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.bookings.actions.pay import refresh
from apps.bookings.models import Booking
from apps.bookings.money_states import STATES, with_money
from apps.core.admin import ReadOnlyAdmin, instant
from apps.listings.admin import KindOfListingFilter
from apps.staff.story import booking_of_story, story_of


def sees_people(request: HttpRequest) -> bool:
    """Whether who asks may see who booked."""
    return request.user.has_perm("users.view_user")


class MoneyFilter(admin.SimpleListFilter):
    """Where somebody has to look after the money."""

    title = "money"
    parameter_name = "money"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return STATES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return with_money(self.value() or "", queryset, now=timezone.now())


@admin.register(Booking)
class BookingAdmin(ReadOnlyAdmin):
    """What was booked is its own record: it is moved by the life cycle alone, and every move is in its history."""

    list_display = ("reference", "status", "title", "email", "start", "end", "total", "created_at")
    list_filter = ("status", MoneyFilter, KindOfListingFilter, "is_anonymous")
    list_select_related = ("listing", "bill")
    search_fields = ("=reference", "=email", "=listing__id")
    fieldsets = (
        (
            "The row itself",
            {
                "classes": ("collapse",),
                "fields": (
                    "reference", "status", "listing", "start", "end", "check_in", "check_out", "tickets", "guests",
                    "is_anonymous", "total", "paid", "bill", "cancellation_policy", "created_at", "expires_at", "confirmed_at",
                    "checked_in_at", "checked_out_at", "completed_at", "canceled_at", "updated_at",
                ),
            },
        ),
    )  # fmt: skip
    readonly_fields = ("start", "end", "total", "paid")
    change_form_outer_before_template = "staff/story.html"
    actions = ("refresh_selected",)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Other pages lead to the bookings of a listing, a guest and a host."""
        return lookup in ("listing", "guest", "listing__host") or super().lookup_allowed(lookup, value, request)

    def get_list_display(self, request: HttpRequest) -> Any:
        return self.list_display if sees_people(request) else [name for name in self.list_display if name != "email"]

    def get_search_fields(self, request: HttpRequest) -> Any:
        return self.search_fields if sees_people(request) else [name for name in self.search_fields if name != "=email"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Booking | None:
        if from_field is not None or not object_id.isdecimal():
            return None
        return booking_of_story(int(object_id[:18]))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        booking = kwargs.get("obj")
        if booking is not None:
            context["story"] = story_of(booking, viewer=request.user)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="listing")
    def title(self, booking: Booking) -> str:
        return booking.listing.title

    @admin.display(description="start (UTC)", ordering="period")
    def start(self, booking: Booking) -> str:
        return instant(booking.period.lower)

    @admin.display(description="end (UTC)")
    def end(self, booking: Booking) -> str:
        return instant(booking.period.upper)

    @admin.display(description="total")
    def total(self, booking: Booking) -> str:
        return str(booking.bill.total)

    @admin.display(description="paid")
    def paid(self, booking: Booking) -> str:
        return str(booking.bill.paid)

    @admin.action(
        description="Ask the processor about the open payments of the selected bookings", permissions=["view"]
    )
    def refresh_selected(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        self.do_each(
            request,
            queryset,
            lambda booking, viewer, now: refresh(viewer=viewer, booking_id=booking.pk, now=now),
            done="Asked about",
        )
