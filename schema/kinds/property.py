"""Homes, booked by nights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import graphene

from apps.core.money import Money as Amount
from schema.core.nodes import Node
from schema.core.scalars import Decimal, Time
from schema.kinds.mutations import CreateFields, CreateListing, UpdateFields, UpdateListing
from schema.listings.types import Listing, register_kind, shared_or_own
from schema.listings.values import Money, MoneyInput

if TYPE_CHECKING:
    from apps.listings.models import Listing as ListingRow
    from schema.core.context import Info

KIND = "PROPERTY"


class Property(graphene.ObjectType):
    """A home, booked by nights."""

    class Meta:
        interfaces = (Node, Listing)
        default_resolver = shared_or_own

    property_type = graphene.String(required=True, description="What sort of home it is, in the host's words.")
    max_guests = graphene.Int(required=True, description="How many people may stay.")
    bedrooms = graphene.Int(required=True, description="How many bedrooms it has.")
    beds = graphene.Int(required=True, description="How many beds it has.")
    bathrooms = Decimal(required=True, description="How many bathrooms it has; a half is one without bath or shower.")
    amenities = graphene.List(
        graphene.NonNull(graphene.String), required=True, description="What it offers, such as Wifi."
    )
    check_in_time = Time(required=True, description="From when guests may arrive, on the listing's clock.")
    check_out_time = Time(required=True, description="Until when guests leave, on the listing's clock.")
    min_nights = graphene.Int(required=True, description="The shortest stay, in nights.")
    max_nights = graphene.Int(required=True, description="The longest stay, in nights.")
    cleaning_fee = graphene.Field(Money, required=True, description="What is added once to each stay; 0 for nothing.")
    units = graphene.Int(required=True, description="How many alike there are, each booked by itself.")

    def resolve_cleaning_fee(listing: ListingRow, info: Info) -> Amount:
        return Amount(listing.property.cleaning_fee_minor or 0, listing.currency)


register_kind(KIND, Property, shows={"cleaning_fee": ("property__cleaning_fee_minor", "currency")})


class PropertyFields:
    """What can be left out when creating, and is left as it is when updating."""

    property_type = graphene.String(description="What sort of home it is, at most 120 characters.")
    bedrooms = graphene.Int(description="How many bedrooms, from 0 to 100; 1 at first.")
    beds = graphene.Int(description="How many beds, from 0 to 100; 1 at first.")
    bathrooms = Decimal(description="How many bathrooms, in halves or tenths; 1 at first.")
    amenities = graphene.List(
        graphene.NonNull(graphene.String), description="What it offers; at most 100, of 120 characters each."
    )
    check_in_time = Time(description="From when guests may arrive, on the listing's clock; 15:00 at first.")
    check_out_time = Time(
        description="Until when guests leave, on the listing's clock, not after the check-in time; 11:00 at first."
    )
    min_nights = graphene.Int(description="The shortest stay, in nights; 1 at first.")
    max_nights = graphene.Int(description="The longest stay, in nights; 365 at first.")
    cleaning_fee = graphene.InputField(
        MoneyInput, description="What is added once to each stay, in the price's currency; null for nothing."
    )
    units = graphene.Int(description="How many alike there are, from 1 to 500; 1 at first.")


class CreatePropertyInput(CreateFields, PropertyFields, graphene.InputObjectType):
    """A new property."""

    max_guests = graphene.Int(required=True, description="How many people may stay, from 1 to 100.")


class UpdatePropertyInput(UpdateFields, PropertyFields, graphene.InputObjectType):
    """Changes of a property. What is left out stays as it is."""

    max_guests = graphene.Int(description="How many people may stay, from 1 to 100.")


class CreateProperty(CreateListing):
    """Create a property as a draft, with its units."""

    kind_code = KIND
    input_type = CreatePropertyInput


class UpdateProperty(UpdateListing):
    """Change a property. What is booked stands as it was booked; fewer units sell less from now on."""

    kind_code = KIND
    input_type = UpdatePropertyInput


class PropertyMutations:
    """Mixed into Mutation."""

    create_property = CreateProperty.Field()
    update_property = UpdateProperty.Field()


MUTATIONS = PropertyMutations
