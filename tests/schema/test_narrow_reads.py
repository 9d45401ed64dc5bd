"""A list that shows little reads little, and shows what it would if all were read."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from graphql import get_named_type, is_leaf_type

from apps.listings.models import Listing, ListingStatus
from apps.users.models import User
from schema.bookings.columns import COLUMNS, SETS
from schema.reviews.types import BRIEF_FIELDS as BRIEF_REVIEWS
from schema.root import schema
from tests.schema.listings.api import ask, global_id
from tests.schema.three_ways import PAGE, answers, small_market

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[str, User | None]:
    return small_market()


def brief(shown: Any, asked: frozenset[str] = frozenset(COLUMNS)) -> str:
    """All that may be asked of a booking, or a review, whose list is read with few columns."""
    fields = {name: get_named_type(field.type) for name, field in shown.fields.items() if name in asked}
    return " ".join(
        name if is_leaf_type(below) else f"{name} {{ {brief(below, asked)} }}" for name, below in fields.items()
    )


@pytest.mark.parametrize("page", ["first: 3", "last: 3"])
def test_pages_that_show_little_of_reviews_read_little(people: dict[str, User | None], page: str) -> None:
    shown = brief(get_named_type(schema.graphql_schema.type_map["ReviewConnection"]), BRIEF_REVIEWS)
    assert "author { id displayName }" in shown
    home = Listing.objects.filter(status=ListingStatus.PUBLISHED).first()
    assert home is not None
    few = f'{{ listing(id: "{global_id(home)}") {{ reviews({page}) {{ {shown} }} }} }}'
    all_of_it = few.replace("displayName", "displayName lastName @skip(if: true)")
    assert answers(few, people["staff"]) == answers(all_of_it, people["staff"])
    columns = []
    for text in (few, all_of_it):
        with override_settings(PREPARED_STATEMENTS=False), CaptureQueriesContext(connection) as queries:
            ask(text, None, viewer=None)
        columns += [each["sql"] for each in queries if 'FROM "reviews_review"' in each["sql"]][:1]
    assert ['"reviews_review"."reply"' in each for each in columns] == [False, True]


@pytest.mark.parametrize("field", ["bookings", "hostedBookings"])
def test_lists_that_show_little_of_bookings_read_little(people: dict[str, User | None], field: str) -> None:
    viewer = people["guest" if field == "bookings" else "host"]
    query = f"{{ me {{ {field}(first: 5) {{ {PAGE} edges {{ cursor node {{ %s ...More }} }} }} }} }}"
    query %= brief(get_named_type(schema.graphql_schema.type_map["Booking"]))
    few, all_of_it = (
        query + f" fragment More on Booking {{ id {more} }}" for more in ("", "guest @include(if: false) { id }")
    )
    assert "ratingAverage" in few
    assert "cardLast4" in few
    assert answers(few, viewer) == answers(all_of_it, viewer)

    # What a condition leaves out is read too, as it might be shown.
    columns = []
    for text in (few, all_of_it):
        with override_settings(PREPARED_STATEMENTS=False), CaptureQueriesContext(connection) as queries:
            ask(text, None, viewer=viewer)
        columns += [each["sql"] for each in queries if 'SELECT "bookings_booking"' in each["sql"]]
    assert len(columns) == 2
    assert "property_property" not in columns[0]
    assert "description" not in columns[0]
    assert "property_property" in columns[1]


def alone(shown: Any) -> list[str]:
    """Each field of a booking by itself, of those that not everything is read for."""
    fields = {name: get_named_type(field.type) for name, field in shown.fields.items() if name in COLUMNS}
    return [
        each
        for name, below in fields.items()
        for each in ([name] if is_leaf_type(below) else [f"{name} {{ {inner} }}" for inner in alone(below)])
    ]


@pytest.mark.parametrize("field", ["bookings", "hostedBookings"])
def test_each_field_of_a_booking_alone_is_shown_from_what_is_read_for_it(
    people: dict[str, User | None], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SETS, "most", 1000)
    monkeypatch.setattr(SETS, "sets", set())
    SETS.forget()
    fields = alone(get_named_type(schema.graphql_schema.type_map["Booking"]))
    shown = " ".join(
        f"f{number}: {field}(first: 5) {{ edges {{ node {{ {each} }} }} }}" for number, each in enumerate(fields)
    )
    answer = answers(f"{{ me {{ {shown} }} }}", people["guest" if field == "bookings" else "host"])
    SETS.forget()
    assert '"errors"' not in json.dumps(answer, default=str)
    assert "listing { location { city } }" in fields
    assert len(fields) >= 40


def test_a_list_of_bookings_reads_what_it_shows(people: dict[str, User | None]) -> None:
    def text(shown: str) -> str:
        with override_settings(PREPARED_STATEMENTS=False), CaptureQueriesContext(connection) as queries:
            ask(f"{{ me {{ bookings {{ edges {{ node {{ {shown} }} }} }} }} }}", None, viewer=people["guest"])
        (statement,) = [each["sql"] for each in queries if 'SELECT "bookings_booking"' in each["sql"]]
        return str(statement)

    few = text("id status listing { title }")
    assert '"title"' in few
    for unread in ('"total_minor"', "payments_bill", '"city"', '"tickets"', '"check_in"', '"period"'):
        assert unread not in few
    assert '"total_minor"' in text("total { amount }")
    # A title that is asked of nothing that has one.
    assert '"title"' not in text("id")


# A payment beside another one of the same booking, by what each needs of it.
PAYMENTS = "payments { id status timing amount { amountMinor currency } refunded { amountMinor } createdAt paidAt }"
WHOLE_PAYMENTS = "payments { cardLast4 receiptNumber booking { id } }"


@pytest.mark.parametrize("field", ["bookings", "hostedBookings"])
@pytest.mark.parametrize(
    "asked",
    [
        PAYMENTS,
        f"{PAYMENTS} paymentStatus",
        f"{PAYMENTS} whole: {WHOLE_PAYMENTS} paymentStatus",
        f"whole: {WHOLE_PAYMENTS} {PAYMENTS}",
        "payments { booking { payments { failureCode } } status }",
        f"{PAYMENTS} ... on Booking {{ payments {{ cardBrand }} }}",
        "payments { status cardLast4 @include(if: false) }",
    ],
)
def test_payments_show_the_same_however_little_is_read_of_them(
    people: dict[str, User | None], field: str, asked: str
) -> None:
    query = f"{{ me {{ {field}(first: 5) {{ edges {{ node {{ id {asked} }} }} }} }} }}"
    shown = answers(query, people["guest" if field == "bookings" else "host"])
    assert "errors" not in json.dumps(shown)
    assert '"status"' in json.dumps(shown) or '"paymentStatus"' in json.dumps(shown)


def test_lists_that_show_little_of_payments_read_little(people: dict[str, User | None]) -> None:
    query = "{ me { bookings(first: 5) { edges { node { id %s } } } } }"
    columns = []
    for asked in (PAYMENTS, "paymentStatus", "payments { cardLast4 }", f"{PAYMENTS} whole: {WHOLE_PAYMENTS}"):
        with override_settings(PREPARED_STATEMENTS=False), CaptureQueriesContext(connection) as queries:
            ask(query % asked, None, viewer=people["guest"])
        columns += [each["sql"] for each in queries if 'FROM "payments_charge"' in each["sql"]]
    assert ["idempotency_key" in each for each in columns] == [False, False, True, True]
