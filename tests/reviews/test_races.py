"""Reviews of one listing by many people at once: its average is always that of its reviews."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from time import sleep

import pytest
from django.db.models import Count, Sum

from apps.core.errors import DomainError, Duplicate
from apps.listings.models import Listing
from apps.reviews import actions, locking
from apps.reviews.models import Review
from apps.users.models import User
from tests.recipes import make_event, make_staff
from tests.reviews.stays import visitor
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

AUTHORS = 12
STEPS = 8


def sums(listing: Listing) -> tuple[int, int]:
    row = Listing.objects.get(pk=listing.pk)
    return row.rating_sum, row.rating_count


def counted(listing: Listing) -> tuple[int, int]:
    found = Review.objects.filter(listing=listing, hidden_at=None, external_id="").aggregate(
        total=Sum("rating", default=0), number=Count("pk")
    )
    return found["total"], found["number"]


def play(listing: Listing, author: User, staff: User, seed: int) -> int:
    """One person's creates, edits and deletes in random order, with staff hiding in between; how many took effect."""
    chance = random.Random(seed)
    done = 0
    for _ in range(STEPS):
        mine = Review.objects.filter(listing=listing, author=author).values_list("pk", flat=True).first()
        rating, now = chance.randint(1, 5), datetime.now(UTC)
        try:
            match chance.choice(["create", "update", "delete", "hide", "show"]):
                case "create":
                    actions.create_review(viewer=author, listing_id=listing.pk, rating=rating, comment="x", now=now)
                case "update":
                    actions.update_review(viewer=author, review_id=mine, rating=rating, now=now)
                case "delete":
                    actions.delete_review(viewer=chance.choice([author, staff]), review_id=mine, now=now)
                case "hide":
                    actions.set_hidden(viewer=staff, review_id=mine, is_hidden=True, now=now)
                case _:
                    actions.set_hidden(viewer=staff, review_id=mine, is_hidden=False, now=now)
            done += 1
        except DomainError:
            continue
    return done


@pytest.mark.parametrize("seed", range(4))
def test_the_average_is_right_after_any_parallel_sequence(seed: int) -> None:
    listing, staff = make_event(), make_staff()
    authors = [visitor(listing) for _ in range(AUTHORS)]

    def player(number: int) -> Callable[[], int]:
        return lambda: play(listing, authors[number // 2], staff, seed * 1000 + number)

    # Two clients for each author, so that they also race for the same review.
    done = at_once([player(number) for number in range(2 * AUTHORS)])
    assert sum(done) > AUTHORS
    assert sums(listing) == counted(listing)


def test_of_many_reviews_by_one_account_one_is_kept() -> None:
    listing = make_event()
    guest = visitor(listing)

    def create() -> str:
        try:
            actions.create_review(viewer=guest, listing_id=listing.pk, rating=5, comment="x", now=datetime.now(UTC))
        except Duplicate:
            return "DUPLICATE"
        return "CREATED"

    answers = at_once([create] * 32)
    assert (answers.count("CREATED"), answers.count("DUPLICATE")) == (1, 31)
    assert sums(listing) == counted(listing) == (5, 1)


def test_without_the_lock_the_average_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = make_event()
    guest = visitor(listing)
    review = actions.create_review(viewer=guest, listing_id=listing.pk, rating=5, comment="x", now=datetime.now(UTC))

    def unlocked(*, viewer: User, review_id: int | None) -> Review:
        found = Review.objects.select_related("listing").get(pk=review_id or 0)
        sleep(0.2)
        return found

    monkeypatch.setattr(actions, "locked_review", unlocked)
    assert locking.locked_review is not unlocked

    def update(rating: int) -> Callable[[], Review]:
        return lambda: actions.update_review(viewer=guest, review_id=review.pk, rating=rating, now=datetime.now(UTC))

    at_once([update(1), update(1), update(1)])
    assert sums(listing) != counted(listing)
