"""Reads of reviews."""

from collections.abc import Iterable
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from apps.bookings.selectors import completed_by
from apps.core.keyset import keys
from apps.core.money import quantize
from apps.core.periods import Period
from apps.core.read_pages import ReadPages
from apps.core.reads import INSTANT, INTEGER
from apps.listings.models import ListingStatus
from apps.reviews.models import Review
from apps.users.models import User, UserRole
from apps.users.selectors import UNSHOWN


def reviewable(*, viewer: User | None, listing_ids: Iterable[int]) -> set[int]:
    """Those of the listings that the account has a completed booking of and has not reviewed yet."""
    if viewer is None:
        return set()
    ids = list(listing_ids)
    reviewed = Review.objects.filter(author=viewer, listing__in=ids, external_id="").values_list("listing", flat=True)
    return completed_by(viewer=viewer, listing_ids=ids) - set(reviewed)


def reviews() -> QuerySet[Review]:
    """All reviews that nobody has hidden, in no order yet. Whoever may see the listing may see what is said of it."""
    return Review.objects.filter(hidden_at=None)


# What a list of reviews is made of: what is said, when and by whom.
BRIEF = (
    *("listing", "author", "rating", "comment", "created_at"),
    *("author__first_name", "author__last_name", "author__deleted_at"),
)


def _shown(is_brief: bool) -> QuerySet[Review]:
    rows = reviews().select_related("author")
    return rows.only(*BRIEF) if is_brief else rows.defer(*(f"author__{name}" for name in UNSHOWN))


# The reviews of listings with their authors, newest first; of each all of it, or no more than BRIEF.
SHOWN: ReadPages[Review] = ReadPages(_shown, keys("-created_at", "-id"), (INSTANT, INTEGER), parent="listing_id")


def visible_to(viewer: User | None) -> QuerySet[Review]:
    """Those of listings that the viewer sees, and what they wrote themselves, in no order yet.

    A deleted listing takes its reviews along; a hidden review is there for its author and staff alone.
    """
    rows = Review.objects.filter(listing__deleted_at=None)
    published = Q(listing__status=ListingStatus.PUBLISHED, hidden_at=None)
    if viewer is None:
        return rows.filter(published)
    if viewer.role == UserRole.STAFF:
        return rows
    return rows.filter(published | Q(listing__host=viewer, hidden_at=None) | Q(author=viewer))


def visible_reviews(*, viewer: User | None, ids: Iterable[int]) -> dict[int, Review]:
    """Those of the reviews that the viewer may see, by id."""
    return {review.pk: review for review in visible_to(viewer).filter(pk__in=list(ids))}


def average_rating(*, host: User, window: Period) -> float | None:
    """The mean of the ratings that the host's listings were given in the window, with two decimals; None without any."""
    given = Review.objects.filter(
        listing__host=host,
        created_at__gte=window.start,
        created_at__lt=window.end,
        rating__isnull=False,
        external_id="",
        hidden_at=None,
    ).aggregate(total=Sum("rating"), number=Count("pk"))
    return float(quantize(Decimal(given["total"]) / given["number"], digits=2)) if given["number"] else None
