"""What is read for fields of a listing, and can come along with the listing itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from apps.availability import calendars
from apps.core.families import LISTINGS
from apps.hosting.selectors import images_along
from schema.core.lookahead import Coming, Fields
from schema.listings import loaders
from schema.listings.windows import read_window
from schema.reviews.types import reviews_along

if TYPE_CHECKING:
    from schema.core.context import Info


def pictures_along(info: Info) -> Coming:
    """Its pictures."""
    return Coming(loaders.images_by_listing, images_along(), families=(LISTINGS,))


def free_periods_along(info: Info, from_: datetime, to: datetime) -> Coming | None:
    """When it is taken in the window. Not where what is free may be kept: then that is looked for first."""
    context = info.context
    if context.kept is not None:
        return None
    window = read_window(from_, to)

    def periods(found: dict[int, Any], listings: list[Any]) -> dict[Any, Any]:
        free = calendars.free_periods_of(listings, window, now=context.now, came=found)
        return {(listing, window): free[listing.pk] for listing in listings}

    return Coming(loaders.free_periods, calendars.busy_along(window, now=context.now), periods)


ALONG: Fields = {"reviews": reviews_along, "images": pictures_along, "availability": free_periods_along}
