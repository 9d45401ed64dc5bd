"""Parking spots, paid by the minute."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import graphene

from schema.core.nodes import Node
from schema.kinds.mutations import CreateFields, CreateListing, UpdateFields, UpdateListing
from schema.listings.loaders import free_until
from schema.listings.types import Listing, register_kind, shared_or_own

if TYPE_CHECKING:
    from apps.listings.models import Listing as ListingRow
    from schema.core.context import Info

KIND = "PARKING_SPOT"
# Nothing shorter can be booked.
SHORTEST = timedelta(minutes=1)


class ParkingSpot(graphene.ObjectType):
    """A parking spot, paid by the minute at an hourly price when the driver leaves."""

    class Meta:
        interfaces = (Node, Listing)
        default_resolver = shared_or_own

    street = graphene.String(required=True, description="The street it is in.")
    max_minutes = graphene.Int(required=True, description="The longest parking time, in minutes.")
    available_now = graphene.Boolean(required=True, description="Whether a car could be parked there this minute.")

    async def resolve_available_now(listing: ListingRow, info: Info) -> bool:
        return bool(await info.context.load(free_until, (listing.pk, info.context.now + SHORTEST)))


register_kind(KIND, ParkingSpot, shows={"available_now": ()})


class CreateParkingSpotInput(CreateFields, graphene.InputObjectType):
    """A new parking spot. Its location needs coordinates."""

    street = graphene.String(required=True, description="The street it is in, at most 300 characters.")
    max_minutes = graphene.Int(description="The longest parking time, from 1 to 43,200 minutes; 1,440 unless said.")


class UpdateParkingSpotInput(UpdateFields, graphene.InputObjectType):
    """Changes of a parking spot. What is left out stays as it is."""

    street = graphene.String(description="The street it is in, at most 300 characters.")
    max_minutes = graphene.Int(description="The longest parking time, from 1 to 43,200 minutes.")


class CreateParkingSpot(CreateListing):
    """Create a parking spot as a draft."""

    kind_code = KIND
    input_type = CreateParkingSpotInput


class UpdateParkingSpot(UpdateListing):
    """Change a parking spot. What is booked stands as it was booked."""

    kind_code = KIND
    input_type = UpdateParkingSpotInput


class ParkingSpotMutations:
    """Mixed into Mutation."""

    create_parking_spot = CreateParkingSpot.Field()
    update_parking_spot = UpdateParkingSpot.Field()


MUTATIONS = ParkingSpotMutations
