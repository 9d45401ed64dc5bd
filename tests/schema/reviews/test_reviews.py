"""What guests, hosts, staff and others get from the mutations of reviews, over HTTP."""

from typing import Any

import pytest

from apps.listings.models import Listing
from apps.notifications.models import Notification
from apps.reviews.models import Review
from schema.core.ids import to_global_id
from tests.recipes import make_event, make_guest, make_host, make_staff
from tests.reviews.stays import book_ticket, visitor
from tests.schema.users.conftest import Api

pytestmark = pytest.mark.django_db

CREATE = """mutation($input: CreateReviewInput!) { it: createReview(input: $input) {
    review { id rating comment reply listing { id ratingAverage ratingCount viewerCanReview } author { id } }
    errors { code field } } }"""
UPDATE = """mutation($input: UpdateReviewInput!) { it: updateReview(input: $input) {
    review { rating comment listing { ratingAverage ratingCount } } errors { code field } } }"""
DELETE = "mutation($input: ReviewIdInput!) { it: deleteReview(input: $input) { deletedId errors { code field } } }"
REPLY = """mutation($input: ReplyToReviewInput!) { it: replyToReview(input: $input) {
    review { reply repliedAt } errors { code field } } }"""
SHOW = """query($id: ID!) { listing(id: $id) { ratingAverage ratingCount viewerCanReview
    reviews { totalCount edges { node { comment rating } } } } }"""


@pytest.fixture(autouse=True)
def _open_door(settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False
    settings.REQUIRE_VERIFIED_EMAIL = False


def event_id(listing: Listing) -> str:
    return to_global_id("Event", listing.pk)


def review_id(review: Review) -> str:
    return to_global_id("Review", review.pk)


def create(viewer: Any, listing: Listing, rating: int = 5, comment: str = "Fine.") -> Any:
    given = {"listingId": event_id(listing), "rating": rating, "comment": comment}
    return Api().enter(viewer).data(CREATE, input=given)["it"]


def refused(viewer: Any, query: str, **given: Any) -> list[tuple[str, list[str]]]:
    return Api().enter(viewer).refusals(query, input=given)


def shown(listing: Listing, viewer: Any = None) -> Any:
    api = Api() if viewer is None else Api().enter(viewer)
    return api.data(SHOW, id=event_id(listing))["listing"]


def test_a_guest_who_was_there_reviews_once_and_the_average_follows() -> None:
    listing = make_event()
    guest = visitor(listing)
    assert shown(listing, guest)["viewerCanReview"] is True
    text = "<script>alert(1)</script>'; DROP TABLE reviews_review; --"
    payload = create(guest, listing, 4, f"  {text}\r\n")
    assert payload["errors"] == []
    review = payload["review"]
    assert (review["rating"], review["comment"], review["reply"]) == (4, text, None)
    assert review["author"]["id"] == to_global_id("User", guest.pk)
    assert review["listing"] == {
        "id": event_id(listing),
        "ratingAverage": 4.0,
        "ratingCount": 1,
        "viewerCanReview": False,
    }
    assert refused(guest, CREATE, listingId=event_id(listing), rating=5, comment="x") == [("DUPLICATE", ["listingId"])]
    for rating in (5, 4):
        create(visitor(listing), listing, rating)
    assert (shown(listing)["ratingAverage"], shown(listing)["ratingCount"]) == (4.33, 3)
    (told, *_) = Notification.objects.filter(recipient=listing.host).order_by("pk")
    assert (told.type, told.title) == ("REVIEW_RECEIVED", f"4 of 5 for {listing.title}")
    assert text in told.body
    assert Notification.objects.filter(recipient=listing.host).count() == 3


@pytest.mark.parametrize("status", ["PENDING", "CONFIRMED", "CHECKED_IN", "CANCELED", "EXPIRED", "NO_SHOW", None])
def test_only_a_completed_booking_opens_a_review(status: str | None) -> None:
    listing, guest = make_event(), make_guest()
    if status is not None:
        book_ticket(listing, guest, status=status)
    assert shown(listing, guest)["viewerCanReview"] is False
    given = {"listingId": event_id(listing), "rating": 5, "comment": "Fine."}
    assert refused(guest, CREATE, **given) == [("NOT_ALLOWED", ["listingId"])]
    assert not Review.objects.exists()
    assert not Notification.objects.exists()


def test_faults_of_the_input_are_told_together_and_before_the_rest() -> None:
    listing = make_event()
    guest = visitor(listing)
    for rating in (0, 6, -1, 2**31 - 1):
        found = refused(guest, CREATE, listingId=event_id(listing), rating=rating, comment=" \t")
        assert set(map(str, found)) == {"('REQUIRED', ['comment'])", "('INVALID', ['rating'])"}
    given = {"listingId": event_id(listing), "rating": 1}
    assert refused(guest, CREATE, **given, comment="x" * 5001) == [("INVALID", ["comment"])]
    assert refused(guest, CREATE, **given, comment="a\x00b") == [("INVALID", ["comment"])]
    for nothing in ("", "\x00", "x", to_global_id("Property", listing.pk + 999), to_global_id("User", guest.pk)):
        assert refused(guest, CREATE, listingId=nothing, rating=1, comment="x") == [("NOT_FOUND", ["listingId"])]
    assert not Review.objects.exists()
    assert create(guest, listing, 1, "x" * 5000)["errors"] == []


def test_hidden_listings_are_not_found_but_archived_ones_are_reviewed_by_those_who_were_there() -> None:
    listing = make_event()
    guest, stranger = visitor(listing), make_guest()
    Listing.objects.filter(pk=listing.pk).update(status="ARCHIVED")
    given = {"listingId": event_id(listing), "rating": 5, "comment": "Fine."}
    assert refused(stranger, CREATE, **given) == [("NOT_FOUND", ["listingId"])]
    assert create(guest, listing)["errors"] == []
    Listing.objects.filter(pk=listing.pk).update(status="DRAFT")
    assert refused(stranger, CREATE, **given) == [("NOT_FOUND", ["listingId"])]


def test_an_unverified_account_may_not_review_where_that_is_required(settings: Any) -> None:
    listing = make_event()
    guest = visitor(listing)
    guest.email_verified_at = None
    guest.save()
    settings.REQUIRE_VERIFIED_EMAIL = True
    given = {"listingId": event_id(listing), "rating": 5, "comment": "Fine."}
    assert refused(guest, CREATE, **given) == [("NOT_ALLOWED", [])]
    assert not Review.objects.exists()


def test_only_its_author_changes_a_review() -> None:
    listing = make_event()
    guest = visitor(listing)
    create(guest, listing, 4)
    review = Review.objects.get()
    for other in (make_guest(), listing.host, make_staff()):
        assert refused(other, UPDATE, reviewId=review_id(review), rating=1) == [("NOT_ALLOWED", ["reviewId"])]
    assert Api().code(UPDATE, input={"reviewId": review_id(review), "rating": 1}) == "UNAUTHENTICATED"
    nulls = refused(guest, UPDATE, reviewId=review_id(review), rating=None, comment=None)
    assert sorted(nulls) == [("REQUIRED", ["comment"]), ("REQUIRED", ["rating"])]
    assert refused(guest, UPDATE, reviewId=review_id(review), rating=6) == [("INVALID", ["rating"])]
    review.refresh_from_db()
    assert (review.rating, review.comment) == (4, "Fine.")
    payload = Api().enter(guest).data(UPDATE, input={"reviewId": review_id(review), "rating": 1})["it"]
    assert payload["review"] == {
        "rating": 1,
        "comment": "Fine.",
        "listing": {"ratingAverage": 1.0, "ratingCount": 1},
    }
    payload = Api().enter(guest).data(UPDATE, input={"reviewId": review_id(review), "comment": "Worse."})["it"]
    assert (payload["review"]["rating"], payload["review"]["comment"]) == (1, "Worse.")


def test_author_and_staff_delete_a_review_and_its_host_does_not() -> None:
    listing = make_event()
    guest = visitor(listing)
    create(guest, listing, 4)
    review = Review.objects.get()
    for other in (make_guest(), listing.host, make_host()):
        assert refused(other, DELETE, reviewId=review_id(review)) == [("NOT_ALLOWED", ["reviewId"])]
    assert shown(listing)["ratingCount"] == 1
    gone = Api().enter(guest).data(DELETE, input={"reviewId": review_id(review)})["it"]
    assert gone == {"deletedId": review_id(review), "errors": []}
    assert shown(listing, guest) == {
        "ratingAverage": None,
        "ratingCount": 0,
        "viewerCanReview": True,
        "reviews": {"totalCount": 0, "edges": []},
    }
    assert refused(guest, DELETE, reviewId=review_id(review)) == [("NOT_FOUND", ["reviewId"])]
    create(guest, listing, 2)
    again = Review.objects.get()
    assert Api().enter(make_staff()).data(DELETE, input={"reviewId": review_id(again)})["it"]["errors"] == []
    assert shown(listing)["ratingAverage"] is None


def test_the_host_answers_and_a_second_answer_replaces_the_first() -> None:
    listing = make_event()
    guest = visitor(listing)
    create(guest, listing)
    review = Review.objects.get()
    given = {"reviewId": review_id(review), "reply": "Thank you."}
    assert Api().code(REPLY, input=given) == "UNAUTHENTICATED"
    assert Api().enter(guest).code(REPLY, input=given) == "FORBIDDEN"
    assert refused(make_host(), REPLY, **given) == [("NOT_ALLOWED", ["reviewId"])]
    assert refused(listing.host, REPLY, reviewId=review_id(review), reply=" ") == [("REQUIRED", ["reply"])]
    assert Notification.objects.filter(recipient=guest).count() == 0
    for reply in ("Thank you.", "Come again.", "Come again."):
        given["reply"] = reply
        payload = Api().enter(listing.host).data(REPLY, input=given)["it"]
        assert (payload["review"]["reply"], payload["errors"]) == (reply, [])
    told = Notification.objects.filter(recipient=guest).order_by("pk").values_list("type", "body")
    assert list(told) == [("REVIEW_REPLIED", "Thank you."), ("REVIEW_REPLIED", "Come again.")]


def test_an_imported_review_counts_nowhere_and_stands_in_nobodys_way() -> None:
    listing = make_event()
    guest = visitor(listing)
    old = Review.objects.create(
        listing=listing, author=guest, comment="Old.", source="data", external_id="1", created_at=guest.joined_at,
        updated_at=guest.joined_at,
    )  # fmt: skip
    assert shown(listing, guest)["viewerCanReview"] is True
    create(guest, listing, 2)
    page = shown(listing)
    assert (page["ratingAverage"], page["ratingCount"], page["reviews"]["totalCount"]) == (2.0, 1, 2)
    assert {"comment": "Old.", "rating": 0} in [edge["node"] for edge in page["reviews"]["edges"]]
    assert Api().enter(make_staff()).data(DELETE, input={"reviewId": review_id(old)})["it"]["errors"] == []
    assert (shown(listing)["ratingAverage"], shown(listing)["ratingCount"]) == (2.0, 1)
