"""Onto the market, off it, and gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.hosting import actions
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import host
from schema.listings.types import ListingPayload, listing_global_id, read_listing_id

if TYPE_CHECKING:
    from schema.core.context import Context


class ListingIdInput(graphene.InputObjectType):
    """Which listing."""

    id = graphene.ID(required=True, description="The listing.")


class DeleteListingPayload(Payload):
    """The id of what is gone, or why it is still there."""

    deleted_id = graphene.ID(description="The id that the listing had.")


class PublishListing(Mutation):
    """Offer a listing to everybody. Publishing it again changes nothing."""

    permission = host
    input_type = ListingIdInput
    payload_type = ListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = actions.publish_listing(
            viewer=context.require_user(), listing_id=read_listing_id(data.id), now=context.now
        )
        return {"listing": listing}


class ArchiveListing(Mutation):
    """Take a listing off the market. Its live bookings stand; archiving it again changes nothing."""

    permission = host
    input_type = ListingIdInput
    payload_type = ListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = actions.archive_listing(
            viewer=context.require_user(), listing_id=read_listing_id(data.id), now=context.now
        )
        return {"listing": listing}


class DeleteListing(Mutation):
    """Make a listing gone for everybody. Refused while it has live bookings; past bookings still show it."""

    permission = host
    input_type = ListingIdInput
    payload_type = DeleteListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = actions.delete_listing(
            viewer=context.require_user(), listing_id=read_listing_id(data.id), now=context.now
        )
        return {"deleted_id": listing_global_id(listing)}
