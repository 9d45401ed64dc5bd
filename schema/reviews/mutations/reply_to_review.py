"""What hosts answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphene

from apps.reviews import actions
from schema.core.ids import read_global_id
from schema.core.inputs import text
from schema.core.mutations import Mutation
from schema.core.permissions import host
from schema.reviews.mutations.write import ReviewPayload

if TYPE_CHECKING:
    from schema.core.context import Context


class ReplyToReviewInput(graphene.InputObjectType):
    """The host's answer to a review."""

    review_id = graphene.ID(required=True, description="A review of your listing.")
    reply = text(actions.LONGEST, required=True, description="The answer, in at most 5,000 characters.")


class ReplyToReview(Mutation):
    """Answer a review of your listing. A second answer takes the place of the first."""

    permission = host
    input_type = ReplyToReviewInput
    payload_type = ReviewPayload

    @classmethod
    def perform(cls, context: Context, data: Any) -> dict[str, Any]:
        review = actions.reply_to_review(
            viewer=context.require_user(),
            review_id=read_global_id(data.review_id, "Review"),
            reply=data.reply,
            now=context.now,
        )
        return {"review": review}
