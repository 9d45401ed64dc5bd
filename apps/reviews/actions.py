"""Writes: what guests say and hosts answer. The listing's average moves in the same transaction as its reviews."""

from datetime import datetime

from django.conf import settings
from django.db.models import F

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core.db import unit_of_work
from apps.core.errors import Collector, Duplicate, Invalid, NotAllowed
from apps.core.families import LISTINGS, REVIEWS
from apps.core.texts import clean_text
from apps.core.versions import only
from apps.integrations.models import EventType
from apps.listings.models import Listing
from apps.notifications.actions import tell, write_letter
from apps.notifications.letters import Words
from apps.notifications.models import NotificationType
from apps.reviews.announcing import announce_review
from apps.reviews.locking import listing_to_review, locked_review
from apps.reviews.models import Review
from apps.users.models import User, UserRole
from apps.users.selectors import keep_open

LONGEST = 5_000


def require_rating(rating: int) -> None:
    """Raises Invalid at `rating` unless it is one."""
    if not 1 <= rating <= 5:
        raise Invalid("A rating is a whole number from 1 to 5.", field="rating")


def _recount(listing: Listing, *, before: int | None, after: int | None) -> None:
    """Move the listing's sums from the rating that counted to the one that counts now; None counts for nothing."""
    if before == after:
        return
    with only(LISTINGS, listing.pk):
        Listing.objects.filter(pk=listing.pk).update(
            rating_sum=F("rating_sum") + (after or 0) - (before or 0),
            rating_count=F("rating_count") + int(after is not None) - int(before is not None),
        )
    listing.refresh_from_db(fields=["rating_sum", "rating_count", "rating_average"])


def _counted(review: Review) -> int | None:
    return review.rating if review.counts else None


# The sort of mail in which the host reads a review: who wrote it, then the words.
RECEIVED = "review_received"


def received_key(review_id: int) -> str:
    """The key of the fact that the host is told of."""
    return f"review:{review_id}:received"


def said_by(name: str) -> str:
    """How a host is told who wrote a review; "" is nobody in particular."""
    return f"{name or 'A guest'} wrote:"


def _say(
    person: User,
    type: NotificationType,  # noqa: A002 - as the contract names it
    *,
    title: str,
    paragraphs: list[str],
    key: str,
    template: str,
    now: datetime,
) -> None:
    """Tell one side what the other wrote, in the account and by mail."""
    tell(recipient_ids=[person.pk], type=type, title=title, body="\n\n".join(paragraphs), key=key, now=now)
    if not person.is_active or person.deleted_at is not None:
        return
    words = Words(subject=title, name=person.first_name, paragraphs=paragraphs)
    write_letter(to=person.email, template=template, words=words, key=key, type=type, reader_id=person.pk, now=now)


@unit_of_work
def create_review(*, viewer: User, listing_id: int | None, rating: int, comment: str, now: datetime) -> Review:
    """Say how it was, once, after a completed booking; the host is told.

    Raises Invalid at `rating` and `comment`, Required at `comment`; NotFound at `listing_id`, NotAllowed there without
    a completed booking and Duplicate there for a second review; NotAllowed without a verified email where that is
    required. Then nothing has been written.
    """
    problems = Collector()
    with problems.caught():
        require_rating(rating)
    with problems.caught():
        comment = clean_text(comment, field="comment", max_length=LONGEST, required=True)
    problems.raise_if_any()
    listing, was_there = listing_to_review(viewer=viewer, listing_id=listing_id)
    if settings.REQUIRE_VERIFIED_EMAIL and viewer.email_verified_at is None:
        raise NotAllowed("Verify your email address first.")
    if not was_there:
        raise NotAllowed("A review takes a completed booking.", field="listing_id")
    keep_open(viewer)
    review = Review(listing=listing, author=viewer, rating=rating, comment=comment, created_at=now, updated_at=now)
    # The constraint decides which of two comes first; here it only spares the error.
    if Review.objects.filter(listing=listing, author=viewer, external_id="").exists():
        raise Duplicate("You have reviewed this already.", field="listing_id")
    with only(REVIEWS, listing.pk):
        review.save(force_insert=True)
    _recount(listing, before=None, after=rating)
    _say(
        listing.host,
        NotificationType.REVIEW_RECEIVED,
        title=f"{rating} of 5 for {listing.title}",
        paragraphs=[said_by(viewer.display_name), comment],
        key=received_key(review.pk),
        template=RECEIVED,
        now=now,
    )
    announce_review(EventType.REVIEW_CREATED, review, now=now)
    return review


@unit_of_work
def update_review(
    *, viewer: User, review_id: int | None, rating: int | None = None, comment: str | None = None, now: datetime
) -> Review:
    """Change one's own review; None leaves a part as it is.

    Raises Invalid at `rating` and `comment`, Required at `comment`, NotFound at `review_id`, NotAllowed there for
    anybody but its author.
    """
    problems = Collector()
    if rating is not None:
        with problems.caught():
            require_rating(rating)
    if comment is not None:
        with problems.caught():
            comment = clean_text(comment, field="comment", max_length=LONGEST, required=True)
    problems.raise_if_any()
    review = locked_review(viewer=viewer, review_id=review_id)
    if review.author_id != viewer.pk:
        raise NotAllowed("This review is somebody else's.", field="review_id")
    before = _counted(review)
    review.rating = review.rating if rating is None else rating
    review.comment = review.comment if comment is None else comment
    review.updated_at = now
    with only(REVIEWS, review.listing_id):
        review.save(update_fields=["rating", "comment", "updated_at"])
    _recount(review.listing, before=before, after=_counted(review))
    announce_review(EventType.REVIEW_UPDATED, review, now=now)
    return review


@unit_of_work
def delete_review(*, viewer: User, review_id: int | None, now: datetime) -> int:
    """Take a review away, by its author or staff; its author may write another. Returns the key that it had.

    Raises NotFound at `review_id`, NotAllowed there for anybody else, its host too.
    """
    review = locked_review(viewer=viewer, review_id=review_id)
    if review.author_id != viewer.pk and viewer.role != UserRole.STAFF:
        raise NotAllowed("This review is somebody else's.", field="review_id")
    pk = review.pk
    before = _counted(review)
    announce_review(EventType.REVIEW_DELETED, review, now=now)
    with only(REVIEWS, review.listing_id):
        review.delete()
    _recount(review.listing, before=before, after=None)
    return pk


@unit_of_work
def reply_to_review(*, viewer: User, review_id: int | None, reply: str, now: datetime) -> Review:
    """The host's answer, in place of an earlier one; the author is told.

    Raises Required and Invalid at `reply`, NotFound at `review_id`, NotAllowed there for anybody but the host.
    """
    reply = clean_text(reply, field="reply", max_length=LONGEST, required=True)
    review = locked_review(viewer=viewer, review_id=review_id)
    if review.listing.host_id != viewer.pk:
        raise NotAllowed("A review is answered by the host.", field="review_id")
    if reply == review.reply:
        return review
    review.reply, review.replied_at, review.updated_at = reply, now, now
    with only(REVIEWS, review.listing_id):
        review.save(update_fields=["reply", "replied_at", "updated_at"])
    if review.author is not None and review.external_id == "":
        _say(
            review.author,
            NotificationType.REVIEW_REPLIED,
            title=f"An answer to your review of {review.listing.title}",
            paragraphs=[reply],
            key=f"review:{review.pk}:reply:{now.isoformat()}",
            template="review_replied",
            now=now,
        )
    announce_review(EventType.REVIEW_REPLIED, review, now=now)
    return review


@unit_of_work
def set_hidden(*, viewer: User, review_id: int | None, is_hidden: bool, now: datetime) -> Review:
    """Hide a review from everybody but its author, or show it again; for staff. A hidden one leaves the average.

    Raises NotFound at `review_id`, NotAllowed to anybody but staff.
    """
    if viewer.role != UserRole.STAFF:
        raise NotAllowed("Reviews are hidden by staff.", field="review_id")
    review = locked_review(viewer=viewer, review_id=review_id)
    before, was_hidden = _counted(review), review.hidden_at is not None
    review.hidden_at = (review.hidden_at or now) if is_hidden else None
    with only(REVIEWS, review.listing_id):
        review.save(update_fields=["hidden_at"])
    _recount(review.listing, before=before, after=_counted(review))
    if was_hidden != is_hidden:
        kind = AuditKind.REVIEW_HIDDEN if is_hidden else AuditKind.REVIEW_SHOWN
        record(kind, now=now, actor_id=viewer.pk, subject=f"review:{review.pk}", listing=review.listing_id)
        announce_review(EventType.REVIEW_HIDDEN if is_hidden else EventType.REVIEW_UPDATED, review, now=now)
    return review
