"""Reviews out of files, under other names."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.importing.pseudonyms import NameBook, person_key, person_name, scrubbed
from apps.listings.models import Listing
from apps.reviews.models import Review
from apps.users.models import User, UserRole
from tests.importing.files import SUMMARY, run, write_csv

REVIEW = {
    "listing_id": "1001",
    "id": "501",
    "date": "2024-02-03",
    "reviewer_id": "9",
    "reviewer_name": "Brunhilde",
    "comments": "Lovely.<br/>We will be back!",
}
reviews = pytest.mark.django_db(transaction=True)


@pytest.fixture
def home(tmp_path: Path) -> Listing:
    run(write_csv(tmp_path / "stays.csv", SUMMARY), "airbnb-summary")
    return Listing.objects.get()


@reviews
def test_a_review_without_stars_counts_in_no_average(tmp_path: Path, home: Listing) -> None:
    done = run(write_csv(tmp_path / "reviews.csv", REVIEW), "airbnb-reviews")

    assert (done.summary.new, done.summary.refused) == (1, 0)
    review = Review.objects.select_related("author").get()
    assert (review.listing, review.rating, review.comment) == (home, None, "Lovely.\nWe will be back!")
    # Noon of that day in New York.
    assert review.created_at == datetime(2024, 2, 3, 17, tzinfo=UTC)
    assert review.author is not None
    assert (review.author.role, review.author.email) == (UserRole.GUEST, "")
    home.refresh_from_db()
    assert (home.rating_count, home.rating_sum, home.rating_average) == (0, 0, None)


@reviews
def test_reviews_again_write_nothing_and_changed_ones_are_updated(tmp_path: Path, home: Listing) -> None:
    path = tmp_path / "reviews.csv"
    two = {**REVIEW, "id": "502", "comments": "Fine."}
    run(write_csv(path, REVIEW, two), "airbnb-reviews")
    Review.objects.filter(external_id="501").update(reply="Thanks")

    assert run(path, "airbnb-reviews").summary.unchanged == 2
    done = run(write_csv(path, {**REVIEW, "comments": "Hm."}, two), "airbnb-reviews")

    assert (done.summary.new, done.summary.changed, done.summary.unchanged) == (0, 1, 1)
    assert dict(Review.objects.values_list("comment", "reply")) == {"Hm.": "Thanks", "Fine.": ""}
    # One person, two reviews.
    assert User.objects.filter(role=UserRole.GUEST).count() == 1


@reviews
def test_reviews_that_cannot_be_are_refused(tmp_path: Path, home: Listing) -> None:
    done = run(
        write_csv(
            tmp_path / "reviews.csv",
            {**REVIEW, "listing_id": "404"},
            {**REVIEW, "id": "502", "comments": " <br/> "},
            {**REVIEW, "id": "503", "date": "yesterday"},
            {**REVIEW, "id": "504", "comments": "y" * 6000},
        ),
        "airbnb-reviews",
    )
    assert sorted(done.refused) == [
        "line 2: refused: there is no listing 404",
        "line 3: refused: comment is blank",
        "line 4: refused: day is no date: 'yesterday'",
    ]
    assert done.summary.repaired == 1
    assert len(Review.objects.get().comment) == 5000


@reviews
def test_a_host_who_also_reviews_is_one_person_and_stays_a_host(tmp_path: Path, home: Listing) -> None:
    run(write_csv(tmp_path / "reviews.csv", {**REVIEW, "reviewer_id": "77"}), "airbnb-reviews")
    assert User.objects.get().role == UserRole.HOST
    assert Review.objects.get().author == home.host


@reviews
def test_a_reviewer_who_gets_a_listing_becomes_a_host(tmp_path: Path, home: Listing) -> None:
    run(write_csv(tmp_path / "reviews.csv", REVIEW), "airbnb-reviews")
    run(write_csv(tmp_path / "stays.csv", {**SUMMARY, "id": "2", "host_id": "9"}), "airbnb-summary")
    assert set(User.objects.values_list("role", flat=True)) == {UserRole.HOST}


@reviews
def test_no_name_of_a_reviewer_is_kept(tmp_path: Path, home: Listing) -> None:
    path = write_csv(
        tmp_path / "reviews.csv",
        {**REVIEW, "comments": "Thank you, Zebulon's dog! Write to brunhilde@mail.example. Brunhilde"},
        {**REVIEW, "id": "502", "reviewer_id": "10", "reviewer_name": "Zebulon", "comments": "See www.my.example/me"},
        {**REVIEW, "id": "503", "reviewer_id": "11", "reviewer_name": "Will", "comments": "Will come, and will stay."},
    )
    run(path, "airbnb-reviews")

    kept = repr(list(Review.objects.values())) + repr(list(User.objects.values()))
    for secret in ("Zebulon", "Brunhilde", "brunhilde", "my.example"):
        assert secret not in kept
    assert Review.objects.get(external_id="503").comment == "Will come, and will stay."


def test_the_same_person_gets_the_same_name_and_another_source_another_key() -> None:
    assert person_key("a", "1") == person_key("a", "1")
    assert person_key("a", "1") != person_key("b", "1")
    assert person_name(person_key("a", "1")) == person_name(person_key("a", "1"))


def test_prices_and_years_are_no_telephone_numbers() -> None:
    text = "In 2024 we paid $1,250.00 for 14 nights, room 3021."
    assert scrubbed(text, frozenset()) == text
    assert scrubbed("Call (518) 555-0100 or +44 20 7946 0958.", frozenset()) == "Call [removed] or [removed]."


def test_places_are_no_names() -> None:
    book = NameBook()
    book.read(name="Albany", texts=["Albany is fine."])
    book.read(name="Gretel", texts=["Gretel and gretel"])
    book.read(name="Tiberius", texts=["Tiberius"])
    book.keep(["Albany"])
    assert book.names() == {"Tiberius"}
