"""What a search is answered that the database has no time for."""

from typing import Any

import pytest
from django.db import connection, transaction

from apps.listings.selectors import FoundListings
from tests.recipes import make_property
from tests.schema.listings.api import ask

pytestmark = pytest.mark.django_db

TOO_LONG = "SET LOCAL statement_timeout = '20ms'; SELECT pg_sleep(20)"
LOCKED = "DO $$ BEGIN RAISE EXCEPTION 'no lock' USING ERRCODE = 'lock_not_available'; END $$"
FIRST = "{ listings(first: 1) { pageInfo { endCursor } } }"
PAGE = """query($after: String) {
    listings(first: 1, after: $after) { totalCount pageInfo { hasPreviousPage } edges { node { id } } }
}"""
NARROWER = "This search takes too long. Ask for a place or a kind, or do without the count."


@pytest.mark.parametrize("read", ["page", "count", "exists"])
@pytest.mark.parametrize(
    ("statement", "extensions", "message"),
    [
        (TOO_LONG, {"code": "QUERY_TOO_COMPLEX"}, NARROWER),
        (LOCKED, {"code": "RATE_LIMITED", "retryAfter": 2}, "The server is busy with this. Try again."),
    ],
    ids=["too long", "locked"],
)
def test_a_search_that_takes_too_long_is_told_to_ask_for_less_and_not_to_try_again(
    read: str,
    statement: str,
    extensions: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a second page of a search, and a database that has no time for a part of it
    make_property(), make_property()
    after = ask(FIRST, viewer=None)["data"]["listings"]["pageInfo"]["endCursor"]

    def slow(*given: Any, **named: Any) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    monkeypatch.setattr(FoundListings, read, slow)

    # When it is asked for
    answer = ask(PAGE, {"after": after}, viewer=None)

    # Then whoever asked knows what to do, and whoever runs it that it happened
    (error,) = answer["errors"]
    assert (error["extensions"], error["message"]) == (extensions, message)
    assert answer["data"] is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
