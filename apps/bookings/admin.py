"""Lines and moves of bookings in Django admin. Bookings themselves are on the page of `apps.staff`, with their stories."""

from django.contrib import admin

from apps.bookings.models import BookingEvent, BookingLine
from apps.core.admin import ReadOnlyAdmin


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
