"""Relay: its compiler takes our schema and a page's operations, and its runtime shows them from the site."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from apps.reviews.models import Review
from schema.core.ids import to_global_id
from tests.clients.driver import Clients
from tests.live.conftest import token_of
from tests.recipes import PASSWORD, make_guest, make_host, make_parking_spot
from tests.serving import Site

SCHEMA = (Path(__file__).resolve().parents[2] / "schema" / "schema.graphql").read_text()
COMPILED = {
    "SearchPageQuery", "SearchMoreQuery", "SearchListingQuery", "SearchNodesQuery", "SearchRenameMutation",
    "SearchChangedSubscription", "Search_listings", "Search_listing",
}  # fmt: skip


def test_relay_compiles_a_page_and_runs_it_on_the_site(site: Site, clients: Clients) -> None:
    host = make_host(password=PASSWORD)
    spots = [make_parking_spot(host=host, title=f"Bay {number}") for number in range(5)]
    newest_first = [to_global_id("ParkingSpot", spot.pk) for spot in reversed(spots)]
    written = [datetime.now(UTC) - timedelta(hours=hours) for hours in (3, 2, 1)]
    reviews = [
        Review.objects.create(
            listing=spots[-1], author=make_guest(), rating=4, comment="Good.", created_at=at, updated_at=at
        )
        for at in written
    ]
    compiled = clients.compile(SCHEMA)
    assert compiled["status"] == 0, compiled["said"]
    assert {name.partition(".")[0] for name in compiled["compiled"]} == COMPILED

    told = clients.relay(
        compiled,
        token=token_of(site, host),
        variables={"count": 2, "filter": {"kind": ["PARKING_SPOT"]}},
        more={"count": 2},
        rename={"input": {"id": newest_first[0], "title": "Bay of the future"}},
    )

    assert [row["id"] for row in told["first"]] == newest_first[:2]
    assert [row["id"] for row in told["both"]] == newest_first[:4]
    assert told["hasNext"] is True
    assert told["nodes"] == [
        {"__typename": "ParkingSpot", "id": each, "title": f"Bay {4 - place}"}
        for place, each in enumerate(newest_first[:4])
    ]
    # The refetched row holds the rest of its own list, and the mutation's answer found its way into it by the id.
    assert [row["title"] for row in told["renamed"]] == ["Bay of the future", "Bay 3", "Bay 2", "Bay 1"]
    shown = [edge["node"]["id"] for edge in told["renamed"][0]["reviews"]["edges"]]
    assert shown == [to_global_id("Review", each.pk) for each in reversed(reviews)]
    assert told["fetched"] == [
        "SearchPageQuery", "SearchMoreQuery", "SearchListingQuery", "SearchNodesQuery", "SearchRenameMutation",
    ]  # fmt: skip


def test_relay_refuses_a_schema_that_is_not_made_for_it(clients: Clients) -> None:
    flat = SCHEMA.replace("pageInfo: PageInfo!", "page: PageInfo!")
    assert flat != SCHEMA
    refused = clients.compile(flat)
    assert refused["status"] != 0
    assert "pageInfo" in refused["said"]
