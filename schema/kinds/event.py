"""Tickets for something that takes place once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import graphene

from schema.core.nodes import Node
from schema.core.scalars import DateTime
from schema.kinds.mutations import CreateFields, CreateListing, UpdateFields, UpdateListing
from schema.listings.loaders import tickets_left
from schema.listings.types import Listing, register_kind, shared_or_own

if TYPE_CHECKING:
    from apps.listings.models import Listing as ListingRow
    from schema.core.context import Info

KIND = "EVENT"


class Event(graphene.ObjectType):
    """Tickets for something that takes place once."""

    class Meta:
        interfaces = (Node, Listing)
        default_resolver = shared_or_own

    starts_at = DateTime(required=True, description="When it begins; until then it can be booked.")
    ends_at = DateTime(required=True, description="When it is over.")
    venue = graphene.String(required=True, description="Where it takes place.")
    total_tickets = graphene.Int(required=True, description="How many tickets there are in all.")
    available_tickets = graphene.Int(required=True, description="How many tickets could be booked now.")

    async def resolve_available_tickets(listing: ListingRow, info: Info) -> int:
        return await info.context.load(tickets_left, listing.pk) or 0


register_kind(KIND, Event, shows={"available_tickets": ()})


class CreateEventInput(CreateFields, graphene.InputObjectType):
    """A new event."""

    starts_at = DateTime(required=True, description="When it begins, in the future.")
    ends_at = DateTime(required=True, description="When it is over.")
    venue = graphene.String(required=True, description="Where it takes place, at most 300 characters.")
    total_tickets = graphene.Int(required=True, description="How many tickets there are, from 1 to 1,000,000.")


class UpdateEventInput(UpdateFields, graphene.InputObjectType):
    """Changes of an event. What is left out stays as it is."""

    starts_at = DateTime(description="When it begins, in the future; what is booked moves along.")
    ends_at = DateTime(description="When it is over; what is booked moves along.")
    venue = graphene.String(description="Where it takes place, at most 300 characters.")
    total_tickets = graphene.Int(description="How many tickets there are, not fewer than are sold.")


class CreateEvent(CreateListing):
    """Create an event as a draft, with its tickets."""

    kind_code = KIND
    input_type = CreateEventInput


class UpdateEvent(UpdateListing):
    """Change an event. Moved to another time, it takes its live bookings along, and their guests are told."""

    kind_code = KIND
    input_type = UpdateEventInput


class EventMutations:
    """Mixed into Mutation."""

    create_event = CreateEvent.Field()
    update_event = UpdateEvent.Field()


MUTATIONS = EventMutations
