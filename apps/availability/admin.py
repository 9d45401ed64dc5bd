"""The capacity ledger in Django admin, to be read."""

from django.contrib import admin

from apps.availability.models import BLOCK_HOLDER, Allocation, Block, Stock, Unit
from apps.core.admin import ReadOnlyAdmin, instant
from apps.listings.admin import KindOfListingFilter


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    """Every place in the calendar that is or was taken: by a booking, or by the host's block."""

    list_display = ("id", "title", "unit_number", "quantity", "start", "end", "taken_by", "is_active", "held_until")
    list_filter = ("is_active", KindOfListingFilter)
    list_select_related = ("listing", "unit")
    search_fields = ("=listing__id", "=holder")

    @admin.display(description="listing")
    def title(self, allocation: Allocation) -> str:
        return allocation.listing.title

    @admin.display(description="unit")
    def unit_number(self, allocation: Allocation) -> str:
        return "-" if allocation.unit is None else str(allocation.unit.number)

    @admin.display(description="start", ordering="period")
    def start(self, allocation: Allocation) -> str:
        return instant(allocation.period.lower)

    @admin.display(description="end")
    def end(self, allocation: Allocation) -> str:
        return instant(allocation.period.upper)

    @admin.display(description="taken by")
    def taken_by(self, allocation: Allocation) -> str:
        return "block" if allocation.holder == BLOCK_HOLDER else f"holder {allocation.holder}"


@admin.register(Block)
class BlockAdmin(ReadOnlyAdmin):
    """What hosts and their imported calendars took off the market."""

    list_display = ("id", "title", "start", "end", "source", "reason", "created_at")
    list_filter = (KindOfListingFilter,)
    list_select_related = ("listing",)
    search_fields = ("=listing__id", "=source")

    @admin.display(description="listing")
    def title(self, block: Block) -> str:
        return block.listing.title

    @admin.display(description="start", ordering="period")
    def start(self, block: Block) -> str:
        return instant(block.period.lower)

    @admin.display(description="end")
    def end(self, block: Block) -> str:
        return instant(block.period.upper)


@admin.register(Unit)
class UnitAdmin(ReadOnlyAdmin):
    """Rooms, members of staff, parking spots: what is used by one booking at a time."""

    list_display = ("id", "listing", "number", "is_offered")
    list_filter = ("is_offered", KindOfListingFilter)
    list_select_related = ("listing",)
    search_fields = ("=listing__id",)


@admin.register(Stock)
class StockAdmin(ReadOnlyAdmin):
    """How many tickets there are and how many are taken."""

    list_display = ("listing", "capacity", "taken")
    list_select_related = ("listing",)
    search_fields = ("=listing__id",)
