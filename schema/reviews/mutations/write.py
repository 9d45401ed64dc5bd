"""What guests say of where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.core.errors import Collector
from apps.reviews import actions
from schema.core.ids import read_global_id, to_global_id
from schema.core.inputs import REFUSED, text, value
from schema.core.mutations import Mutation, Payload
from schema.core.permissions import signed_in
from schema.listings.types import read_listing_id
from schema.reviews.types import Review

if TYPE_CHECKING:
    from schema.core.context import Context


class CreateReviewInput(graphene.InputObjectType):
    """A review of a listing."""

    listing_id = graphene.ID(required=True, description="The listing, of which you have a completed booking.")
    rating = graphene.Int(required=True, description="From 1 to 5.")
    comment = text(actions.LONGEST, required=True, description="How it was, in at most 5,000 characters.")


class UpdateReviewInput(graphene.InputObjectType):
    """What changes of a review; what is left out stays."""

    review_id = graphene.ID(required=True, description="Your review.")
    rating = value(graphene.Int, null=REFUSED, description="From 1 to 5.")
    comment = text(actions.LONGEST, required=True, null=REFUSED, description="How it was, in at most 5,000 characters.")


class ReviewIdInput(graphene.InputObjectType):
    """Names a review."""

    review_id = graphene.ID(required=True, description="The review.")


class ReviewPayload(Payload):
    """A review, or why nothing was changed."""

    review = graphene.Field(Review, description="The review as it is now.")


class DeleteReviewPayload(Payload):
    """The review that is gone, or why it is not."""

    deleted_id = graphene.ID(description="The id that it had.")


class CreateReview(Mutation):
    """Say how it was, after a completed booking; once for each listing."""

    permission = signed_in
    input_type = CreateReviewInput
    payload_type = ReviewPayload

    @classmethod
    def check(cls, context: Context, data: Any, problems: Collector) -> None:
        check_rating(data, problems)

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        review = actions.create_review(
            viewer=context.require_user(),
            listing_id=read_listing_id(data.listing_id),
            rating=data.rating,
            comment=data.comment,
            now=context.now,
        )
        return {"review": review}


class UpdateReview(Mutation):
    """Change your review."""

    permission = signed_in
    input_type = UpdateReviewInput
    payload_type = ReviewPayload

    @classmethod
    def check(cls, context: Context, data: Any, problems: Collector) -> None:
        check_rating(data, problems)

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        review = actions.update_review(
            viewer=context.require_user(),
            review_id=read_global_id(data.review_id, "Review"),
            rating=data.get("rating"),
            comment=data.get("comment"),
            now=context.now,
        )
        return {"review": review}


class DeleteReview(Mutation):
    """Take a review away; for its author and staff. Its author may write another."""

    permission = signed_in
    input_type = ReviewIdInput
    payload_type = DeleteReviewPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        pk = actions.delete_review(
            viewer=context.require_user(), review_id=read_global_id(data.review_id, "Review"), now=context.now
        )
        return {"deleted_id": to_global_id("Review", pk)}


def check_rating(data: Any, problems: Collector) -> None:
    """A wrong rating is told along with the other faults of the input."""
    if data.get("rating") is not None:
        with problems.caught():
            actions.require_rating(data.rating)
