"""Where calendar programs and other houses find the feed of a listing, and how what it says is told from what they say."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.db import unit_of_work
from apps.core.ids import derive, is_derived
from apps.hosting.models import ListingFeed
from apps.hosting.policies import listing_for_host
from apps.listings.models import Listing
from apps.users.models import User

ADDRESS = re.compile(r"(?P<listing>[1-9][0-9]{0,17})-(?P<secret>[0-9a-f]{64})")


def feed_urls(*, listing_ids: Iterable[int]) -> dict[int, str]:
    """The secret address of each listing's feed. Whoever shows it asks whether the caller manages the listing."""
    ids = list(listing_ids)
    numbers = dict(ListingFeed.objects.filter(pk__in=ids).values_list("listing_id", "number"))
    return {pk: f"{settings.PUBLIC_URL}/calendars/listings/{_address(pk, numbers.get(pk, 0))}.ics" for pk in ids}


def _address(listing_id: int, number: int) -> str:
    return f"{listing_id}-{derive('listing-calendar', listing_id, number)}"


def listing_of_feed(address: str) -> Listing | None:
    """Whose address it is; None for one that was never given out, or is no longer good."""
    parts = ADDRESS.fullmatch(address)
    if parts is None:
        return None
    pk = int(parts["listing"])
    listing = Listing.objects.filter(pk=pk, deleted_at=None, host__is_active=True).first()
    number = ListingFeed.objects.filter(pk=pk).values_list("number", flat=True).first() or 0
    return listing if listing is not None and is_derived(parts["secret"], "listing-calendar", pk, number) else None


@unit_of_work
def rotate_listing_feed(*, viewer: User, listing_id: int | None) -> Listing:
    """Give the feed another address; the one before opens nothing any more. Raises NotFound and NotAllowed at `listing_id`."""
    listing = listing_for_host(viewer=viewer, listing_id=listing_id, field="listing_id", lock=True)
    row, is_new = ListingFeed.objects.get_or_create(listing=listing, defaults={"number": 1})
    if not is_new:
        row.number += 1
        row.save(update_fields=["number"])
    return listing


def _host() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"


def booking_uid(reference: str) -> str:
    """By which calendars know a booking, in every feed and mail."""
    return f"{reference}@{_host()}"


def own_uid(name: str, *, listing_id: int) -> str:
    """By which calendars know anything else that the feed of the listing says."""
    return f"{name}-{listing_id}@{_host()}"


def echoed_reference(uid: str) -> str:
    """The reference in a uid that could be one of a booking here; "" for any other."""
    reference, _, host = uid.partition("@")
    return reference if host == _host() else ""


def is_echo(uid: str, *, listing_id: int) -> bool:
    """Whether the feed of the listing itself said it."""
    return uid.endswith(own_uid("", listing_id=listing_id))
