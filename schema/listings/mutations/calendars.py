"""Outside calendars that block a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.hosting import calendars
from apps.hosting.addresses import rotate_listing_feed
from schema.core.ids import read_global_id
from schema.core.inputs import text
from schema.core.mutations import Mutation
from schema.core.permissions import host
from schema.listings.types import ListingPayload, read_listing_id

if TYPE_CHECKING:
    from schema.core.context import Context


class ImportCalendarInput(graphene.InputObjectType):
    """An outside iCal feed and the listing that it blocks."""

    listing_id = graphene.ID(required=True, description="The listing; all its units are blocked.")
    name = text(150, required=True, description="What to call it; once for each listing.")
    url = text(
        2_000,
        required=True,
        description="Where the feed is: an http or https address on the internet, without a password.",
    )


class RotateListingCalendarUrlInput(graphene.InputObjectType):
    """Names a listing."""

    listing_id = graphene.ID(required=True, description="The listing whose feed gets another address.")


class RemoveCalendarInput(graphene.InputObjectType):
    """Names an outside calendar."""

    calendar_id = graphene.ID(required=True, description="The calendar, as `Listing.calendars` names it.")


class ImportCalendar(Mutation):
    """Let an outside iCal feed block a listing. It is fetched soon, and again every quarter of an hour."""

    permission = host
    input_type = ImportCalendarInput
    payload_type = ListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = calendars.import_calendar(
            viewer=context.require_user(),
            listing_id=read_listing_id(data.listing_id),
            name=data.name,
            url=data.url,
            now=context.now,
        )
        return {"listing": listing}


class RemoveCalendar(Mutation):
    """Forget an outside calendar and free what it blocked."""

    permission = host
    input_type = RemoveCalendarInput
    payload_type = ListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = calendars.remove_calendar(
            viewer=context.require_user(), calendar_id=read_global_id(data.calendar_id, "Calendar"), now=context.now
        )
        return {"listing": listing}


class RotateListingCalendarUrl(Mutation):
    """Give the iCal feed of a listing another secret address. The one before opens nothing any more."""

    permission = host
    input_type = RotateListingCalendarUrlInput
    payload_type = ListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = rotate_listing_feed(viewer=context.require_user(), listing_id=read_listing_id(data.listing_id))
        return {"listing": listing}
