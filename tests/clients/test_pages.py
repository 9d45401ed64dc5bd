"""Apollo Client and urql as applications set them up: one object in one place, pages merged, tokens renewed, files sent."""

import base64
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from PIL import Image

from apps.users.actions.sessions import open_session
from apps.users.models import RefreshToken, Session, User
from schema.core.ids import to_global_id
from tests.clients.driver import Clients
from tests.live.conftest import book, token_of
from tests.recipes import PASSWORD, make_guest, make_parking_spot
from tests.serving import Site, eventually

KINDS = ["apollo with pages", "urql with pages"]
MINE = "query Mine { me { id bookings(first: 5) { edges { node { id status } } } } }"
CANCEL = """mutation Cancel($id: ID!) {
    cancelBooking(input: {bookingId: $id}) { booking { id status } errors { code message field } } }"""
SEARCH = """query Search($first: Int!, $after: String, $filter: ListingFilter) {
    listings(first: $first, after: $after, filter: $filter) {
      edges { cursor node { id title price { amount currency } } } pageInfo { hasNextPage endCursor startCursor hasPreviousPage }
    } }"""
RENAME = """mutation Rename($to: String!) {
    updateProfile(input: {firstName: $to}) { viewer { id user { id firstName } } errors { code message field } } }"""
UPLOAD = """mutation Upload($file: Upload!) {
    uploadProfilePicture(input: {file: $file}) { viewer { id user { id profilePicture } } errors { code message field } } }"""


@pytest.fixture
def guest(transactional_db: None) -> User:
    return make_guest(password=PASSWORD)


def pair(user: User, *, seconds: float) -> tuple[str, str]:
    """The tokens of a new session; the access token is good for so long from now."""
    age = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS - seconds)
    with transaction.atomic():
        opened = open_session(user=user, user_agent="test", now=datetime.now(UTC) - age)
    return opened.access_token, opened.refresh_token


def sent(clients: Clients, name: str) -> list[str]:
    """The operations that went over the wire so far."""
    return [report["sent"] for report in clients.unread(name, "sent")]


def shown(clients: Clients, name: str, wanted: Any, read: Any) -> None:
    """Wait until what is watched shows it."""
    eventually(lambda: read(clients.next(name, key="list").get("data")) == wanted, f"{wanted} is shown")


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutation_is_seen_wherever_its_object_is_shown(site: Site, clients: Clients, guest: User, kind: str) -> None:
    token = token_of(site, guest)
    ids = [book(site.client(token=token), make_parking_spot(), hours=hours)["booking"]["id"] for hours in (2, 5)]
    name = f"{kind}, cache"
    clients.open(name, kind, token=token)

    def statuses(data: Any) -> dict[str, str]:
        return {each["node"]["id"]: each["node"]["status"] for each in data["me"]["bookings"]["edges"]} if data else {}

    clients.watch(name, MINE, key="list")
    shown(clients, name, dict.fromkeys(ids, "PENDING"), statuses)
    assert clients.ask(name, CANCEL, id=ids[0])["cancelBooking"]["errors"] == []
    shown(clients, name, {ids[0]: "CANCELED", ids[1]: "PENDING"}, statuses)
    # It was put together by its id: the list was not asked for again.
    assert sent(clients, name) == ["Mine", "Cancel"]
    clients.close(name)


@pytest.mark.parametrize("kind", KINDS)
def test_pages_become_one_list(site: Site, clients: Clients, kind: str) -> None:
    spots = [make_parking_spot(title=f"Bay {number}") for number in range(5)]
    make_parking_spot(title="Elsewhere", city="Lisbon")
    newest_first = [to_global_id("ParkingSpot", spot.pk) for spot in reversed(spots)]
    name = f"{kind}, list"
    clients.open(name, kind)

    def ids(data: Any) -> list[str]:
        return [each["node"]["id"] for each in data["listings"]["edges"]] if data else []

    berlin = {"kind": ["PARKING_SPOT"], "city": "Berlin"}
    clients.watch(name, SEARCH, key="list", first=2, filter=berlin)
    page: dict[str, Any] = {}

    def first_page() -> bool:
        page.update(clients.next(name, key="list").get("data") or {})
        return ids(page or None) == newest_first[:2]

    eventually(first_page, "the first page is shown")
    after = page["listings"]["pageInfo"]["endCursor"]
    answer = clients.more(name, key="list", after=after, first=2, filter=berlin)
    after = answer["data"]["listings"]["pageInfo"]["endCursor"]
    last = clients.more(name, key="list", after=after, first=2, filter=berlin)["data"]["listings"]
    assert last["pageInfo"]["hasNextPage"] is False
    if kind.startswith("apollo"):
        shown(clients, name, newest_first, ids)
    else:
        assert ids({"listings": last}) == newest_first
    assert sent(clients, name) == ["Search"] * 3
    clients.close(name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_ran_out_is_renewed_once_for_all_that_wait(
    site: Site, clients: Clients, guest: User, kind: str
) -> None:
    expired, refresh = pair(guest, seconds=-5)
    name = f"{kind}, tokens"
    clients.open(name, kind, token=expired, refreshToken=refresh)

    for turn in ("first", "second"):
        names = [f"Grace {turn} {number}" for number in range(6)]
        results = clients.crowd(name, RENAME, [{"to": each} for each in names])
        assert [each["updateProfile"]["errors"] for each in results] == [[]] * 6, results
        assert User.objects.get(pk=guest.pk).first_name in names
        # And again, with the refresh token that the first renewal gave.
        clients.expire(name, expired)
    assert sent(clients, name).count("Renew") == 2
    assert Session.objects.get(user=guest).ended_at is None
    assert RefreshToken.objects.filter(session__user=guest).count() == 3
    clients.close(name)


def test_two_tabs_that_renew_with_the_same_token_both_stay_signed_in(site: Site, clients: Clients, guest: User) -> None:
    expired, refresh = pair(guest, seconds=-5)
    for tab in ("first tab", "second tab"):
        clients.open(tab, "apollo with pages", token=expired, refreshToken=refresh)
    for tab in ("first tab", "second tab"):
        assert clients.ask(tab, MINE)["me"]["id"] == to_global_id("Viewer", guest.pk)
    assert Session.objects.get(user=guest).ended_at is None
    for tab in ("first tab", "second tab"):
        assert sent(clients, tab) == ["Mine", "Renew", "Mine"]
        clients.close(tab)


def picture() -> dict[str, str]:
    content = BytesIO()
    Image.new("RGB", (8, 8), "teal").save(content, "PNG")
    return {"name": "me.png", "type": "image/png", "content": base64.b64encode(content.getvalue()).decode()}


def test_a_file_goes_up_with_apollo_upload_client(site: Site, clients: Clients, guest: User) -> None:
    token = token_of(site, guest)
    clients.open("uploading", "apollo with pages", token=token, preflight=True)
    done = clients.ask("uploading", UPLOAD, file=picture())["uploadProfilePicture"]
    assert done["errors"] == []
    address = done["viewer"]["user"]["profilePicture"]
    assert address.startswith(f"{site.url}/media/")
    assert User.objects.get(pk=guest.pk).profile_picture.name in address
    clients.close("uploading")


def test_a_file_without_a_preflight_header_changes_nothing(site: Site, clients: Clients, guest: User) -> None:
    clients.open("form", "apollo with pages", token=token_of(site, guest))
    refused = clients.attempt("form", UPLOAD, file=picture())
    assert "error" in refused
    assert [report["status"] for report in clients.unread("form", "sent")] == [400]
    assert not User.objects.get(pk=guest.pk).profile_picture
    clients.close("form")
