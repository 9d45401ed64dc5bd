"""What a page of a search costs the database, counted where a client's request comes in."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.listings.models import Image, Listing
from apps.users.models import Session
from apps.users.tokens import make_access_token
from tests.recipes import MAKE, make_guest

pytestmark = pytest.mark.django_db

CARD = """
    pageInfo { hasNextPage hasPreviousPage endCursor }
    edges { cursor node { id title price { amount currency } host { displayName } ratingAverage ratingCount images { url } } }
"""


def make_listings(number: int) -> None:
    """As many of each kind, each with a host of its own and a picture."""
    for make in MAKE.values():
        for count in range(number):
            listing = make(title=f"Sunny {make.__name__} {count}", latitude=52.5, longitude=13.4)
            Image.objects.create(listing=listing, position=0, file="listings/none.png")
    Listing.objects.update(rating_sum=9, rating_count=2)


def answered(client: Client, arguments: str) -> tuple[dict[str, Any], int]:
    """The connection, and how many statements the request needed."""
    with CaptureQueriesContext(connection) as statements:
        answer = client.post(
            "/graphql", json.dumps({"query": f"{{ listings({arguments}) {{ {CARD} }} }}"}), "application/json"
        )
    body = answer.json()
    assert "errors" not in body, body
    found: dict[str, Any] = body["data"]["listings"]
    return found, len(statements)


@pytest.mark.parametrize(
    "search",
    [
        "",
        "orderBy: RATING_DESC",
        "filter: {near: {latitude: 52.5, longitude: 13.4, distance: 5}}, orderBy: DISTANCE",
        'filter: {text: "sunny"}',
        "orderBy: STARTS_AT",
    ],
)
@pytest.mark.parametrize("is_signed_in", [False, True])
def test_a_page_of_twenty_costs_at_most_four_statements(search: str, is_signed_in: bool) -> None:
    make_listings(7)
    client = Client(SERVER_NAME="127.0.0.1")
    if is_signed_in:
        guest, now = make_guest(), timezone.now()
        session = Session.objects.create(user=guest, created_at=now, last_used_at=now)
        token, _ = make_access_token(user=guest, session=session, now=now)
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    page, statements = answered(client, f"first: 20, {search}")

    assert len(page["edges"]) == 20
    assert page["pageInfo"]["hasNextPage"]
    assert all(edge["node"]["images"] and edge["node"]["ratingAverage"] for edge in page["edges"])
    # Who asks is one more.
    assert statements <= 4 + is_signed_in
