"""What reading a page costs the database: the calendars of the page alone, and no level that the page does not reach."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from apps.core.keyset import key_of
from apps.listings.kinds import all_kinds, kind_model
from apps.listings.models import Listing
from apps.listings.search import ListingOrder, ListingSearch
from apps.listings.selectors import FoundListings, find_listings
from apps.listings.words import Frequencies, sought_words
from tests.recipes import make_host, make_parking_spot, make_property

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
PAGE = 3


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan's nodes, each with how often it was started in `Actual Loops`."""
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


def explained(sql: str, values: Any = None) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
        return nodes(cursor.fetchone()[0][0]["Plan"])


def calendars(plan: list[dict[str, Any]]) -> int:
    """How many homes were asked whether a unit of theirs is free."""
    return sum(node["Actual Loops"] for node in plan if node.get("Relation Name") == "availability_unit")


def read(found: FoundListings, **options: Any) -> tuple[list[Listing], list[str]]:
    """A page and the statements that read it."""
    with override_settings(PREPARED_STATEMENTS=False), CaptureQueriesContext(connection) as captured:
        rows = found.page(limit=PAGE, **options).rows
    return rows, [query["sql"] for query in captured]


@pytest.fixture
def homes() -> list[Listing]:
    """Forty homes in a city, all free, with prices that say nothing of when they were made."""
    host = make_host()
    return [
        make_property(host=host, city="Suva", currency="FJD", price_minor=(number * 7) % 40 * 100)
        for number in range(40)
    ]


def test_no_more_calendars_are_asked_than_the_page_needs(homes: list[Listing]) -> None:
    first = NOW.date() + timedelta(days=9)
    search = ListingSearch(city="Suva", currency="FJD", check_in=first, check_out=first + timedelta(days=2))
    found = find_listings(search=search, order=ListingOrder.PRICE_ASC, now=NOW)

    rows, (statement,) = read(found)
    assert [row.price_minor for row in rows] == [0, 100, 200]
    assert calendars(explained(statement.replace("%", "%%"))) == PAGE + 1


def test_nor_where_the_candidates_must_be_sorted(homes: list[Listing]) -> None:
    Listing.objects.filter(pk__in=[home.pk for home in homes]).update(
        rating_count=1, rating_sum=F("price_minor") % 5 + 1
    )
    first = NOW.date() + timedelta(days=9)
    # There is no index of the best rated of a city.
    search = ListingSearch(city="Suva", check_in=first, check_out=first + timedelta(days=2))
    found = find_listings(search=search, order=ListingOrder.RATING_DESC, now=NOW)
    rows, (statement,) = read(found)
    assert len(rows) == PAGE
    with connection.cursor() as cursor:
        # Nor is the one of all to be walked.
        cursor.execute("DROP INDEX listing_rating")
    plan = explained(statement.replace("%", "%%"))
    assert [node["Actual Rows"] for node in plan if node["Node Type"] == "Sort"] == [PAGE + 1]
    assert calendars(plan) == PAGE + 1
    # Without the fence every home of the city is asked before the best rated are known.
    merged = found.query_set().order_by(F("rank_stars").desc(), "-id").values("pk")[: PAGE + 1]
    assert calendars(explained(*merged.query.sql_with_params())) == len(homes)


def test_no_rows_are_read_of_kinds_that_the_search_leaves_out(homes: list[Listing]) -> None:
    first = NOW.date() + timedelta(days=9)

    def tables(search: ListingSearch) -> list[str]:
        """Those of kinds that the page is read from."""
        with override_settings(PREPARED_STATEMENTS=False), CaptureQueriesContext(connection) as captured:
            found = find_listings(search=search, order=ListingOrder.NEWEST, now=NOW).page(limit=2).rows
        assert [listing.property.max_guests for listing in found] == [homes[0].property.max_guests] * 2
        (statement,) = captured
        return [kind.relation for kind in all_kinds() if f'"{kind_model(kind)._meta.db_table}"' in statement["sql"]]

    assert tables(ListingSearch(check_in=first, check_out=first + timedelta(days=2))) == ["property"]
    assert tables(ListingSearch(kinds=frozenset({"PROPERTY", "EVENT"}))) == ["event", "property"]
    assert tables(ListingSearch(city="Suva")) == [kind.relation for kind in all_kinds()]


def test_no_row_of_a_kind_is_looked_for_where_the_listing_is_of_another(homes: list[Listing]) -> None:
    for _ in range(20):
        make_parking_spot(host=homes[0].host)
    first = NOW.date() + timedelta(days=9)
    search = ListingSearch(check_in=first, check_out=first + timedelta(days=2))
    rows, (statement,) = read(find_listings(search=search, order=ListingOrder.NEWEST, now=NOW))
    assert [row.pk for row in rows] == [home.pk for home in reversed(homes[-PAGE:])]
    with connection.cursor() as cursor:
        # As it is where there are many: nobody reads, or sorts, all of a kind's rows to find those of a page.
        for way in ("hashjoin", "mergejoin", "seqscan", "bitmapscan", "sort", "incremental_sort", "material"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    looked_for = [
        node for node in explained(statement.replace("%", "%%")) if node.get("Relation Name") == "property_property"
    ]
    assert [node["Actual Loops"] for node in looked_for] == [PAGE + 1]


def test_a_level_that_the_page_does_not_reach_is_not_read() -> None:
    host = make_host()
    in_title = [make_property(host=host, title=f"Lagoon {number}", description="") for number in range(5)]
    elsewhere = [make_property(host=host, title=f"House {number}", description="By the lagoon") for number in range(5)]
    nearly = make_property(host=host, title="Lagoons all around", description="")
    found = find_listings(search=ListingSearch(text="lagoon"), order=ListingOrder.RELEVANCE, now=NOW)

    def levels_read(statement: str) -> list[bool]:
        """Which of the statement's parts looked at listings at all."""
        parts = [
            node
            for node in explained(statement.replace("%", "%%"))
            if str(node.get("Subplan Name")).startswith("CTE part_")
        ]
        assert len(parts) > 1 or "part_1" not in statement
        return [
            any(node["Actual Loops"] for node in nodes(part) if node.get("Relation Name") == "listings_listing")
            for part in parts
        ]

    rows, (first,) = read(found)
    assert {row.pk for row in rows} <= {row.pk for row in in_title}
    assert levels_read(first) == [True, False, False, False]
    rows, (second,) = read(
        find_listings(search=ListingSearch(text="lagoon"), order=ListingOrder.RELEVANCE, now=NOW),
        place=key_of(rows[-1], found.keys),
    )
    assert len({row.pk for row in rows} & {row.pk for row in in_title}) == 2
    assert len({row.pk for row in rows} & {row.pk for row in elsewhere}) == 1
    assert levels_read(second) == [True, True, False, False]
    # Behind a place what comes before it is not even asked for.
    rows, (last,) = read(
        find_listings(search=ListingSearch(text="lagoon"), order=ListingOrder.RELEVANCE, now=NOW),
        place=(3, datetime(2000, 1, 1, tzinfo=UTC), 0),
    )
    assert [row.pk for row in rows] == [nearly.pk]
    assert levels_read(last) == [True, True, True]


def test_how_frequent_words_are_is_known_from_the_statistics() -> None:
    host = make_host()
    for number in range(40):
        make_property(host=host, title=f"Lagoon {number}", description="Lagoons and palms", city="")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE listings_listing")
    frequencies = {word.word: word.frequencies for word in sought_words("lagoon palms lagpon zebra")}
    assert frequencies["lagoon"] == Frequencies(written=1.0, near=2.0, written_in_title=1.0, near_in_title=1.0)
    assert frequencies["palms"] == Frequencies(written=1.0, near=1.0)
    assert frequencies["lagpon"] == Frequencies(near=1.0, near_in_title=1.0)
    assert frequencies["zebra"] == Frequencies()


def test_a_later_page_of_a_rising_and_falling_order_begins_at_its_place() -> None:
    host = make_host()
    prices = [("EUR", 300), ("EUR", 200), ("EUR", 100), ("USD", 400), ("USD", 200), ("USD", 100), ("USD", 0)]
    for currency, price in prices:
        make_parking_spot(host=host, currency=currency, price_minor=price)
    found = find_listings(search=ListingSearch(), order=ListingOrder.PRICE_DESC, now=NOW)

    def shown(rows: list[Listing]) -> list[tuple[str, int]]:
        return [(row.currency, row.price_minor) for row in rows]

    first, statements = read(found)
    assert (shown(first), len(statements)) == (prices[:3], 1)
    # The rest of the first currency, which is nothing, and then the other: each from the row at which it begins.
    second, statements = read(found, place=key_of(first[-1], found.keys))
    assert (shown(second), len(statements)) == (prices[3:6], 2)
    # Where the first alone has enough, the second is not asked for.
    _, statements = read(found, place=("USD", 500, 1))
    assert len(statements) == 1
    back, statements = read(found, place=key_of(second[0], found.keys), backwards=True)
    assert (shown(back), len(statements)) == (prices[:3], 2)
