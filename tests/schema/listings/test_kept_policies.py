"""Every declared policy: what it varies by, what ends it, and that nothing crosses from one account to another."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from apps.core.versions import Recording, recording
from apps.listings.models import Listing, ListingStatus
from apps.users.models import User
from schema.core import caching
from schema.core.caching import POLICIES, Varies
from schema.core.ids import to_global_id
from tests.recipes import make_event, make_guest, make_host, make_property, make_service, make_staff
from tests.schema.listings.api import global_id
from tests.schema.listings.keeping import answer, data, is_kept, keeping_answers, outcomes

pytestmark = pytest.mark.django_db

# By policy: a query with its field, and with something else in its place.
FIELDS = {
    "Listing.availability": '{ listing(id: "ID") { title HERE } }',
    "Service.slots": '{ listing(id: "ID") { title ... on Service { staff HERE } } }',
    "ListingConnection.totalCount": "{ listings { edges { node { id } } HERE } }",
    "ListingConnection(of what is free).totalCount": "{ listings(filter: { availableFrom: FROM, availableTo: TO }) "
    "{ edges { node { id } } HERE } }",
}
ASKED = {
    "availability": "availability(from: FROM, to: TO) { start end }",
    "slots": "slots(from: FROM, to: TO) { start end }",
}


@pytest.fixture(autouse=True)
def _kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with keeping_answers(settings, monkeypatch):
        yield


def asking(policy: str, listing: Listing, *, field: str | None = None) -> str:
    """The query with the field of the policy, or with another one."""
    own = POLICIES[policy].field
    day = (datetime.now(UTC) + timedelta(days=20)).replace(hour=0, minute=0, second=0, microsecond=0)
    query = FIELDS[policy].replace("HERE", field or ASKED.get(own, own)).replace("ID", global_id(listing))
    return query.replace("FROM", f'"{day.isoformat()}"').replace("TO", f'"{(day + timedelta(days=2)).isoformat()}"')


def test_each_policy_is_walked_here() -> None:
    answer("{ __typename }")
    assert set(FIELDS) == set(POLICIES)
    # What everybody shares was looked at; whoever says nothing shares nothing.
    assert {name for name in FIELDS if POLICIES[name].varies_by is Varies.NOTHING} == set(FIELDS)
    assert caching.Policy("x", ()).varies_by is Varies.BY_ACCOUNT


@pytest.mark.parametrize("policy", FIELDS)
def test_every_caller_gets_what_is_theirs(policy: str) -> None:
    """The host's own draft is theirs alone, and so is what can be asked of it."""
    answer("{ __typename }")
    now = datetime.now(UTC)
    host, other, staff = make_host(), make_guest(), make_staff()
    listings = [
        make_service(host=host),
        make_service(host=host, status=ListingStatus.DRAFT),
        make_property(),
        make_event(),
    ]
    callers: list[User | None] = [host, other, staff, None]
    before = outcomes(policy)["hit"]
    for listing in listings:
        query = asking(policy, listing)
        own = [data(query, viewer=viewer, keeps=False, now=now) for viewer in callers]
        for _ in range(3):
            assert [data(query, viewer=viewer, now=now) for viewer in callers] == own
    assert outcomes(policy)["hit"] > before


@pytest.mark.parametrize("policy", FIELDS)
def test_what_a_field_reads_is_what_ends_it(policy: str) -> None:
    answer("{ __typename }")
    listing = make_service()

    def families(field: str | None = None) -> set[str]:
        into = Recording()
        with recording(into):
            data(asking(policy, listing, field=field), keeps=False)
        assert into.is_covered
        return {tag.partition(":")[0] for tag in into.tags}

    assert families() - families("__typename") <= set(POLICIES[policy].invalidated_by)
    assert POLICIES[policy].is_timed == ("availability" in families())


def test_what_was_read_from_elsewhere_is_not_kept() -> None:
    query = '{ booking(reference: "ABCDEFGH") { id } }'
    for _ in range(4):
        found = answer(query)
        assert found.is_public
        assert not is_kept(found)


def test_what_is_not_there_has_one_answer() -> None:
    query = "query($id: ID!) { listing(id: $id) { title } }"
    nothing = {"id": to_global_id("Event", 2**40)}
    found = [answer(query, nothing) for _ in range(4)]
    assert is_kept(found[3])
    assert all(each.extensions == {} for each in found)


def test_the_same_answer_has_the_same_tag_over_http(settings: Settings, client: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False
    listing = make_event()
    sent = {"query": "query($id: ID!) { listing(id: $id) { title } }", "variables": {"id": global_id(listing)}}
    before = outcomes()["hit"]
    answers = [client.post("/graphql", sent, content_type="application/json") for _ in range(4)]
    assert len({response["ETag"] for response in answers}) == 1
    assert {response["Cache-Control"] for response in answers} == {"public, max-age=0, must-revalidate"}
    assert len({response.content for response in answers}) == 1
    assert outcomes()["hit"] == before + 2
    signed = client.post("/graphql", sent, content_type="application/json", headers={"Authorization": "Bearer x"})
    assert signed["Cache-Control"] == "no-store"
    assert outcomes()["hit"] == before + 2
