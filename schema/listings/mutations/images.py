"""The pictures of a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.hosting import images
from schema.core.ids import read_global_id
from schema.core.limits import UPLOAD
from schema.core.mutations import Mutation
from schema.core.permissions import host
from schema.core.scalars import Upload
from schema.listings.types import ListingPayload, read_listing_id

if TYPE_CHECKING:
    from schema.core.context import Context


class AddListingImageInput(graphene.InputObjectType):
    """A picture for a listing."""

    listing_id = graphene.ID(required=True, description="The listing.")
    file = Upload(required=True, description="A PNG, JPEG or WebP picture of at most 5 MB.")
    alt = graphene.String(description="What it shows, in words, for those who cannot see it; at most 300 characters.")


class RemoveListingImageInput(graphene.InputObjectType):
    """Which picture."""

    image_id = graphene.ID(required=True, description="The picture.")


class AddListingImage(Mutation):
    """Add a picture after the others. It is kept without its metadata, such as the place where it was taken."""

    permission = host
    input_type = AddListingImageInput
    payload_type = ListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        UPLOAD.spend_by(context)
        listing = images.add_image(
            viewer=context.require_user(),
            listing_id=read_listing_id(data.listing_id),
            file=data.file,
            alt=data.get("alt"),
            now=context.now,
        )
        return {"listing": listing}


class RemoveListingImage(Mutation):
    """Remove a picture. Those behind it move up."""

    permission = host
    input_type = RemoveListingImageInput
    payload_type = ListingPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, object]:
        listing = images.remove_image(
            viewer=context.require_user(), image_id=read_global_id(data.image_id, "Image"), now=context.now
        )
        return {"listing": listing}
