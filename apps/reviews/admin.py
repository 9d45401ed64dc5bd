"""Reviews in Django admin: read, hidden and shown again; never written in somebody's name."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.core.admin import ReadOnlyAdmin
from apps.reviews.actions import set_hidden
from apps.reviews.models import Review
from apps.users.models import User


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    """What a listing shows of a review, and its average, follow at once."""

    list_display = ("id", "listing", "author", "rating", "created_at", "hidden_at")
    list_filter = ("rating", ("hidden_at", admin.EmptyFieldListFilter))
    list_select_related = ("listing", "author")
    search_fields = ("=listing__id", "=author__email")
    ordering = ("-created_at", "-id")
    actions = ("hide", "show")

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("reviews.change_review")

    @admin.action(description="Hide the selected reviews", permissions=["moderate"])
    def hide(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self._set(request, queryset, is_hidden=True)

    @admin.action(description="Show the selected reviews again", permissions=["moderate"])
    def show(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        self._set(request, queryset, is_hidden=False)

    @staticmethod
    def _set(request: HttpRequest, queryset: QuerySet[Review], *, is_hidden: bool) -> None:
        viewer = request.user
        assert isinstance(viewer, User)
        for pk in queryset.order_by("pk").values_list("pk", flat=True):
            set_hidden(viewer=viewer, review_id=pk, is_hidden=is_hidden, now=timezone.now())
