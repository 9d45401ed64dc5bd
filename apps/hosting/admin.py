"""Listings in Django admin: seen as a whole, and taken off the market or put back on it."""

from urllib.parse import urlsplit

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.availability.models import Stock, Unit
from apps.core.admin import ReadOnlyAdmin, ReadOnlyInline, money, way_to_list
from apps.hosting.actions import archive_listing, publish_listing
from apps.hosting.models import ImportedCalendar, ListingFeed
from apps.listings.admin import KindFilter
from apps.listings.kinds import kind_of, relations
from apps.listings.models import Image, Listing


class UnitInline(ReadOnlyInline):
    model = Unit
    fields = ("number", "is_offered")
    ordering = ("number",)


class StockInline(ReadOnlyInline):
    model = Stock
    fields = ("capacity", "taken")


class ImageInline(ReadOnlyInline):
    model = Image
    fields = ("position", "picture", "alt", "created_at")
    readonly_fields = ("picture",)

    @admin.display(description="picture")
    def picture(self, image: Image) -> SafeString:
        return format_html('<a href="{0}"><img src="{0}" alt="" height="60"></a>', image.file.url)


@admin.register(Listing)
class ListingAdmin(ReadOnlyAdmin):
    """Hosts write their listings; staff sees them and archives what should not be offered."""

    list_display = ("id", "kind", "title", "host_email", "city", "price", "status", "rating_average", "created_at")
    list_display_links = ("id", "title")
    list_filter = ("status", KindFilter)
    list_select_related = ("host",)
    search_fields = ("=id", "title", "=city", "=host__email", "=external_id")
    fieldsets = (
        (None, {"fields": ("kind", "status", "title", "description", "host", "price", "cancellation_policy")}),
        ("Its kind", {"fields": ("details",)}),
        ("Place", {"fields": ("address", "city", "region", "country", "latitude", "longitude", "time_zone")}),
        ("Bookings", {"fields": ("bookings_of_it", "why")}),
        ("Reviews", {"fields": ("rating_average", "rating_count")}),
        ("History", {"fields": ("created_at", "updated_at", "deleted_at", "source", "external_id")}),
    )
    readonly_fields = ("price", "details", "bookings_of_it", "why")
    inlines = (ImageInline, UnitInline, StockInline)
    actions = ("archive", "publish")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Listing]:
        rows: QuerySet[Listing] = super().get_queryset(request)
        return rows.select_related("host", *relations())

    @admin.display(description="host")
    def host_email(self, listing: Listing) -> str:
        return listing.host.email or str(listing.host)

    @admin.display(description="price", ordering="price_minor")
    def price(self, listing: Listing) -> str:
        return money(listing.price_minor, listing.currency)

    @admin.display(description="bookings")
    def bookings_of_it(self, listing: Listing) -> SafeString:
        return way_to_list("bookings.booking", "All bookings of the listing", listing=listing.pk)

    @admin.display(description="calendar")
    def why(self, listing: Listing) -> SafeString:
        return format_html('<a href="{}?listing={}">Why is it unavailable?</a>', reverse("why"), listing.pk)

    @admin.display(description="details")
    def details(self, listing: Listing) -> SafeString:
        """The row of the kind, whatever kind it is."""
        row = kind_of(listing).details(listing)
        fields = [field for field in row._meta.concrete_fields if not field.is_relation]
        pairs = [(field.verbose_name, getattr(row, field.attname)) for field in fields]
        return format_html_join("", "<div>{}: {}</div>", pairs)

    def has_market_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("listings.change_listing")

    @admin.action(description="Archive the selected listings", permissions=["market"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Listing]) -> None:
        self.do_each(
            request,
            queryset,
            lambda listing, viewer, now: archive_listing(viewer=viewer, listing_id=listing.pk, now=now),
            done="Archived",
        )

    @admin.action(description="Publish the selected listings", permissions=["market"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Listing]) -> None:
        self.do_each(
            request,
            queryset,
            lambda listing, viewer, now: publish_listing(viewer=viewer, listing_id=listing.pk, now=now),
            done="Published",
        )


@admin.register(ImportedCalendar)
class ImportedCalendarAdmin(ReadOnlyAdmin):
    """Calendars of other houses. Of the address only the house is shown: whoever knows all of it reads the calendar."""

    list_display = ("id", "listing", "name", "house", "last_synced_at", "next_sync_at", "failures", "last_error")
    list_filter = (("last_error", admin.EmptyFieldListFilter),)
    list_select_related = ("listing",)
    search_fields = ("=listing__id", "=name")
    fields = (
        "listing", "name", "house", "created_at", "next_sync_at", "last_synced_at", "read_at", "failures", "last_error",
    )  # fmt: skip
    readonly_fields = ("house",)

    @admin.display(description="from")
    def house(self, calendar: ImportedCalendar) -> str:
        return urlsplit(calendar.url).hostname or "-"


@admin.register(ListingFeed)
class ListingFeedAdmin(ReadOnlyAdmin):
    """How often a listing's own feed has been given another address."""

    list_display = ("listing", "number")
    list_select_related = ("listing",)
    search_fields = ("=listing__id",)
