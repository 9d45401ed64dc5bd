"""Who may change a listing."""

from django.conf import settings

from apps.bookings.selectors import booked_listing_ids
from apps.core.errors import AccountClosed, NotAllowed, NotFound
from apps.hosting.models import ImportedCalendar
from apps.listings.kinds import relations
from apps.listings.models import Image, Listing, ListingStatus
from apps.users.models import User, UserRole


def listing_for_host(*, viewer: User, listing_id: int | None, field: str, lock: bool = False) -> Listing:
    """The listing with its kind's row, to be changed by its host or by staff.

    With `lock` its row is locked in the caller's transaction, so that whoever changes a listing, blocks a period of it
    or books it does so one after the other. Raises NotFound at `field` for what was never there, was deleted or may not
    be seen; NotAllowed for what belongs to somebody else; AccountClosed for a host who left while it waited.
    """
    found: Listing | None = None
    if listing_id is not None:
        if lock:
            # By itself: a query that waits for a lock and joins shows the joined rows as they were before the wait.
            list(Listing.objects.select_for_update().filter(pk=listing_id).values_list("pk"))
        rows = Listing.objects.select_related("host", *relations())
        found = rows.filter(pk=listing_id, deleted_at=None).first()
    if lock and found is not None and found.host_id == viewer.pk and not found.host.is_active:
        raise AccountClosed
    if found is not None and (found.host_id == viewer.pk or viewer.role == UserRole.STAFF):
        return found
    if found is not None and _is_visible_to(found, viewer):
        raise NotAllowed("This listing belongs to somebody else.", field=field)
    raise NotFound("There is no such listing.", field=field)


def _is_visible_to(listing: Listing, viewer: User) -> bool:
    """Whether somebody who is neither host nor staff sees it: published, or archived with a booking of theirs."""
    if listing.status == ListingStatus.ARCHIVED:
        return bool(booked_listing_ids(viewer=viewer, listing_ids=[listing.pk]))
    return listing.status == ListingStatus.PUBLISHED


def image_for_host(*, viewer: User, image_id: int | None, field: str) -> Image:
    """The picture, to be removed by the host of its listing or by staff, with the listing locked.

    Raises NotFound and NotAllowed at `field`, as for the listing.
    """
    image = None if image_id is None else Image.objects.filter(pk=image_id).first()
    if image is None:
        raise NotFound("There is no such picture.", field=field)
    image.listing = listing_for_host(viewer=viewer, listing_id=image.listing_id, field=field, lock=True)
    # Somebody may have removed it while we waited for the lock.
    if not Image.objects.filter(pk=image.pk).exists():
        raise NotFound("There is no such picture.", field=field)
    return image


def calendar_for_host(*, viewer: User, calendar_id: int | None, field: str) -> ImportedCalendar:
    """The calendar, to be removed by the host of its listing or by staff, with the listing locked.

    Raises NotFound and NotAllowed at `field`, as for the listing; who may not see calendars is told of none.
    """
    found = None if calendar_id is None else ImportedCalendar.objects.filter(pk=calendar_id).first()
    if found is None:
        raise NotFound("There is no such calendar.", field=field)
    found.listing = listing_for_host(viewer=viewer, listing_id=found.listing_id, field=field, lock=True)
    # Somebody may have removed it while we waited for the lock.
    if not ImportedCalendar.objects.filter(pk=found.pk).exists():
        raise NotFound("There is no such calendar.", field=field)
    return found


def require_verified_email(viewer: User) -> None:
    """Raises NotAllowed for an account that has not shown that its email is its own, where that is required."""
    if settings.REQUIRE_VERIFIED_EMAIL and viewer.email_verified_at is None:
        raise NotAllowed("Verify your email address first.")
