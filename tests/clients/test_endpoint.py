"""GraphQL over HTTP as its specification has it, and documents that clients name."""

from uuid import uuid4

from tests.clients.driver import Clients
from tests.serving import Site


def test_the_endpoint_passes_every_audit_of_graphql_over_http(site: Site, clients: Clients) -> None:
    results = clients.audit()
    assert len(results) == 61
    assert [each for each in results if each["status"] != "ok"] == []


def test_a_client_sends_the_text_of_a_query_once(site: Site, clients: Clients) -> None:
    query = f"query Persisted{uuid4().hex} {{ listings(first: 1) {{ pageInfo {{ hasNextPage }} }} }}"
    for name in ("teacher", "pupil"):
        clients.open(name, "apollo", persisted=True)
        assert clients.ask(name, query) == {
            "listings": {
                "__typename": "ListingConnection",
                "pageInfo": {"__typename": "PageInfo", "hasNextPage": False},
            }
        }
    wires = [[report["wire"] for report in clients.unread(name, "wire")] for name in ("teacher", "pupil")]
    assert [(each["method"], each["text"]) for each in wires[0]] == [("GET", False), ("GET", True)]
    assert wires[1] == [{"method": "GET", "text": False, "status": 200}]
