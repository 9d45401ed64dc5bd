"""What admin pages of several apps need to know of listings. Listings themselves are on the page of `apps.hosting`."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin import ReadOnlyAdmin
from apps.listings.kinds import all_kinds
from apps.listings.models import Image, Word


class KindFilter(admin.SimpleListFilter):
    """By kind. The choices come from the registry, so no table is read for them. `path` leads to the kind."""

    title = "kind"
    parameter_name = "kind"
    path = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.code, kind.code.replace("_", " ").lower()) for kind in all_kinds()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        kind = self.value()
        return queryset.filter(**{self.path: kind}) if kind else queryset


class KindOfListingFilter(KindFilter):
    """The same, for rows that belong to a listing."""

    path = "listing__kind"


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin):
    """Pictures of listings."""

    list_display = ("id", "listing", "position", "alt", "created_at")
    list_select_related = ("listing",)
    search_fields = ("=listing__id",)


@admin.register(Word)
class WordAdmin(ReadOnlyAdmin):
    """The words of all listings, by which misspelt searches are mended."""

    list_display = ("id", "word")
    search_fields = ("^word",)
