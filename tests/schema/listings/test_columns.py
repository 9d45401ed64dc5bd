"""A list of listings is read with the columns that its fields show, and answers as if all had been read."""

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from graphql import GraphQLArgument, get_named_type, is_leaf_type, is_required_argument

from apps.core.columns import EVERYTHING
from apps.core.rows import NotRead
from apps.listings.models import Listing, ListingStatus
from apps.listings.search import ListingOrder, ListingSearch
from apps.listings.selectors import find_listings
from apps.reviews.models import Review
from apps.users.models import User
from schema.listings import columns
from schema.root import schema
from tests.hosting.inputs import NOW
from tests.recipes import MAKE, make_guest, make_host
from tests.schema.listings.api import ask

pytestmark = pytest.mark.django_db

TYPES: dict[str, Any] = schema.graphql_schema.type_map
WINDOW = {"from": '"2026-12-01T00:00:00Z"', "to": '"2026-12-05T00:00:00Z"'}
NAME = re.compile(r"\b(?!on\b)_*[a-z]\w*")
# What more there is of an account is asked for as a list of its own.
ENVELOPE = {"edges", "node", "cursor", "pageInfo"}
ELSEWHERE = {"listings", "reviewsWritten", "listing"}


@pytest.fixture
def listings() -> list[Listing]:
    """One of each kind, all different in whatever can be shown."""
    found = []
    for number, make in enumerate(MAKE.values()):
        host = make_host(first_name=f"Ada {number}", last_name=f"Lovelace {number}")
        listing = make(host=host, title=f"Place {number}", description=f"About {number}", price_minor=700 + number)
        Listing.objects.filter(pk=listing.pk).update(
            region=f"Region {number}",
            address=f"Street {number}",
            latitude=number,
            longitude=number,
            rating_sum=4 + number,
            rating_count=1 + number,
        )
        Review.objects.create(listing=listing, author=host, rating=4, comment="Fine", created_at=NOW, updated_at=NOW)
        found.append(listing)
    return found


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(columns.SETS, "sets", set())
    columns.SETS.forget()
    yield
    columns.SETS.forget()


def given(name: str, argument: GraphQLArgument) -> str:
    return f"{name}: {WINDOW[name]}"


def below(shown: Any, depth: int = 0) -> list[str]:
    """Each field of the type by itself, down to what has no fields."""
    found = []
    for name, field in shown.fields.items():
        needed = [given(each, argument) for each, argument in field.args.items() if is_required_argument(argument)]
        written = f"{name}({', '.join(needed)})" if needed else name
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            found.append(written)
        elif depth < 5 and name not in ELSEWHERE:
            found += [f"{written} {{ {each} }}" for each in below(inner, depth + 1)]
    return found


def alone() -> list[str]:
    """Each field of a listing alone, of those that not everything is read for."""
    shared = below(TYPES["Listing"])
    kinds = [TYPES[name] for name in ("Property", "Service", "Event", "ParkingSpot")]
    own = [
        f"... on {kind.name} {{ {each} }}"
        for kind in kinds
        for each in below(kind)
        if each.partition(" ")[0].partition("(")[0] not in TYPES["Listing"].fields
    ]
    return [each for each in ("__typename", *shared, *own) if set(NAME.findall(each)) <= columns.told().keys()]


def both_ways(query: str, viewer: User | None) -> Any:
    """The answer, which is the same where everything is read."""
    read = ask(query, viewer=viewer)
    with override_settings(COMPILED_READS=False):
        whole = ask(query, viewer=viewer)
    assert "errors" not in read, read["errors"]
    assert json.dumps(read, default=str) == json.dumps(whole, default=str)
    return read["data"]


@pytest.mark.parametrize("who", ["guest", "host"])
def test_each_field_alone_is_shown_from_what_is_read_for_it(
    listings: list[Listing], who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns.SETS, "most", 1000)
    viewer = listings[0].host if who == "host" else make_guest()
    fields = alone()
    query = " ".join(
        f"f{number}: listings(first: 9) {{ edges {{ node {{ {field} }} }} }}" for number, field in enumerate(fields)
    )
    answer = both_ways(f"{{ {query} }}", viewer)
    assert [len(answer[f"f{number}"]["edges"]) for number in range(len(fields))] == [len(listings)] * len(fields)
    assert {name for field in fields for name in NAME.findall(field)} >= columns.COLUMNS.keys() - ENVELOPE
    assert len(columns.SETS.sets) >= 30


def test_cards_are_read_with_what_they_show(listings: list[Listing]) -> None:
    card = "id title location { city } price { amount currency } ... on Property { maxGuests }"
    hosted = f"{card} host {{ displayName }}"

    def text(shown: str) -> str:
        with override_settings(PREPARED_STATEMENTS=False), CaptureQueriesContext(connection) as queries:
            both_ways_of = ask(f"{{ listings {{ edges {{ node {{ {shown} }} }} }} }}", viewer=None)
        assert "errors" not in both_ways_of
        (statement,) = [each["sql"] for each in queries if "listings_listing" in each["sql"]]
        return str(statement)

    few = text(card)
    assert "max_guests" in few
    for unread in ("description", "users_user", "bedrooms", "event_event", "updated_at"):
        assert unread not in few
    assert '"last_name"' in text(hosted)
    assert '"email"' not in text(hosted)
    # What nobody told of, and what a condition leaves out, is read.
    everything = text(f"{card} calendars {{ name }}")
    left_out = text(f"{card} description @include(if: false)")
    assert all(name in everything for name in ("description", "bedrooms", "event_event", '"email"'))
    assert "description" in left_out


def test_what_was_not_read_is_not_made_up(listings: list[Listing]) -> None:
    found = find_listings(search=ListingSearch(), order=ListingOrder.NEWEST, now=NOW)
    row = found.page(limit=1, shown=("title", "host__first_name")).rows[0]
    assert row.title == listings[-1].title
    assert row.host.first_name == listings[-1].host.first_name
    assert row.host_id == listings[-1].host_id
    for look in (lambda: row.description, lambda: row.price, lambda: row.host.email, lambda: row.host.is_staff):
        with pytest.raises(NotRead):
            look()
    with pytest.raises(AttributeError):
        row.parking_spot  # noqa: B018


def test_of_many_different_sets_some_read_more(listings: list[Listing], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns.SETS, "most", 2)
    names = [frozenset({"edges", "node", *own}) for own in (["title"], ["title", "city"], ["city"], ["description"])]
    assert [columns.SETS.of(each) for each in names] == [
        ("title",),
        ("city", "title"),
        ("city", "title"),
        EVERYTHING,
    ]
    for own in ("title", "location { city }", "description"):
        both_ways(f"{{ listings {{ edges {{ node {{ {own} }} }} }} }}", None)


def test_hidden_listings_stay_hidden_however_little_is_read(listings: list[Listing]) -> None:
    Listing.objects.filter(pk=listings[0].pk).update(status=ListingStatus.DRAFT)
    shown = both_ways("{ listings { edges { node { title } } } }", listings[0].host)
    assert {edge["node"]["title"] for edge in shown["listings"]["edges"]} == {each.title for each in listings[1:]}
