"""What integrators are told of listings."""

from datetime import datetime

from apps.integrations.models import EventType
from apps.integrations.payloads import listing_data
from apps.integrations.recording import announce
from apps.listings.models import Listing, ListingStatus

BY_STATUS = {
    ListingStatus.PUBLISHED: EventType.LISTING_PUBLISHED,
    ListingStatus.ARCHIVED: EventType.LISTING_ARCHIVED,
}


def announce_listing(type_: EventType, listing: Listing, *, now: datetime) -> None:
    """Let integrators be told, in the transaction of the change; the listing is as it is afterwards."""
    announce(
        type_,
        listing_id=listing.pk,
        topic=f"listing:{listing.pk}",
        data=lambda: {"listing": listing_data(listing)},
        now=now,
    )
