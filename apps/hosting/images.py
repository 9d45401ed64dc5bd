"""The pictures of a listing: kept under random names, in an order without gaps."""

from datetime import datetime
from functools import partial
from typing import IO

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F

from apps.core.db import unit_of_work
from apps.core.errors import Collector, OutsideRules
from apps.core.families import LISTINGS
from apps.core.pictures import clean_picture
from apps.core.texts import clean_text
from apps.core.versions import of_its_listing, only
from apps.hosting.policies import image_for_host, listing_for_host
from apps.listings.models import Image, Listing
from apps.users.models import User

MOST_IMAGES = 50


def add_image(
    *, viewer: User, listing_id: int | None, file: IO[bytes], alt: str | None = None, now: datetime
) -> Listing:
    """Put the picture after the others.

    Raises NotFound and NotAllowed at `listing_id`, Invalid at `file` and `alt`, OutsideRules at `file` when the listing
    has 50 already.
    """
    # Whose listing it is comes first: decoding a picture is dear.
    listing_for_host(viewer=viewer, listing_id=listing_id, field="listing_id")
    problems = Collector()
    text = ""
    picture: ContentFile[bytes] | None = None
    with problems.caught():
        text = clean_text(alt, field="alt", max_length=300)
    with problems.caught():
        picture = clean_picture(file)
    problems.raise_if_any()
    assert picture is not None
    image = Image(alt=text)
    # Written before the transaction, so that no row is ever without its file; a refusal takes the file away again.
    image.file.save(picture.name or "", picture, save=False)
    try:
        return _append(image, viewer=viewer, listing_id=listing_id, now=now)
    except BaseException:
        _remove_file(image)
        raise


@unit_of_work
@of_its_listing(LISTINGS)
def _append(image: Image, *, viewer: User, listing_id: int | None, now: datetime) -> Listing:
    listing = listing_for_host(viewer=viewer, listing_id=listing_id, field="listing_id", lock=True)
    position = Image.objects.filter(listing=listing).count()
    if position >= MOST_IMAGES:
        raise OutsideRules(f"A listing has at most {MOST_IMAGES} pictures.", field="file")
    image.listing, image.position = listing, position
    image.save()
    _touch(listing, now=now)
    return listing


@unit_of_work
def remove_image(*, viewer: User, image_id: int | None, now: datetime) -> Listing:
    """Take the picture away; those behind it move up. Raises NotFound and NotAllowed at `image_id`."""
    image = image_for_host(viewer=viewer, image_id=image_id, field="image_id")
    listing = image.listing
    with only(LISTINGS, listing.pk):
        Image.objects.filter(pk=image.pk).delete()
        Image.objects.filter(listing=listing, position__gt=image.position).update(position=F("position") - 1)
        _touch(listing, now=now)
    transaction.on_commit(partial(_remove_file, image), robust=True)
    return listing


def _touch(listing: Listing, *, now: datetime) -> None:
    listing.updated_at = now
    Listing.objects.filter(pk=listing.pk).update(updated_at=now)


def _remove_file(image: Image) -> None:
    image.file.storage.delete(image.file.name or "")
