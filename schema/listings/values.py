"""Values that listings and bookings share: money, periods, places, prices.

Money, Period and PriceLine show `apps.core.money.Money`, `apps.core.periods.Period` and a line of a quote or a booking as they are;
Location shows a listing.
"""

from __future__ import annotations

import decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import graphene

from apps.bookings.quotes import QuoteResult
from apps.core.errors import InputErrors
from apps.core.periods import Period as Span
from apps.listings.kinds import kind_of, kinds_in_order
from apps.listings.models import CancellationPolicy as PolicyChoices
from apps.listings.models import ListingStatus as StatusChoices
from schema.core.errors import UserError, user_errors
from schema.core.ids import to_global_id
from schema.core.scalars import BigInt, DateTime, Decimal
from schema.listings.loaders import opened_addresses

if TYPE_CHECKING:
    from apps.availability.models import Block as BlockRow
    from apps.core.money import Money as Amount
    from apps.hosting.models import ImportedCalendar
    from apps.listings.models import Listing as ListingRow
    from schema.core.context import Info


def enum_of(name: str, about: str, values: dict[str, str]) -> Any:
    """A GraphQL enum whose values are their own names, each with its description."""
    return graphene.Enum.from_enum(
        Enum(name, {value: value for value in values}),
        name=name,
        description=lambda value: about if value is None else values[value.value],
    )


CancellationPolicy = enum_of(
    "CancellationPolicy",
    "What a guest gets back after canceling. After the start it is nothing.",
    {
        PolicyChoices.FLEXIBLE: "Everything until 24 hours before the start.",
        PolicyChoices.MODERATE: "Everything until 5 days before the start, then half until the start.",
        PolicyChoices.STRICT: "Half until 7 days before the start.",
        PolicyChoices.NON_REFUNDABLE: "Nothing.",
    },
)
ListingKind = enum_of("ListingKind", "What is offered.", {kind.code: kind.about for kind in kinds_in_order()})
ListingStatus = enum_of(
    "ListingStatus",
    "How far a listing is open to the public.",
    {
        StatusChoices.DRAFT: "Only its host and staff see it.",
        StatusChoices.PUBLISHED: "Everybody sees it and can book it.",
        StatusChoices.ARCHIVED: "Off the market; its host, staff and those who booked it see it.",
    },
)
PriceUnit = enum_of(
    "PriceUnit",
    "What the price of a listing is for.",
    {"NIGHT": "One night.", "APPOINTMENT": "One appointment.", "TICKET": "One ticket.", "HOUR": "One hour."},
)
DistanceUnit = enum_of(
    "DistanceUnit",
    "In what a distance is told.",
    {"KM": "Kilometres.", "MI": "Miles of 1.609344 kilometres."},
)


class Money(graphene.ObjectType):
    """An amount of money in one currency."""

    amount_minor = BigInt(required=True, description="The amount in minor units: cents, yen, fils.")
    amount = Decimal(required=True, description="The amount in major units, with the currency's number of digits.")
    currency = graphene.String(required=True, description="The ISO 4217 code of the currency, in upper case.")

    def resolve_amount_minor(money: Amount, info: Info) -> int:
        return money.minor


class MoneyInput(graphene.InputObjectType):
    """An amount of money in one currency."""

    amount_minor = BigInt(required=True, description="The amount in minor units: cents, yen, fils.")
    currency = graphene.String(required=True, description="The ISO 4217 code of the currency, in upper case.")


class Period(graphene.ObjectType):
    """A half-open period: the start is part of it, the end is not."""

    start = DateTime(required=True, description="When it begins.")
    end = DateTime(required=True, description="When it is over.")


class Location(graphene.ObjectType):
    """Where a listing is."""

    latitude = graphene.Float(description="Degrees north of the equator; null when it is not known.")
    longitude = graphene.Float(description="Degrees east of Greenwich; null when it is not known.")
    address = graphene.String(
        required=True,
        description="Street and number. Of a home it is empty but for its host, staff and guests with a confirmed booking.",
    )
    city = graphene.String(required=True, description="The city.")
    region = graphene.String(required=True, description="The region or state.")
    country = graphene.String(required=True, description="The country.")
    time_zone = graphene.String(required=True, description="The IANA time zone, whose days and wall-clock times count.")

    async def resolve_address(listing: ListingRow, info: Info) -> str:
        viewer = info.context.user
        if not kind_of(listing).has_private_address:
            return listing.address
        if viewer is not None and (info.context.is_staff or listing.host_id == viewer.pk):
            return listing.address
        return listing.address if await info.context.load(opened_addresses, listing.pk) else ""


class LocationInput(graphene.InputObjectType):
    """Where a listing is. In an update, what is left out stays as it is."""

    latitude = graphene.Float(description="Degrees north of the equator, from -90 to 90; goes with the longitude.")
    longitude = graphene.Float(
        description="Degrees east of Greenwich, above -180 and up to 180; goes with the latitude."
    )
    address = graphene.String(description="Street and number, at most 300 characters.")
    city = graphene.String(description="The city, at most 120 characters.")
    region = graphene.String(description="The region or state, at most 120 characters.")
    country = graphene.String(description="The country, at most 120 characters.")
    time_zone = graphene.String(required=True, description="The IANA time zone, such as Europe/Berlin.")


class Block(graphene.ObjectType):
    """A period that is off the market."""

    period = graphene.Field(Period, required=True, description="When it is off the market.")
    reason = graphene.String(required=True, description="Why, as the host noted it.")
    source = graphene.String(required=True, description="HOST, or the name of the imported calendar it came from.")

    def resolve_period(block: BlockRow, info: Info) -> Span:
        return Span(block.period.lower, block.period.upper)


class Calendar(graphene.ObjectType):
    """An outside calendar that blocks the listing."""

    id = graphene.ID(required=True, description="An opaque id, for removing it.")
    name = graphene.String(required=True, description="What the host calls it.")
    url = graphene.String(required=True, description="Where it is fetched from.")
    last_synced_at = DateTime(description="When it was last read; null when it never was.")
    last_error = graphene.String(description="What went wrong at the last try; null when nothing did.")

    def resolve_id(calendar: ImportedCalendar, info: Info) -> str:
        return to_global_id("Calendar", calendar.pk)

    def resolve_last_error(calendar: ImportedCalendar, info: Info) -> str | None:
        return calendar.last_error or None


class PriceLine(graphene.ObjectType):
    """One line of a price."""

    label = graphene.String(required=True, description="What it is for.")
    quantity = Decimal(required=True, description="How many: nights, tickets, hours.")
    unit_amount = graphene.Field(Money, required=True, description="The price of one.")
    amount = graphene.Field(Money, required=True, description="Quantity times the price of one, rounded once.")

    def resolve_quantity(line: Any, info: Info) -> decimal.Decimal:
        # The database pads with zeros: 2.0000.
        quantity: decimal.Decimal = line.quantity
        return quantity.normalize()


class Quote(graphene.ObjectType):
    """What a booking would cost, and whether it could be made now."""

    lines = graphene.List(
        graphene.NonNull(PriceLine), required=True, description="The itemised price; empty when it cannot be told."
    )
    total = graphene.Field(Money, description="The sum of the lines; null when it cannot be told.")
    available = graphene.Boolean(required=True, description="Whether it could be booked now.")
    errors = graphene.List(graphene.NonNull(UserError), required=True, description="Why it could not be booked.")

    def resolve_available(result: QuoteResult, info: Info) -> bool:
        return result.is_available

    def resolve_errors(result: QuoteResult, info: Info) -> list[dict[str, Any]]:
        return user_errors(InputErrors(result.errors))
