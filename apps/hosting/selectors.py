"""Reads of what belongs to listings."""

from collections.abc import Iterable

from django.db.models import QuerySet

from apps.core.along import Along
from apps.core.reads import INTEGERS, OneOf, Parameter, Read
from apps.hosting.models import ImportedCalendar
from apps.listings.models import Image


def _images(*, ids: Parameter) -> QuerySet[Image]:
    return Image.objects.filter(OneOf("listing_id", ids)).order_by("listing", "position")


IMAGES: Read[Image] = Read(_images, ids=INTEGERS)


def images_along() -> Along:
    """The pictures of listings, to come along with them."""
    return Along(IMAGES, by="pk", place="ids")


def images_of(*, listing_ids: Iterable[int]) -> dict[int, list[Image]]:
    """The pictures of each listing, in order."""
    ids = list(listing_ids)
    found: dict[int, list[Image]] = {pk: [] for pk in ids}
    for image in IMAGES.rows(ids=ids):
        found[image.listing_id].append(image)
    return found


def images_by_ids(*, ids: Iterable[int]) -> dict[int, Image]:
    """The pictures with these ids; whoever shows them asks whether the listing may be seen."""
    return {image.pk: image for image in Image.objects.filter(pk__in=list(ids))}


def calendars_of(*, listing_ids: Iterable[int]) -> dict[int, list[ImportedCalendar]]:
    """The outside calendars of each listing, the oldest first; whoever shows them asks whether the caller may see them."""
    ids = list(listing_ids)
    found: dict[int, list[ImportedCalendar]] = {pk: [] for pk in ids}
    for calendar in ImportedCalendar.objects.filter(listing__in=ids).order_by("listing", "pk"):
        found[calendar.listing_id].append(calendar)
    return found
