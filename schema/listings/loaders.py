"""What listings are shown with, read for all listings of an answer at once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from apps.availability import calendars
from apps.availability.selectors import free_now, tickets_left_of
from apps.bookings.quotes import Asked, QuoteResult, quote_all
from apps.bookings.selectors import may_see_address
from apps.core.families import AVAILABILITY, LISTINGS
from apps.core.periods import Period
from apps.core.versions import only
from apps.hosting.addresses import feed_urls
from apps.hosting.selectors import calendars_of, images_of
from apps.listings.selectors import any_listings_by_id
from apps.reviews.selectors import reviewable
from apps.users.selectors import users_by_id

if TYPE_CHECKING:
    from apps.availability.models import Block
    from apps.hosting.models import ImportedCalendar
    from apps.listings.models import Image, Listing
    from apps.users.models import User
    from schema.core.context import Context

OPENED = "listings.opened_addresses"


def open_address(context: Context, listing_id: int) -> None:
    """Show the address in this answer: the caller has proved, by a booking's secret, to be its guest."""
    context.state.setdefault(OPENED, set()).add(listing_id)


def opened_addresses(context: Context, listing_ids: list[int]) -> dict[int, bool]:
    """Whether a booking opens the private address to the caller."""
    mine = may_see_address(viewer=context.user, listing_ids=listing_ids) | context.state.get(OPENED, set())
    return {pk: pk in mine for pk in listing_ids}


def hosts_by_id(context: Context, user_ids: list[int]) -> dict[int, User]:
    """The accounts behind listings; one that was deleted is still there, without its name."""
    return users_by_id(ids=user_ids)


def listings_by_id(context: Context, listing_ids: list[int]) -> dict[int, Listing]:
    """The listings of what the caller sees already, such as a review."""
    with only(LISTINGS, *listing_ids):
        return any_listings_by_id(listing_ids=listing_ids)


def images_by_listing(context: Context, listing_ids: list[int]) -> dict[int, list[Image]]:
    """The pictures of each listing, in order."""
    with only(LISTINGS, *listing_ids):
        return images_of(listing_ids=listing_ids)


def calendars_by_listing(context: Context, listing_ids: list[int]) -> dict[int, list[ImportedCalendar]]:
    """The outside calendars of listings that are the caller's to manage."""
    return calendars_of(listing_ids=listing_ids)


def feeds_by_listing(context: Context, listing_ids: list[int]) -> dict[int, str]:
    """The secret feeds of listings that are the caller's to manage."""
    return feed_urls(listing_ids=listing_ids)


def reviewable_listings(context: Context, listing_ids: list[int]) -> dict[int, bool]:
    """Whether the caller may review each of them."""
    open_to = reviewable(viewer=context.user, listing_ids=listing_ids)
    return {pk: pk in open_to for pk in listing_ids}


def free_periods(context: Context, keys: list[tuple[Listing, Period]]) -> dict[tuple[Listing, Period], list[Period]]:
    """When each listing is free inside the window that was asked for."""
    found: dict[tuple[Listing, Period], list[Period]] = {}
    for window, listings in by_window(keys).items():
        pks = [listing.pk for listing in listings]
        with only(LISTINGS, *pks), only(AVAILABILITY, *pks):
            free = calendars.free_periods_of(listings, window, now=context.now)
        found.update({(listing, window): free[listing.pk] for listing in listings})
    return found


def blocks_in(context: Context, keys: list[tuple[Listing, Period]]) -> dict[tuple[Listing, Period], list[Block]]:
    """The blocks of each listing that touch the window."""
    found: dict[tuple[Listing, Period], list[Block]] = {}
    for window, listings in by_window(keys).items():
        blocks = calendars.blocks_of_many([listing.pk for listing in listings], window)
        found.update({(listing, window): blocks[listing.pk] for listing in listings})
    return found


def by_window(keys: list[tuple[Listing, Period]]) -> dict[Period, list[Listing]]:
    """The listings, by the window that is asked of them."""
    windows: dict[Period, list[Listing]] = {}
    for listing, window in keys:
        windows.setdefault(window, []).append(listing)
    return windows


def quotes(context: Context, keys: list[Asked]) -> dict[Asked, QuoteResult]:
    """What each of the requests would cost at its listing, and whether it is free."""
    pks = [listing.pk for listing, _ in keys]
    with only(LISTINGS, *pks), only(AVAILABILITY, *pks):
        return quote_all(asked=keys, now=context.now)


def tickets_left(context: Context, listing_ids: list[int]) -> dict[int, int]:
    """How many tickets could be sold now."""
    with only(AVAILABILITY, *listing_ids):
        return tickets_left_of(listing_ids, now=context.now)


def free_until(context: Context, keys: list[tuple[int, datetime]]) -> dict[tuple[int, datetime], bool]:
    """Whether each listing is free from now until that instant."""
    by_end: dict[datetime, list[int]] = {}
    for listing_id, end in keys:
        by_end.setdefault(end, []).append(listing_id)
    found = {}
    for end, listing_ids in by_end.items():
        with only(AVAILABILITY, *listing_ids):
            free = free_now(listing_ids, now=context.now, until=end)
        found.update({(pk, end): is_free for pk, is_free in free.items()})
    return found
