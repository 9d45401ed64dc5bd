"""Creating and updating a listing, told once for all kinds. A kind adds its inputs:

    class CreatePropertyInput(CreateFields, graphene.InputObjectType): ...

    class CreateProperty(CreateListing):
        \"\"\"Create a property as a draft.\"\"\"

        kind_code = "PROPERTY"
        input_type = CreatePropertyInput

What a field may hold is checked by the actions: by `apps.hosting.fields` and the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

import graphene

from apps.core.money import Money
from apps.hosting import actions
from schema.core.ids import read_global_id
from schema.core.mutations import Mutation
from schema.core.permissions import host
from schema.listings.types import ListingPayload, kind_types
from schema.listings.values import CancellationPolicy, LocationInput, MoneyInput

if TYPE_CHECKING:
    from schema.core.context import Context


class CreateFields:
    """The input fields with which a listing of any kind is created."""

    title = graphene.String(
        required=True, description="Its title, at most 200 characters; once for each host and kind, in any case."
    )
    description = graphene.String(description="What the host says of it, at most 20,000 characters.")
    location = graphene.InputField(LocationInput, required=True, description="Where it is.")
    price = graphene.InputField(
        MoneyInput, required=True, description="The price of one unit, from 0 to 10,000,000,000 minor units."
    )
    cancellation_policy = graphene.InputField(
        CancellationPolicy, description="What a guest gets back after canceling; FLEXIBLE unless said."
    )


class UpdateFields:
    """The input fields with which a listing of any kind is updated. What is left out stays as it is."""

    id = graphene.ID(required=True, description="The listing.")
    title = graphene.String(description="Its title, at most 200 characters; once for each host and kind, in any case.")
    description = graphene.String(description="What the host says of it, at most 20,000 characters.")
    location = graphene.InputField(LocationInput, description="Where it is.")
    price = graphene.InputField(
        MoneyInput, description="The price of one unit, from 0 to 10,000,000,000 minor units; booked prices stand."
    )
    cancellation_policy = graphene.InputField(
        CancellationPolicy, description="What a guest gets back after canceling; booked terms stand."
    )


def plain(value: Any) -> Any:
    """An input as the actions take it: money as Money, enums as their values, objects as dictionaries."""
    if isinstance(value, MoneyInput):
        return Money(value["amount_minor"], value["currency"])
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


class CreateListing(Mutation):
    """Base of the mutations that create a listing of one kind."""

    permission = host
    payload_type = ListingPayload
    kind_code: ClassVar[str]

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = actions.create_listing(
            host=context.require_user(), kind_code=cls.kind_code, fields=plain(data), now=context.now
        )
        return {"listing": listing}


class UpdateListing(Mutation):
    """Base of the mutations that update a listing of one kind."""

    permission = host
    payload_type = ListingPayload
    kind_code: ClassVar[str]

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        fields = plain(data)
        listing = actions.update_listing(
            viewer=context.require_user(),
            kind_code=cls.kind_code,
            listing_id=read_global_id(fields.pop("id"), kind_types[cls.kind_code]._meta.name),
            fields=fields,
            now=context.now,
        )
        return {"listing": listing}
