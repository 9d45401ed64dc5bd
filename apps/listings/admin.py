"""What admin pages of several apps need to know of listings. Listings themselves are on the page of `apps.hosting`."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.listings.kinds import all_kinds


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
