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


class StaffAdmin(_Admin):
    """What every admin of a model is made of: the theme, and lists that cost the same in a big table."""

    list_per_page = 50
    list_max_show_all = 0
    list_fullwidth = True
    paginator = ShallowPaginator
    show_full_result_count = False
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)


class ReadOnlyAdmin(StaffAdmin):
    """Rows that can be seen and not written: what changes them are the actions of their app."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def do_each(
        self, request: HttpRequest, queryset: QuerySet[Any], act: Callable[[Model], object], *, done: str
    ) -> None:
        """Run one action for each selected row, each in its own transaction, and tell how that went.

        A row that refuses does not keep the others from being done. What was done is in the admin's log.
        """
        count = 0
        for row in queryset.order_by("pk"):
            try:
                act(row)
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
