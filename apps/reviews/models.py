"""What people who were there say of a listing."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.listings.models import Listing


class Review(models.Model):
    """One per account and listing. Imported ones have no star where their source has none, and never count.

    Staff may hide one: it is shown to its author and staff alone then, and does not count either.
    """

    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="reviews")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="reviews_written"
    )
    rating = models.PositiveSmallIntegerField(null=True, blank=True)
    comment = models.TextField()
    reply = models.TextField(blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    hidden_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=100, blank=True)

    class Meta:
        permissions = [("hide_review", "Can hide reviews and show them again")]
        constraints = [
            models.CheckConstraint(condition=Q(rating=None) | Q(rating__gte=1, rating__lte=5), name="review_rating"),
            models.UniqueConstraint(
                fields=["listing", "author"], condition=Q(external_id=""), name="review_once_per_author"
            ),
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~Q(external_id=""), name="review_imported_once"
            ),
        ]
        indexes = [
            models.Index(fields=["listing", "-created_at", "-id"], name="review_of_listing"),
            models.Index(fields=["author", "-created_at", "-id"], name="review_of_author"),
        ]

    def __str__(self) -> str:
        return f"review {self.pk}"

    @property
    def counts(self) -> bool:
        """Whether its rating is part of the listing's average."""
        return self.rating is not None and self.external_id == "" and self.hidden_at is None
