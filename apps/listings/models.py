"""What is offered: the part that all kinds share, and pictures."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.indexes import GistIndex, OpClass, SpGistIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Cast, Coalesce, Lower, Now, Reverse

from apps.core.money import Money

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


class ListingStatus(models.TextChoices):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"


class CancellationPolicy(models.TextChoices):
    """What a guest gets back; the arithmetic is in `apps.bookings.terms`."""

    FLEXIBLE = "FLEXIBLE"
    MODERATE = "MODERATE"
    STRICT = "STRICT"
    NON_REFUNDABLE = "NON_REFUNDABLE"


class Listing(models.Model):
    """Something bookable of some kind. The kind's own table hangs off it one to one, under the kind's `relation` name.

    The table has one column more, `search_vector`, that the database keeps by itself: see `apps.listings.words`.
    """

    host = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="listings")
    kind = models.CharField(max_length=20)
    status = models.CharField(max_length=10, choices=ListingStatus.choices, default=ListingStatus.DRAFT)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    address = models.CharField(max_length=300, blank=True)
    city = models.CharField(max_length=120, blank=True)
    region = models.CharField(max_length=120, blank=True)
    country = models.CharField(max_length=120, blank=True)
    time_zone = models.CharField(max_length=64)
    price_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    cancellation_policy = models.CharField(
        max_length=20, choices=CancellationPolicy.choices, default=CancellationPolicy.FLEXIBLE
    )
    # Kept right in the transaction that writes a review.
    rating_sum = models.IntegerField(default=0)
    rating_count = models.IntegerField(default=0)
    rating_average = models.GeneratedField(
        expression=models.Case(
            models.When(
                rating_count__gt=0,
                then=Func(
                    Cast(F("rating_sum"), models.DecimalField(max_digits=12, decimal_places=2)) / F("rating_count"),
                    Value(2),
                    function="ROUND",
                ),
            ),
            default=None,
            output_field=models.DecimalField(max_digits=3, decimal_places=2),
        ),
        output_field=models.DecimalField(max_digits=3, decimal_places=2, null=True),
        db_persist=True,
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # Where an imported listing came from: importing the same file again updates the same row.
    source = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=100, blank=True)

    images: "RelatedManager[Image]"

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="listing_price_not_negative"),
            models.CheckConstraint(
                condition=Q(latitude=None, longitude=None)
                | Q(latitude__gte=-90, latitude__lte=90, longitude__gt=-180, longitude__lte=180),
                name="listing_coordinates_both_or_none",
            ),
            models.UniqueConstraint(
                "host",
                "kind",
                Lower("title"),
                name="listing_title_once_per_host_and_kind",
                condition=Q(deleted_at=None, external_id="") & ~Q(status="ARCHIVED"),
            ),
            models.UniqueConstraint(
                fields=["source", "external_id"], name="listing_imported_once", condition=~Q(external_id="")
            ),
        ]
        indexes = [
            # Where each is stands in the index: the newest of a place are found in it alone.
            models.Index(
                fields=["-created_at", "-id"],
                include=["latitude", "longitude"],
                name="listing_newest_somewhere",
                condition=Q(status="PUBLISHED", deleted_at=None),
            ),
            models.Index(fields=["host", "-created_at", "-id"], name="listing_of_host"),
            models.Index(
                Lower("city"),
                F("created_at").desc(),
                F("id").desc(),
                name="listing_city_newest",
                condition=Q(status="PUBLISHED", deleted_at=None),
            ),
            models.Index(
                Lower("city"),
                F("currency"),
                F("price_minor"),
                F("id"),
                name="listing_city_price",
                condition=Q(status="PUBLISHED", deleted_at=None),
            ),
            models.Index(
                F("currency"),
                F("price_minor"),
                F("id"),
                name="listing_price",
                condition=Q(status="PUBLISHED", deleted_at=None),
            ),
            models.Index(
                Coalesce("rating_average", Value(0), output_field=models.DecimalField()).desc(),
                F("id").desc(),
                name="listing_rating",
                condition=Q(status="PUBLISHED", deleted_at=None),
            ),
            models.Index(
                fields=["currency", "-price_minor", "-id"],
                name="listing_price_falling",
                condition=Q(status="PUBLISHED", deleted_at=None),
            ),
            models.Index(
                fields=["latitude", "longitude"],
                include=["created_at", "id"],
                name="listing_coordinates_and_age",
                condition=Q(status="PUBLISHED", deleted_at=None),
            ),
            # What is nearest, of all kinds and of some: its rectangles do not overlap, as those of the sphere do.
            SpGistIndex(
                Func(F("longitude"), F("latitude"), function="point", output_field=models.TextField()),
                include=["latitude", "longitude", "id", "kind"],
                name="listing_point",
                condition=Q(status="PUBLISHED", deleted_at=None),
            ),
            GistIndex(
                Func(F("latitude"), F("longitude"), function="unit_sphere", output_field=models.TextField()),
                name="listing_sphere",
                condition=Q(status="PUBLISHED", deleted_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def price(self) -> Money:
        """For one unit of the kind: a night, an appointment, a ticket, an hour."""
        return Money(self.price_minor, self.currency)


class Image(models.Model):
    """A picture of a listing; positions are dense from 0."""

    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="images")
    file = models.ImageField(upload_to="listings/")
    alt = models.CharField(max_length=300, blank=True)
    position = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["listing", "position"], name="image_position_once", deferrable=models.Deferrable.DEFERRED
            )
        ]

    def __str__(self) -> str:
        return f"image {self.pk}"


class Word(models.Model):
    """The vocabulary of all listings: words of five letters and more, in lower case and without accents.

    The database adds the words of each new text by itself. A word may be there twice, and stays when its listing goes.
    """

    word = models.CharField(max_length=60)

    class Meta:
        indexes = [
            models.Index(fields=["word"], name="word_beginning", opclasses=["text_pattern_ops"]),
            models.Index(OpClass(Reverse("word"), name="text_pattern_ops"), name="word_end"),
        ]

    def __str__(self) -> str:
        return self.word
