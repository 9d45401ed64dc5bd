"""Reviews in Django admin, to be read. They are hidden and shown again by acts, and never written in somebody's name."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.reviews.models import Review


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    """What a listing shows of a review, and its average, follow at once."""

    list_display = ("id", "listing", "author", "rating", "created_at", "hidden_at")
    list_filter = ("rating", ("hidden_at", admin.EmptyFieldListFilter))
    list_select_related = ("listing", "author")
    search_fields = ("=listing__id", "=author__email")
    ordering = ("-created_at", "-id")
