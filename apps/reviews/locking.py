"""Reviews and their listings, found for whoever may see them and locked for a change."""

from apps.bookings.selectors import completed_by
from apps.core.db import require_transaction
from apps.core.errors import NotFound
from apps.listings.models import Listing, ListingStatus
from apps.reviews.models import Review
from apps.reviews.selectors import visible_to
from apps.users.models import User, UserRole


def lock_listing(listing_id: int) -> Listing | None:
    """The listing, locked so that its reviews change one after the other. Bookings of it go on meanwhile."""
    require_transaction()
    return Listing.objects.select_for_update(of=("self",), no_key=True).filter(pk=listing_id, deleted_at=None).first()


def listing_to_review(*, viewer: User, listing_id: int | None) -> tuple[Listing, bool]:
    """The locked listing, and whether the viewer has completed a booking of it.

    Raises NotFound at `listing_id` for one that they do not see; an archived one is seen by those who were there.
    """
    listing = None if listing_id is None else lock_listing(listing_id)
    if listing is not None:
        was_there = bool(completed_by(viewer=viewer, listing_ids=[listing.pk]))
        is_own = listing.host_id == viewer.pk or viewer.role == UserRole.STAFF
        if listing.status == ListingStatus.PUBLISHED or was_there or is_own:
            return listing, was_there
    raise NotFound("There is no such listing.", field="listing_id")


def locked_review(*, viewer: User, review_id: int | None) -> Review:
    """The review as far as the viewer sees it, with its listing, both locked. Raises NotFound at `review_id`."""
    if review_id is not None:
        seen = visible_to(viewer).filter(pk=review_id).first()
        listing = None if seen is None else lock_listing(seen.listing_id)
        # It may have changed, or gone, while we waited for the listing.
        review = visible_to(viewer).select_for_update(of=("self",)).filter(pk=review_id).first() if listing else None
        if review is not None and listing is not None:
            review.listing = listing
            return review
    raise NotFound("There is no such review.", field="review_id")
