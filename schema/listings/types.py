"""A listing as everybody sees it. The kinds add their own fields in `schema.kinds`.

A kind's type names both interfaces and inherits every field and resolver from here:

    class Property(graphene.ObjectType):
        class Meta:
            interfaces = (Node, Listing)
            default_resolver = shared_or_own
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import graphene

from apps.core.periods import Period as Span
from apps.core.pictures import picture_url
from apps.core.rows import has_read
from apps.hosting.selectors import images_by_ids
from apps.listings.kinds import kind_of
from apps.listings.models import Image as ImageRow
from apps.listings.models import Listing as ListingRow
from apps.listings.offers import BookingRequest
from apps.listings.selectors import listings_by_id
from schema.core.default_resolvers import MISSING, absent, read, told_by
from schema.core.ids import read_global_id, to_global_id
from schema.core.mutations import Payload
from schema.core.nodes import Node, graphene_type_of, register_model, register_node
from schema.core.pagination import connection_field, connection_type
from schema.core.scalars import Date, DateTime
from schema.listings import loaders
from schema.listings.values import (
    Block,
    Calendar,
    CancellationPolicy,
    DistanceUnit,
    ListingKind,
    ListingStatus,
    Location,
    Money,
    Period,
    PriceUnit,
    Quote,
)
from schema.listings.windows import cached_periods, read_window, window_arguments
from schema.reviews.types import ReviewConnection, load_reviews

if TYPE_CHECKING:
    from apps.bookings.quotes import QuoteResult
    from apps.core.money import Money as Amount
    from schema.core.context import Context, Info
    from schema.core.loaders import Deferred

KM_PER_MILE = 1.609344

# The type of each kind, by the kind's code; filled by `schema.kinds`.
kind_types: dict[str, Any] = {}
# By the kind's code: of its own fields that are no columns, the columns that they are shown from. See `schema.listings.columns`.
shown_from: dict[str, Mapping[str, tuple[str, ...]]] = {}


def register_kind(code: str, graphene_type: Any, *, shows: Mapping[str, tuple[str, ...]] | None = None) -> None:
    """Show listings of the kind as this type. `shows` tells of fields with resolvers which columns these look at, as lookups
    from the listing; none where they read by its key what they show. Of what is not told of, lists read all that there is.
    """
    kind_types[code] = graphene_type
    shown_from[code] = shows or {}


def listing_type_names() -> list[str]:
    """The type names that a listing's global id can have."""
    return [graphene_type._meta.name for graphene_type in kind_types.values()]


def read_listing_id(value: object) -> int | None:
    """The key in the global id of a listing of any kind, else None."""
    return read_global_id(value, *listing_type_names())


def listing_global_id(listing: ListingRow) -> str:
    """The global id of the listing, under its kind's type."""
    return to_global_id(kind_types[listing.kind]._meta.name, listing.pk)


register_model(ListingRow, lambda row: kind_types[row.kind])


class Image(graphene.ObjectType):
    """A picture of a listing."""

    class Meta:
        interfaces = (Node,)

    url = graphene.String(required=True, description="Where the picture is, for everybody.")
    alt = graphene.String(required=True, description="What it shows, in words.")
    position = graphene.Int(required=True, description="Its place among the pictures of the listing, from 0.")

    def resolve_url(image: ImageRow, info: Info) -> str:
        return picture_url(str(image.file))


def quote_arguments() -> dict[str, graphene.Argument]:
    """What a quote is asked with. Each kind reads its own and refuses the others."""
    return {
        "check_in": graphene.Argument(Date, description="The day of arrival, of a property."),
        "check_out": graphene.Argument(Date, description="The day of departure, of a property."),
        "starts_at": graphene.Argument(DateTime, description="When it begins, of a service or a parking spot."),
        "ends_at": graphene.Argument(DateTime, description="When it ends, of a parking spot."),
        "tickets": graphene.Argument(graphene.Int, description="How many tickets, of an event."),
    }


def quote_of(context: Context, listing: ListingRow, arguments: Mapping[str, Any]) -> Deferred[QuoteResult | None]:
    """What the arguments of a quote field come to."""
    return context.load(loaders.quotes, (listing, BookingRequest(**arguments)))


def images_for_node(context: Context, pks: list[int]) -> dict[int, ImageRow]:
    """Those of the pictures whose listing the caller sees."""
    images = images_by_ids(ids=pks)
    seen = listings_by_id(listing_ids={image.listing_id for image in images.values()}, viewer=context.user)
    return {pk: image for pk, image in images.items() if image.listing_id in seen}


register_node(Image, images_for_node, model=ImageRow)


class Listing(graphene.Interface):
    """Something bookable."""

    class Meta:
        interfaces = (Node,)

    id = graphene.ID(required=True, description="The id of the listing, under its kind's type.")
    kind = graphene.Field(ListingKind, required=True, description="What is offered.")
    status = graphene.Field(ListingStatus, required=True, description="How far it is open to the public.")
    title = graphene.String(required=True, description="Its title.")
    description = graphene.String(required=True, description="What the host says of it.")
    host = graphene.Field("schema.users.types.User", required=True, description="Whose it is.")
    location = graphene.Field(Location, required=True, description="Where it is.")
    distance = graphene.Float(
        unit=graphene.Argument(
            graphene.NonNull(DistanceUnit), default_value="KM", description="In what the distance is told."
        ),
        description="How far it is from the `near` of the search that found it; null without one.",
    )
    images = graphene.List(graphene.NonNull(Image), required=True, description="Its pictures, in order.")
    price = graphene.Field(Money, required=True, description="The price of one unit.")
    price_unit = graphene.Field(PriceUnit, required=True, description="What the price is for.")
    cancellation_policy = graphene.Field(
        CancellationPolicy, required=True, description="What a guest gets back after canceling."
    )
    rating_average = graphene.Float(description="The mean of its ratings with two decimals; null without any.")
    rating_count = graphene.Int(required=True, description="How many ratings it has.")
    reviews = connection_field(ReviewConnection, description="What guests say of it, newest first.")
    availability = graphene.List(
        graphene.NonNull(Period),
        required=True,
        **window_arguments(),
        description="When it is free inside the window, merged and in order. Of an event: its period while a ticket is left.",
    )
    quote = graphene.Field(
        Quote, required=True, **quote_arguments(), description="What it would cost, and whether it is free."
    )
    blocks = graphene.List(
        graphene.NonNull(Block),
        required=True,
        **window_arguments(),
        description="What is off the market in the window; empty but for its host and staff.",
    )
    calendars = graphene.List(
        graphene.NonNull(Calendar),
        required=True,
        description="The outside calendars that block it; empty but for its host and staff.",
    )
    calendar_url = graphene.String(
        description="The secret iCal feed of when it is taken, for calendar programs and other houses; null but for its host "
        "and staff."
    )
    viewer_can_review = graphene.Boolean(
        required=True, description="Whether you have a completed booking of it and have not reviewed it yet."
    )
    created_at = DateTime(required=True, description="When it was created.")
    updated_at = DateTime(required=True, description="When it was last changed.")

    @classmethod
    @told_by(graphene_type_of)
    def resolve_type(cls, instance: Any, info: Info) -> Any:
        return graphene_type_of(instance)

    def resolve_host(listing: ListingRow, info: Info) -> Any:
        return listing.host if has_read(listing, "host") else _host(listing, info)

    def resolve_location(listing: ListingRow, info: Info) -> ListingRow:
        return listing

    def resolve_distance(listing: ListingRow, info: Info, unit: Any) -> float | None:
        distance_km: float | None = getattr(listing, "distance_km", None)
        if distance_km is None:
            return None
        return distance_km / KM_PER_MILE if getattr(unit, "value", unit) == "MI" else distance_km

    def resolve_images(listing: ListingRow, info: Info) -> Any:
        return info.context.load(loaders.images_by_listing, listing.pk)

    def resolve_price(listing: ListingRow, info: Info) -> Amount:
        return listing.price

    def resolve_price_unit(listing: ListingRow, info: Info) -> str:
        return kind_of(listing).price_unit

    def resolve_rating_average(listing: ListingRow, info: Info) -> float | None:
        return None if listing.rating_average is None else float(listing.rating_average)

    def resolve_reviews(listing: ListingRow, info: Info, **arguments: object) -> Any:
        return load_reviews(info, listing.pk, arguments)

    @cached_periods("Listing.availability")
    def resolve_availability(listing: ListingRow, info: Info, from_: Any, to: Any) -> Any:
        return info.context.load(loaders.free_periods, (listing, read_window(from_, to)))

    def resolve_quote(listing: ListingRow, info: Info, **arguments: Any) -> Deferred[QuoteResult | None]:
        return quote_of(info.context, listing, arguments)

    def resolve_blocks(listing: ListingRow, info: Info, from_: Any, to: Any) -> Any:
        window: Span = read_window(from_, to)
        if not is_hosted_by(info.context, listing):
            return []
        return info.context.load(loaders.blocks_in, (listing, window))

    def resolve_calendars(listing: ListingRow, info: Info) -> Any:
        return (
            info.context.load(loaders.calendars_by_listing, listing.pk) if is_hosted_by(info.context, listing) else []
        )

    def resolve_calendar_url(listing: ListingRow, info: Info) -> Any:
        return info.context.load(loaders.feeds_by_listing, listing.pk) if is_hosted_by(info.context, listing) else None

    def resolve_viewer_can_review(listing: ListingRow, info: Info) -> Any:
        return info.context.load(loaders.reviewable_listings, listing.pk)


def _host(listing: ListingRow, info: Info) -> Any:
    return info.context.load(loaders.hosts_by_id, listing.host_id)


def is_hosted_by(context: Context, listing: ListingRow) -> bool:
    """Whether the caller is its host or staff."""
    return context.is_staff or (context.user is not None and context.user.pk == listing.host_id)


class SharedOrOwn:
    """The default resolver of the kinds' types: a field of the listing itself where all kinds have it, else of the kind's
    row.
    """

    def __call__(self, name: str, default: Any, listing: ListingRow, info: Info, **_arguments: Any) -> Any:
        return read(listing if self.reads_attribute(name) else kind_of(listing).details(listing), name, default)

    def from_object(self, _type_name: str, name: str, default: Any) -> Callable[[ListingRow], Any]:
        """The same of a field of the kind's row, as a function of the listing alone."""

        def read_own(listing: ListingRow) -> Any:
            details = kind_of(listing).details(listing)
            value = getattr(details, name, MISSING)
            return absent(details, name, default) if value is MISSING else value

        return read_own

    def reads_attribute(self, name: str) -> bool:
        """Whether the listing's attribute of this name is all that the field shows."""
        return name in Listing._meta.fields


shared_or_own = SharedOrOwn()


ListingConnection = connection_type(Listing)


class ListingPayload(Payload):
    """A listing, or why nothing was changed."""

    listing = graphene.Field(Listing, description="The listing as it is now.")
