"""Saying how it was, and answering."""

from schema.reviews.mutations.reply_to_review import ReplyToReview
from schema.reviews.mutations.write import CreateReview, DeleteReview, UpdateReview


class ReviewMutations:
    """Mixed into Mutation."""

    create_review = CreateReview.Field()
    update_review = UpdateReview.Field()
    delete_review = DeleteReview.Field()
    reply_to_review = ReplyToReview.Field()
