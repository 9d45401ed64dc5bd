"""Appointments."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import graphene

from apps.core.families import AVAILABILITY, LISTINGS
from apps.core.versions import only
from apps.kinds.service.selectors import opening_hours_of, read_opening_hours, slots_of
from schema.core.errors import QueryTooComplex
from schema.core.nodes import Node
from schema.core.scalars import Time
from schema.kinds.mutations import CreateFields, CreateListing, UpdateFields, UpdateListing
from schema.listings.loaders import by_window
from schema.listings.types import Listing, register_kind, shared_or_own
from schema.listings.values import Period
from schema.listings.windows import cached_periods, read_window, window_arguments

if TYPE_CHECKING:
    from apps.core.periods import Period as Span
    from apps.listings.models import Listing as ListingRow
    from schema.core.context import Context, Info

KIND = "SERVICE"
# On the clock, open or not.
MOST_SLOTS = 20_000


class OpeningHours(graphene.ObjectType):
    """When a service is open on one day of the week, on the listing's clock."""

    weekday = graphene.Int(required=True, description="The day of the week: 1 is Monday, 7 is Sunday.")
    opens_at = Time(required=True, description="When it opens; the first appointment begins then.")
    closes_at = Time(required=True, description="When it closes; 00:00 is the end of the day.")


class OpeningHoursInput(graphene.InputObjectType):
    """When a service is open on one day of the week, on the listing's clock."""

    weekday = graphene.Int(required=True, description="The day of the week: 1 is Monday, 7 is Sunday.")
    opens_at = Time(required=True, description="When it opens; the first appointment begins then.")
    closes_at = Time(required=True, description="When it closes; 00:00 is the end of the day.")


def opening_hours(context: Context, listings: list[ListingRow]) -> dict[ListingRow, list[Any]]:
    """The opening hours of each service, from Monday on."""
    with only(LISTINGS, *(listing.pk for listing in listings)):
        read_opening_hours(listings)
    return {listing: opening_hours_of(listing) for listing in listings}


def free_slots(context: Context, keys: list[tuple[ListingRow, Span]]) -> dict[tuple[ListingRow, Span], list[Span]]:
    """The free appointments of each service inside the window that was asked for."""
    found: dict[tuple[ListingRow, Span], list[Span]] = {}
    for window, listings in by_window(keys).items():
        pks = [listing.pk for listing in listings]
        with only(LISTINGS, *pks), only(AVAILABILITY, *pks):
            slots = slots_of(listings=listings, window=window, now=context.now)
        found.update({(listing, window): slots[listing.pk] for listing in listings})
    return found


class Service(graphene.ObjectType):
    """Appointments on a grid of slots."""

    class Meta:
        interfaces = (Node, Listing)
        default_resolver = shared_or_own

    duration_minutes = graphene.Int(required=True, description="How long an appointment takes, in minutes.")
    buffer_minutes = graphene.Int(required=True, description="How long nothing follows an appointment, in minutes.")
    staff = graphene.Int(required=True, description="How many people serve, each one guest at a time.")
    opening_hours = graphene.List(
        graphene.NonNull(OpeningHours), required=True, description="When it is open, from Monday on."
    )
    slots = graphene.List(
        graphene.NonNull(Period),
        required=True,
        **window_arguments(),
        description="The free appointments to come that lie inside the window, in order; "
        f"QUERY_TOO_COMPLEX for a window with room for more than {MOST_SLOTS:,}.",
    )

    def resolve_opening_hours(listing: ListingRow, info: Info) -> Any:
        return info.context.load(opening_hours, listing)

    @cached_periods("Service.slots")
    def resolve_slots(listing: ListingRow, info: Info, from_: Any, to: Any) -> Any:
        window = read_window(from_, to)
        service = listing.service
        if window.length > MOST_SLOTS * timedelta(minutes=service.duration_minutes + service.buffer_minutes):
            raise QueryTooComplex(f"There are more than {MOST_SLOTS} appointments in the window; ask for fewer days.")
        return info.context.load(free_slots, (listing, window))


register_kind(KIND, Service)


class ServiceFields:
    """What can be left out when creating, and is left as it is when updating."""

    buffer_minutes = graphene.Int(
        description="How long nothing follows an appointment, from 0 to 1,440 minutes; 0 at first."
    )
    staff = graphene.Int(description="How many people serve, from 1 to 200; 1 at first.")


class CreateServiceInput(CreateFields, ServiceFields, graphene.InputObjectType):
    """A new service."""

    duration_minutes = graphene.Int(
        required=True, description="How long an appointment takes, from 1 to 1,440 minutes."
    )
    opening_hours = graphene.List(
        graphene.NonNull(OpeningHoursInput),
        required=True,
        description="When it is open; at least one entry, and none that overlap.",
    )


class UpdateServiceInput(UpdateFields, ServiceFields, graphene.InputObjectType):
    """Changes of a service. What is left out stays as it is."""

    duration_minutes = graphene.Int(description="How long an appointment takes, from 1 to 1,440 minutes.")
    opening_hours = graphene.List(
        graphene.NonNull(OpeningHoursInput),
        description="When it is open, in place of all that was said before; at least one entry, and none that overlap.",
    )


class CreateService(CreateListing):
    """Create a service as a draft, with its staff and opening hours."""

    kind_code = KIND
    input_type = CreateServiceInput


class UpdateService(UpdateListing):
    """Change a service. Appointments that are booked stand."""

    kind_code = KIND
    input_type = UpdateServiceInput


class ServiceMutations:
    """Mixed into Mutation."""

    create_service = CreateService.Field()
    update_service = UpdateService.Field()


MUTATIONS = ServiceMutations
