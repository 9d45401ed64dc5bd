"""What the admin pages of the ledgers have in common: they are read, and a page costs the same in a big table."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import unfold.admin
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from apps.core.acting import buttons_of
from apps.core.errors import DomainError
from apps.core.money import Money

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
    _Inline = admin.TabularInline[Any, Any]
    _Pages = Paginator[Any]
else:
    # Only the type stubs know an admin of something, and the theme has none.
    _Admin, _Inline, _Pages = unfold.admin.ModelAdmin, unfold.admin.TabularInline, Paginator

# Whoever looks for something farther back searches or filters for it.
MOST_COUNTED = 5_000


class ShallowPaginator(_Pages):
    """Counts no further than MOST_COUNTED rows, because counting all of a big table takes seconds."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        return rows.order_by().values("pk")[:MOST_COUNTED].count()

    @property
    def is_cut(self) -> bool:
        """Whether there may be more than were counted."""
        return self.count >= MOST_COUNTED


class StaffAdmin(_Admin):
    """What every admin of a model is made of: the theme, and lists that cost the same in a big table."""

    list_per_page = 50
    list_max_show_all = 0
    list_fullwidth = True
    paginator = ShallowPaginator
    show_full_result_count = False
    # Each number beside a filter would be a count of the whole table.
    show_facets = admin.ShowFacets.NEVER
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """The page of a row, with a button for each act that may be done to it."""
        row = kwargs.get("obj")
        if row is not None:
            context["actions_detail"] = [*(context.get("actions_detail") or []), *buttons_of(request, row)]
        return super().render_change_form(request, context, *args, **kwargs)


class ReadOnlyAdmin(StaffAdmin):
    """Rows that can be seen and not written: what changes them are the actions of their app."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def do_each(
        self, request: HttpRequest, queryset: QuerySet[Any], act: Callable[[Any, Any, datetime], object], *, done: str
    ) -> None:
        """Run one action for each selected row, each in its own transaction, and tell how that went.

        `act` is given the row, who acts and the time.

        A row that refuses does not keep the others from being done. What was done is in the admin's log.
        """
        count = 0
        for row in queryset.order_by("pk"):
            try:
                act(row, request.user, timezone.now())
            except DomainError as error:
                self.message_user(request, f"{row}: {error}", messages.ERROR)
            else:
                count += 1
                self.log_change(request, row, done)
        if count:
            self.message_user(request, f"{done}: {count}", messages.SUCCESS)


class ReadOnlyInline(_Inline):
    """Rows shown below the one that they belong to."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def money(minor: int | None, currency: str) -> str:
    """An amount as people read it, "-" where there is none."""
    return "-" if minor is None else str(Money(minor, currency))


def instant(at: datetime | None) -> str:
    """An instant in UTC, as short as it can be said in a list."""
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}"


def way_to(row: Model | None, text: Any = "") -> SafeString | str:
    """A way to the page of the row, "-" where there is none."""
    if row is None:
        return "-"
    path = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', path, text or row)


def way_to_list(model: str, text: str, **filters: int) -> SafeString:
    """A way to the list of "app.model", filtered."""
    app_label, model_name = model.split(".")
    path = reverse(f"admin:{app_label}_{model_name}_changelist")
    return format_html('<a href="{}?{}">{}</a>', path, urlencode(filters), text)
