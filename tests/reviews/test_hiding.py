"""Staff hide reviews, in Django admin."""

import pytest

from apps.core.errors import NotAllowed
from apps.listings.models import Listing
from apps.reviews.actions import create_review, set_hidden, update_review
from apps.reviews.models import Review
from apps.reviews.selectors import reviews, visible_to
from tests.admin.acting import done
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_staff
from tests.reviews.stays import visitor

pytestmark = pytest.mark.django_db


def rating_of(listing: Listing) -> tuple[float | None, int]:
    row = Listing.objects.get(pk=listing.pk)
    return (None if row.rating_average is None else float(row.rating_average)), row.rating_count


def test_a_hidden_review_leaves_the_average_and_comes_back() -> None:
    listing, staff = make_event(), make_staff()
    good, bad = visitor(listing), visitor(listing)
    create_review(viewer=good, listing_id=listing.pk, rating=5, comment="Good.", now=NOW)
    rude = create_review(viewer=bad, listing_id=listing.pk, rating=1, comment="Rude.", now=NOW)
    assert rating_of(listing) == (3.0, 2)
    for _ in range(2):
        set_hidden(viewer=staff, review_id=rude.pk, is_hidden=True, now=NOW)
        assert rating_of(listing) == (5.0, 1)
    assert [review.comment for review in reviews()] == ["Good."]
    assert {viewer: visible_to(viewer).count() for viewer in (None, good, listing.host, bad, staff)} == {
        None: 1, good: 1, listing.host: 1, bad: 2, staff: 2,
    }  # fmt: skip
    update_review(viewer=bad, review_id=rude.pk, rating=2, now=NOW)
    assert rating_of(listing) == (5.0, 1)
    for _ in range(2):
        set_hidden(viewer=staff, review_id=rude.pk, is_hidden=False, now=NOW)
        assert rating_of(listing) == (3.5, 2)


def test_nobody_but_staff_hides_a_review() -> None:
    listing = make_event()
    guest = visitor(listing)
    review = create_review(viewer=guest, listing_id=listing.pk, rating=1, comment="Rude.", now=NOW)
    for viewer in (guest, listing.host):
        with pytest.raises(NotAllowed):
            set_hidden(viewer=viewer, review_id=review.pk, is_hidden=True, now=NOW)
    assert Review.objects.get().hidden_at is None


def test_admin_hides_and_shows() -> None:
    listing, staff = make_event(), make_staff(is_superuser=True)
    review = create_review(viewer=visitor(listing), listing_id=listing.pk, rating=1, comment="Rude.", now=NOW)
    for action, expected in (("hide", (None, 0)), ("show", (1.0, 1))):
        done(staff, review, action)
        assert rating_of(listing) == expected
