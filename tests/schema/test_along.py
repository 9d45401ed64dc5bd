"""A page that people look at is read in one statement, with all that is asked of it."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from apps.bookings.actions import hold
from apps.core.families import REVIEWS
from apps.core.prepared import meant
from apps.core.versions import changed, tell
from apps.listings.models import Image, Listing, ListingStatus
from apps.listings.offers import BookingRequest
from apps.payments.models import Charge
from apps.reviews.models import Review
from apps.users.models import User
from schema.core.context import Context
from schema.core.engine import Engine, Operation
from schema.root import schema
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_guest, make_host, make_property
from tests.schema.listings.api import ask, global_id
from tests.schema.listings.keeping import body, keeping_answers, outcomes

pytestmark = pytest.mark.django_db

WINDOW = '(from: "2026-12-01T00:00:00Z", to: "2026-12-20T00:00:00Z")'
PAGE = f"""id title host {{ displayName }} images {{ url }}
    reviews(first: 3) {{ pageInfo {{ hasNextPage }} edges {{ node {{ comment author {{ displayName }} }} }} }}
    availability{WINDOW} {{ start end }}"""
BOOKINGS = """{ me { bookings(first: 2) { pageInfo { hasNextPage } edges { node { id total { amountMinor } listing { title }
    payments { id amount { amountMinor } } lines { label } history { type } } } } } }"""


@pytest.fixture(autouse=True)
def compiled(settings: Settings) -> None:
    settings.COMPILED_READS = settings.PREPARED_STATEMENTS = True


def read(query: str, viewer: User | None = None, *, is_lean: bool = True, **variables: Any) -> tuple[Any, list[str]]:
    """The answer without errors, and what was asked of the database for it."""
    if not is_lean:
        answer = Engine(schema, is_lean=False).answer

        def asked() -> Any:
            return answer(Operation(query, variables), context=Context(now=NOW, user=viewer)).body()
    else:

        def asked() -> Any:
            return ask(query, variables, viewer=viewer)

    seen: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(meant(sql))
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        told = asked()
    assert "errors" not in told, told
    return told["data"], seen


@pytest.fixture
def home() -> Listing:
    listing = make_property(host=make_host(first_name="Ada", last_name="Bee"))
    Image.objects.create(listing=listing, file="a.webp", alt="", position=0)
    Review.objects.bulk_create(
        Review(
            listing=listing,
            author=make_guest(first_name=f"Guest {number}"),
            rating=4,
            comment=f"Number {number}",
            created_at=NOW + timedelta(days=number),
            updated_at=NOW,
            hidden_at=NOW if number == 4 else None,
            external_id=str(number),
        )
        for number in range(6)
    )
    return listing


@pytest.mark.parametrize(
    "root", ["listing(id: $id)", "it: node(id: $id)", "again: listing(id: $id) { id } listing(id: $id)"]
)
def test_a_listings_page_is_one_statement(home: Listing, root: str) -> None:
    shown = f"{{ {PAGE} }}" if "node" not in root else f"{{ ... on Property {{ {PAGE} }} }}"
    data, statements = read(f"query($id: ID!) {{ {root} {shown} }}", id=global_id(home))
    assert len(statements) == 1
    listing = data.get("listing") or data["it"]
    assert [edge["node"]["comment"] for edge in listing["reviews"]["edges"]] == ["Number 5", "Number 3", "Number 2"]
    assert listing["reviews"]["pageInfo"]["hasNextPage"]
    assert len(listing["images"]) == len(listing["availability"]) == 1


@pytest.mark.parametrize(
    ("more", "number"),
    [
        # Neither comes along: not the first page of a list, and not the first list of reviews.
        ("last: reviews(last: 1) { edges { node { id } } }", 2),
        ("more: reviews(first: 1) { edges { node { id } } }", 2),
        ('other: availability(from: "2027-01-01T00:00:00Z", to: "2027-02-01T00:00:00Z") { start }', 2),
        # The same by another name is there already.
        ("more: reviews(first: 3) { edges { node { id } } }", 1),
        # Nobody asks for it, so that nothing is read.
        ("last: reviews(last: 1) @include(if: false) { edges { node { id } } }", 1),
    ],
)
def test_what_does_not_come_along_is_loaded(home: Listing, more: str, number: int) -> None:
    data, statements = read(f"query($id: ID!) {{ listing(id: $id) {{ {PAGE} {more} }} }}", id=global_id(home))
    assert len(statements) == number
    assert data["listing"]["reviews"]["edges"]


def test_nothing_is_read_along_that_a_condition_leaves_out(home: Listing) -> None:
    query = """query($id: ID!, $yes: Boolean!) { listing(id: $id) { id images { id }
        reviews @include(if: $yes) { edges { node { id } } } } }"""
    _, without = read(query, id=global_id(home), yes=False)
    _, together = read(query, id=global_id(home), yes=True)
    assert [len(without), len(together)] == [1, 1]
    assert ("reviews_review" in without[0], "reviews_review" in together[0]) == (False, True)


def test_who_may_not_see_a_listing_sees_nothing_that_came_with_it(home: Listing) -> None:
    Listing.objects.filter(pk=home.pk).update(status=ListingStatus.ARCHIVED)
    query = f"query($id: ID!) {{ listing(id: $id) {{ {PAGE} }} }}"
    assert read(query, id=global_id(home))[0] == {"listing": None}
    shown, statements = read(query, home.host, id=global_id(home))
    assert (len(statements), len(shown["listing"]["reviews"]["edges"])) == (1, 3)
    # Its guest is let in by a statement of its own, without company.
    guest = make_guest()
    Listing.objects.filter(pk=home.pk).update(status=ListingStatus.PUBLISHED)
    book(home, guest, 0)
    Listing.objects.filter(pk=home.pk).update(status=ListingStatus.ARCHIVED)
    shown, statements = read(query, guest, id=global_id(home))
    assert len(statements) == 6
    assert len(shown["listing"]["reviews"]["edges"]) == 3


def test_two_listings_share_a_statement_for_each_sort_of_children(home: Listing) -> None:
    other = make_property(host=home.host)
    query = f"query($id: ID!, $other: ID!) {{ listing(id: $id) {{ {PAGE} }} other: listing(id: $other) {{ {PAGE} }} }}"
    data, statements = read(query, id=global_id(home), other=global_id(other))
    assert len(statements) == 4
    assert (len(data["listing"]["reviews"]["edges"]), data["other"]["reviews"]["edges"]) == (3, [])


def test_of_an_event_the_tickets_are_counted(home: Listing) -> None:
    event = make_event(host=home.host)
    data, statements = read(f"query($id: ID!) {{ listing(id: $id) {{ {PAGE} }} }}", id=global_id(event))
    assert len(statements) == 2
    assert data["listing"]["reviews"]["edges"] == []


def book(home: Listing, guest: User, number: int) -> None:
    day = date(2026, 12, 1) + timedelta(days=3 * number)
    booking = hold(
        kind_code="PROPERTY",
        listing_id=home.pk,
        listing_field="property_id",
        request=BookingRequest(check_in=day, check_out=day + timedelta(days=2), guests=1),
        guest=guest,
        now=NOW + timedelta(minutes=number),
    )
    for attempt in range(number):
        Charge.objects.create(
            bill=booking.bill,
            payer=guest,
            timing="NOW",
            status="FAILED",
            amount_minor=100 * number + attempt,
            currency="EUR",
            payment_method="pm_card_visa",
            idempotency_key=f"key-{booking.pk}-{attempt}",
            created_at=NOW - timedelta(minutes=attempt),
        )


@pytest.mark.parametrize("field", ["bookings", "hostedBookings"])
def test_bookings_with_payments_lines_and_history_are_one_statement(home: Listing, field: str) -> None:
    guest = make_guest()
    for number in range(3):
        book(home, guest, number)
    viewer = guest if field == "bookings" else home.host
    data, statements = read(BOOKINGS.replace("bookings", field), viewer)
    assert len(statements) == 1
    nodes = [edge["node"] for edge in data["me"][field]["edges"]]
    # Newest first, and the payments of each as they were made, which their instants do not tell.
    assert [[each["amount"]["amountMinor"] for each in node["payments"]] for node in nodes] == [[200, 201], [100]]
    assert all(node["lines"] and node["history"] for node in nodes)
    few, statements = read(f"{{ me {{ {field}(first: 1) {{ edges {{ node {{ paymentStatus }} }} }} }} }}", viewer)
    assert few["me"][field]["edges"] == [{"node": {"paymentStatus": "FAILED"}}]
    assert len(statements) == 1
    assert ("payments_charge" in statements[0], "bookings_bookingline" in statements[0]) == (True, False)


def test_graphql_cores_executor_does_not_tell_beforehand(home: Listing) -> None:
    query = f"query($id: ID!) {{ listing(id: $id) {{ {PAGE} }} }}"
    few, one = read(query, id=global_id(home))
    many, four = read(query, is_lean=False, id=global_id(home))
    assert (few, len(one), len(four)) == (many, 1, 4)


@pytest.fixture
def kept_answers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with keeping_answers(settings, monkeypatch):
        yield


def test_what_may_be_kept_is_looked_for_and_not_read_along(home: Listing, kept_answers: None) -> None:
    query = f"query($id: ID!) {{ listing(id: $id) {{ {PAGE} }} }}"
    viewer = make_guest()
    body(query, {"id": global_id(home)}, viewer=viewer)
    numbers, told = [], []
    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            told.append(body(query, {"id": global_id(home)}, viewer=viewer))
        numbers.append(len(queries))
    # It is kept once it has been asked for twice.
    assert numbers == [2, 1, 1]
    assert told[0] == told[1] == told[2]


def test_a_kept_answer_hangs_on_the_listings_own_part_of_what_came_along(home: Listing, kept_answers: None) -> None:
    query = "query($id: ID!) { listing(id: $id) { title reviews(first: 1) { edges { node { comment } } } } }"
    body(query, {"id": global_id(home)})
    with CaptureQueriesContext(connection) as queries:
        body(query, {"id": global_id(home)})
    assert len(queries) == 1
    before = outcomes()
    other = make_property(host=home.host)
    Review.objects.create(listing=home, rating=1, comment="New", created_at=NOW + timedelta(days=9), updated_at=NOW)
    for listing, comes in ((other, "hit"), (home, "stale")):
        tell(changed(REVIEWS, [listing.pk]))
        body(query, {"id": global_id(home)})
        assert outcomes()[comes] - before[comes] == 1


@pytest.mark.parametrize(
    "bad",
    [
        "reviews(first: -1) { totalCount }",
        "reviews(first: 1, last: 1) { totalCount }",
        'reviews(after: "bad") { totalCount }',
        'availability(from: "2026-12-02T00:00:00Z", to: "2026-12-01T00:00:00Z") { start }',
        "reviews(first: $size) { totalCount }",
    ],
)
def test_what_is_asked_wrongly_is_said_at_its_place(bad: str) -> None:
    home = make_property(host=make_host())
    query = f"query($id: ID!, $size: Int) {{ listing(id: $id) {{ id bad: {bad} images {{ id }} }} }}"
    named = {"id": global_id(home), "size": -3}
    told = []
    for is_compiled in (True, False):
        with override_settings(COMPILED_READS=is_compiled):
            told.append(
                ask(query.replace(", $size: Int", "" if "$size" not in bad else ", $size: Int"), named, viewer=None)
            )
    assert told[0] == told[1]
    assert told[0]["data"] == {"listing": None}
    assert [each["path"] for each in told[0]["errors"]] == [["listing", "bad"]]
