"""The newest and the nearest of a place, however many lie there: what a page of them costs, and that it is the right one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from apps.core.periods import Period
from apps.core.shapes import Shaped
from apps.listings import pages, selectors
from apps.listings.models import Listing
from apps.listings.search import Box, ListingOrder, ListingSearch, Near
from apps.listings.selectors import find_listings
from apps.users.models import User
from tests.listings.paging import all_pages
from tests.listings.test_pages import PAGE, calendars, explained, nodes, read
from tests.recipes import make_event, make_host, make_parking_spot, make_property

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
SOON = Period(NOW + timedelta(days=9), NOW + timedelta(days=9, hours=2))
CENTRE = Near(10.0, 20.0, 5)
AROUND = Box(9.95, 19.95, 10.05, 20.05)


@pytest.fixture
def host() -> User:
    return make_host()


def put(host: User, number: int, *, south: float = 0.0, make: Any = make_parking_spot) -> Listing:
    """One some hundred metres from the centre, the further the higher its number; or far in the south."""
    listing: Listing = make(host=host, latitude=10.0 - south + number / 10_000, longitude=20.0)
    return listing


@pytest.fixture
def looked_through(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many of the newest are looked at: few."""
    monkeypatch.setattr(pages, "LOOKED_THROUGH", 6)
    monkeypatch.setattr(selectors, "PAGE", Shaped("page", pages._page, is_steady=pages._is_walked))
    return 6


SEARCHES = [
    ListingSearch(near=CENTRE),
    ListingSearch(box=AROUND),
    ListingSearch(near=CENTRE, kinds=frozenset({"PARKING_SPOT"})),
    ListingSearch(near=CENTRE, free=SOON),
    ListingSearch(box=AROUND, free=SOON, kinds=frozenset({"PARKING_SPOT"})),
]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("step", [1, 2, 5])
def test_the_newest_of_a_place_are_found_wherever_the_others_lie(
    host: User, looked_through: int, search: ListingSearch, step: int
) -> None:
    """Every `step`th lies there: of the few newest of all that are enough for a page, some of one, or hardly any."""
    here = [put(host, number, south=0.0 if number % step == 0 else 30.0) for number in range(20)][::step]
    found = find_listings(search=search, order=ListingOrder.NEWEST, now=NOW)
    newest = sorted((row.pk for row in here), reverse=True)
    assert found.count() == len(newest)
    for backwards in (False, True):
        assert all_pages(found, size=PAGE, backwards=backwards) == newest


def test_what_lies_in_a_place_is_gathered_only_where_the_newest_of_all_do_not_fill_the_page(
    host: User, looked_through: int
) -> None:
    for number in range(20):
        put(host, number)
    found = find_listings(search=ListingSearch(near=CENTRE), order=ListingOrder.NEWEST, now=NOW)

    def found_by() -> dict[str, float]:
        """How many each way found."""
        _, (statement,) = read(found)
        return {
            node["Subplan Name"]: node["Actual Rows"]
            for node in explained(statement.replace("%", "%%"))
            if str(node.get("Subplan Name")).startswith("CTE")
        }

    assert found_by() == {"CTE first": PAGE + 1, "CTE second": 0}
    for number in range(looked_through):
        put(host, number, south=30.0)
    gone = found_by()
    assert gone["CTE first"] == 0
    assert gone["CTE second"] == PAGE + 1


def test_no_more_of_the_nearest_are_asked_than_the_page_needs(host: User) -> None:
    """However few the planner takes the circle to hold, and never one that is out for another reason."""
    spots = [put(host, number) for number in range(20)]
    for number in range(20):
        put(host, number, make=make_property)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE listings_listing")
    search = ListingSearch(near=CENTRE, kinds=frozenset({"PARKING_SPOT"}), free=SOON)
    found = find_listings(search=search, order=ListingOrder.DISTANCE, now=NOW)
    rows, (statement,) = read(found)
    assert [row.pk for row in rows] == [spot.pk for spot in spots[:PAGE]]
    assert calendars(explained(statement.replace("%", "%%"))) == PAGE + 1


def test_what_takes_place_is_not_taken_for_rarer_than_it_is(host: User) -> None:
    """Of the rows of a kind's own table all are of the kind: the planner is not to expect the kind's share of them."""
    for _ in range(30):
        make_parking_spot(host=host, city="Suva")
    for number in range(6):
        make_event(host=host, city="Suva", starts_at=NOW + timedelta(days=3, hours=number))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE listings_listing, event_event")
    search = ListingSearch(city="Suva", tickets=2, starts_after=NOW, starts_before=NOW + timedelta(days=7))
    _, statements = read(find_listings(search=search, order=ListingOrder.STARTS_AT, now=NOW))
    plan = explained(statements[0].replace("%", "%%"))
    # The innermost: around it lie those that read the rows of the page.
    joined = [
        node
        for node in plan
        if node["Node Type"] in {"Nested Loop", "Hash Join", "Merge Join"}
        and {"event_event", "listings_listing"} <= {each.get("Relation Name") for each in nodes(node)}
    ][-1]
    assert joined["Plan Rows"] == joined["Actual Rows"] == 6
