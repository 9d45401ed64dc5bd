"""Bookings in Django admin: found, read with their lines, payments and history, and canceled."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.bookings.actions.cancel import cancel
from apps.bookings.actions.pay import refresh
from apps.bookings.actions.refund import refund_rest
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.bookings.money_states import STATES, with_money
from apps.core.admin import ReadOnlyAdmin, ReadOnlyInline, instant, money
from apps.listings.admin import KindOfListingFilter
from apps.users.models import User


class LineInline(ReadOnlyInline):
    model = BookingLine
    fields = ("label", "quantity", "unit", "amount")
    readonly_fields = ("unit", "amount")

    @admin.display(description="each")
    def unit(self, line: BookingLine) -> str:
        return str(line.unit_amount)

    @admin.display(description="amount")
    def amount(self, line: BookingLine) -> str:
        return str(line.amount)


class EventInline(ReadOnlyInline):
    model = BookingEvent
    fields = ("at", "type", "actor", "data")
    verbose_name_plural = "history"


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
        (None, {"fields": ("reference", "status", "listing", "start", "end", "check_in", "check_out", "tickets", "guests")}),
        ("Guest", {"fields": ("guest", "is_anonymous", "email", "first_name", "last_name")}),
        ("Money", {"fields": ("total", "paid", "bill", "payments", "cancellation_policy")}),
        (
            "Moments (UTC)",
            {
                "fields": (
                    "created_at", "expires_at", "confirmed_at", "checked_in_at", "checked_out_at", "completed_at",
                    "canceled_at", "updated_at",
                )
            },
        ),
    )  # fmt: skip
    readonly_fields = ("start", "end", "total", "paid", "payments")
    inlines = (LineInline, EventInline)
    actions = ("cancel_selected", "refund_selected", "refresh_selected")

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

    @admin.display(description="payments")
    def payments(self, booking: Booking) -> SafeString | str:
        charges = booking.bill.charges.order_by("pk")
        rows = [
            (
                reverse("admin:payments_charge_change", args=[charge.pk]),
                charge.receipt_number or charge,
                money(charge.amount_minor, charge.currency),
                charge.status,
            )
            for charge in charges
        ]
        return format_html_join("", '<div><a href="{}">{}</a>: {}, {}</div>', rows) or "-"

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bookings.change_booking")

    @admin.action(description="Cancel the selected bookings and give everything back", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        viewer = request.user
        assert isinstance(viewer, User)
        self.do_each(
            request,
            queryset,
            lambda booking: cancel(viewer=viewer, booking_id=booking.pk, now=timezone.now()),
            done="Canceled",
        )

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.add_refund")

    @admin.action(description="Refund all that is left of the selected bookings", permissions=["refund"])
    def refund_selected(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        viewer = request.user
        assert isinstance(viewer, User)
        self.do_each(
            request,
            queryset,
            lambda booking: refund_rest(viewer=viewer, booking_id=booking.pk, now=timezone.now()),
            done="Refunded",
        )

    @admin.action(
        description="Ask the processor about the open payments of the selected bookings", permissions=["view"]
    )
    def refresh_selected(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        viewer = request.user
        assert isinstance(viewer, User)
        self.do_each(
            request,
            queryset,
            lambda booking: refresh(viewer=viewer, booking_id=booking.pk, now=timezone.now()),
            done="Asked about",
        )


@admin.register(BookingLine)
class BookingLineAdmin(ReadOnlyAdmin):
    """What was charged for, line by line."""

    list_display = ("id", "booking", "label", "quantity", "unit", "amount")
    list_select_related = ("booking",)
    search_fields = ("=booking__reference",)
    fields = ("booking", "position", "label", "quantity", "unit", "amount")
    readonly_fields = ("unit", "amount")

    @admin.display(description="each")
    def unit(self, line: BookingLine) -> str:
        return str(line.unit_amount)

    @admin.display(description="amount")
    def amount(self, line: BookingLine) -> str:
        return str(line.amount)


@admin.register(BookingEvent)
class BookingEventAdmin(ReadOnlyAdmin):
    """Every move of every booking, newest first."""

    list_display = ("id", "at", "booking", "type", "actor")
    list_filter = ("type", "actor")
    list_select_related = ("booking",)
    search_fields = ("=booking__reference",)
