"""The whole schema on real rows: the lean executor answers made-up queries as graphql-core's does, in both of its ways."""

import itertools
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection
from graphql import GraphQLArgument, get_named_type
from hypothesis import HealthCheck, given, settings
from model_bakery import baker

from apps.bookings.actions import hold
from apps.core.db import Habit
from apps.core.postgres.session import NotAlone
from apps.listings.offers import BookingRequest
from apps.reviews.models import Review
from apps.users.models import User
from schema.core.context import Context
from schema.core.engine import Engine, Operation
from schema.costs import PRICES
from schema.listings.types import listing_global_id
from schema.root import schema
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_service
from tests.schema.core.ways import all_ways
from tests.schema.generated import VARIABLES, exactly, queries, told

pytestmark = pytest.mark.django_db

WAYS = all_ways(schema, PRICES)
LISTINGS: list[str] = []


def interrupted(read: Callable[[], Any], habit: Habit | None = None) -> Any:
    """Reads twice: the first time, the second statement is one too many."""
    sent = itertools.count()

    def send(execute: Any, *arguments: Any) -> Any:
        if next(sent):
            raise NotAlone
        return execute(*arguments)

    try:
        with connection.execute_wrapper(send):
            return read()
    except NotAlone:
        return read()


INTERRUPTED = Engine(schema, prices=PRICES, reading=interrupted)


def literals(name: str, argument: GraphQLArgument) -> list[str]:
    by_name = {
        "id": LISTINGS or ['"x"'],
        "listingId": LISTINGS or ['"x"'],
        "ids": [f"[{', '.join(LISTINGS)}]"],
        "first": ["1", "3"],
        "last": ["2", "-1"],
        "from": ['"2026-11-28T00:00:00Z"'],
        "to": ['"2026-12-08T00:00:00Z"', '"2026-11-01T00:00:00Z"'],
        "filter": ["{kind: [PROPERTY, EVENT]}", "{}"],
        "orderBy": ["PRICE_ASC", "NEWEST"],
        "unit": ["KM", "MI"],
        "checkIn": ['"2026-12-05"'],
        "checkOut": ['"2026-12-07"'],
        "tickets": ["2"],
    }
    found = by_name.get(name, [])
    return [] if name in {"filter", "orderBy"} and "Listing" not in get_named_type(argument.type).name else found


@pytest.fixture
def guest() -> User:
    """A guest with a booking, among a listing of each kind."""
    guest = make_guest()
    home = make_property(units=2)
    offered = [home, make_service(), make_event(), make_parking_spot()]
    hold(
        kind_code="PROPERTY",
        listing_id=home.pk,
        listing_field="property_id",
        request=BookingRequest(check_in=date(2026, 12, 1), check_out=date(2026, 12, 3), guests=1),
        guest=guest,
        now=NOW,
    )
    baker.make(Review, listing=home, author=guest, rating=4, comment="Fine.", created_at=NOW, updated_at=NOW)
    LISTINGS[:] = [json.dumps(listing_global_id(each)) for each in offered]
    return guest


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(query=queries(schema.graphql_schema, literals, depth=5))
def _compare(guest: User, query: str) -> None:
    for user in (None, guest):
        looped, written, plain, anew = (
            told(each.answer(Operation(query, VARIABLES), context=Context(now=NOW, user=user)))
            for each in (*WAYS, INTERRUPTED)
        )
        assert looped == plain
        assert written == plain
        assert anew == plain


def test_all_answer_made_up_queries_alike(guest: User) -> None:
    _compare(guest)


def test_the_pages_of_a_client(guest: User) -> None:
    """What is asked for most: the search page, the listing page and one's own bookings."""
    page = "id title kind host { displayName } price { amountMinor currency } ratingAverage ratingCount images { url }"
    pages: list[tuple[str, Any]] = [
        (f"{{ listings(first: 20) {{ edges {{ cursor node {{ {page} }} }} pageInfo {{ hasNextPage }} }} }}", None),
        (
            f"query ($id: ID!) {{ listing(id: $id) {{ {page} reviews(first: 10) {{ edges {{ node "
            "{ rating comment author { displayName } } } } ... on Property { maxGuests } } }",
            {"id": json.loads(LISTINGS[0])},
        ),
        (
            "{ me { bookings(first: 10) { edges { node { id status reference total { amountMinor } listing { title } "
            "payments { status } lines { label quantity amount { amountMinor } } history { type at } } } } } }",
            None,
        ),
    ]
    for query, variables in pages:
        looped, written, plain, anew = (
            each.answer(Operation(query, variables or {}), context=Context(now=NOW, user=guest))
            for each in (*WAYS, INTERRUPTED)
        )
        assert not plain.errors, plain.errors
        assert exactly(looped) == exactly(plain)
        assert exactly(written) == exactly(plain)
        assert exactly(anew) == exactly(plain)
