"""Periods off the market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.hosting import blocks
from schema.core.mutations import Mutation
from schema.core.permissions import host
from schema.core.scalars import DateTime
from schema.listings.types import ListingPayload, read_listing_id

if TYPE_CHECKING:
    from schema.core.context import Context


class BlockPeriodInput(graphene.InputObjectType):
    """A period to take off the market."""

    listing_id = graphene.ID(required=True, description="The listing; all its units are blocked.")
    start = DateTime(required=True, description="When the block begins.")
    end = DateTime(required=True, description="When it is over; at most ten years from now.")
    reason = graphene.String(description="A note for the host and staff, at most 1,000 characters.")


class UnblockPeriodInput(graphene.InputObjectType):
    """A period to put back on the market."""

    listing_id = graphene.ID(required=True, description="The listing.")
    start = DateTime(required=True, description="From when it is on the market again.")
    end = DateTime(required=True, description="Until when.")


class BlockPeriod(Mutation):
    """Take a period off the market. Refused as a whole where a booking lies in it."""

    permission = host
    input_type = BlockPeriodInput
    payload_type = ListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = blocks.block_period(
            viewer=context.require_user(),
            listing_id=read_listing_id(data.listing_id),
            start=data.start,
            end=data.end,
            reason=data.get("reason"),
            now=context.now,
        )
        return {"listing": listing}


class UnblockPeriod(Mutation):
    """Put a period back on the market. A block that sticks out of it is cut; where there is none nothing happens."""

    permission = host
    input_type = UnblockPeriodInput
    payload_type = ListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = blocks.unblock_period(
            viewer=context.require_user(),
            listing_id=read_listing_id(data.listing_id),
            start=data.start,
            end=data.end,
            now=context.now,
        )
        return {"listing": listing}
