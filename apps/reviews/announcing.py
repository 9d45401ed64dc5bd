"""What integrators are told of reviews: what everybody may read, and nothing of who wrote it."""

from datetime import datetime

from apps.core.ids import global_id
from apps.integrations import payloads
from apps.integrations.models import EventType
from apps.integrations.payloads import instant, instant_or_none
from apps.integrations.recording import announce
from apps.reviews.models import Review

# Of these no more is said than which review it was.
WITHOUT_WORDS = frozenset({EventType.REVIEW_DELETED, EventType.REVIEW_HIDDEN})


def announce_review(type_: EventType, review: Review, *, now: datetime) -> None:
    """Let integrators be told, in the transaction of the change. A review that is hidden is not spoken of.

    A review that goes is told of before it has gone.
    """
    if review.hidden_at is not None and type_ != EventType.REVIEW_HIDDEN:
        return
    is_silent = type_ in WITHOUT_WORDS
    announce(
        type_,
        listing_id=review.listing_id,
        topic=f"review:{review.pk}",
        data=lambda: {
            "review": {"id": global_id("Review", review.pk)} if is_silent else _words(review),
            "listing": payloads.listing_data(review.listing),
        },
        now=now,
    )


def _words(review: Review) -> payloads.Data:
    return {
        "id": global_id("Review", review.pk),
        "rating": review.rating,
        "comment": review.comment,
        "reply": review.reply,
        "repliedAt": instant_or_none(review.replied_at),
        "createdAt": instant(review.created_at),
        "updatedAt": instant(review.updated_at),
    }
