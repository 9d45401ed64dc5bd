"""Profiles, roles, and what strangers see."""

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from PIL import Image

from apps.bookings.actions import hold
from apps.bookings.states import Actor, BookingStatus
from apps.listings.offers import BookingRequest
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.recipes import make_event, make_guest, make_host, make_property, make_staff
from tests.schema.users.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)

BECOME_HOST = "mutation { becomeHost(input: {}) { viewer { role } errors { code } } }"
SET_ROLE = (
    """mutation($input: SetUserRoleInput!) { setUserRole(input: $input) { user { id } errors { code field } } }"""
)
UPDATE = """mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
    viewer { phoneNumber user { firstName lastName displayName } } errors { code field } } }"""
USER = "query($id: ID!) { user(id: $id) { id email firstName lastName displayName } node(id: $id) { id __typename } }"
USERS = "query($search: String, $first: Int) { users(search: $search, first: $first) { edges { node { email } } totalCount } }"


def signed_in(user: User) -> Api:
    return Api().enter(user)


def gid(user: User) -> str:
    return to_global_id("User", user.pk)


def test_become_host_at_once_and_again(api: Api) -> None:
    guest = make_guest()
    api.enter(guest)
    for _ in range(2):
        assert api.data(BECOME_HOST)["becomeHost"] == {"viewer": {"role": "HOST"}, "errors": []}
    guest.refresh_from_db()
    assert guest.role == "HOST"
    assert signed_in(make_staff()).data(BECOME_HOST)["becomeHost"]["viewer"]["role"] == "STAFF"
    assert Api().code(BECOME_HOST) == "UNAUTHENTICATED"


def test_staff_gives_roles_but_never_to_itself() -> None:
    staff, guest = make_staff(), make_guest()
    api = signed_in(staff)
    assert api.data(SET_ROLE, input={"userId": gid(guest), "role": "HOST"})["setUserRole"]["errors"] == []
    guest.refresh_from_db()
    assert guest.role == "HOST"
    for role in ("GUEST", "STAFF"):
        assert api.refusals(SET_ROLE, input={"userId": gid(staff), "role": role}) == [("NOT_ALLOWED", ["userId"])]
    for bad in ("", "x", "\x00", to_global_id("Viewer", guest.pk), to_global_id("User", 2**62)):
        assert api.refusals(SET_ROLE, input={"userId": bad, "role": "STAFF"}) == [("NOT_FOUND", ["userId"])]
    assert signed_in(guest).code(SET_ROLE, input={"userId": gid(guest), "role": "STAFF"}) == "FORBIDDEN"
    assert Api().code(SET_ROLE, input={"userId": gid(guest), "role": "STAFF"}) == "UNAUTHENTICATED"
    guest.refresh_from_db()
    assert guest.role == "HOST"


def test_who_loses_the_staff_role_is_no_superuser_any_more() -> None:
    other = make_staff(is_superuser=True)
    signed_in(make_staff()).data(SET_ROLE, input={"userId": gid(other), "role": "GUEST"})
    other.refresh_from_db()
    assert (other.role, other.is_superuser) == ("GUEST", False)


def test_update_profile_changes_what_is_named(api: Api) -> None:
    user = make_guest(first_name="Ada", last_name="Lovelace", phone_number="+4930901820")
    api.enter(user)
    viewer = api.data(UPDATE, input={"firstName": " Augusta "})["updateProfile"]["viewer"]
    assert viewer["user"] == {"firstName": "Augusta", "lastName": "Lovelace", "displayName": "Augusta L."}
    assert viewer["phoneNumber"] == "+4930901820"
    assert api.data(UPDATE, input={"phoneNumber": None})["updateProfile"]["viewer"]["phoneNumber"] == ""
    assert api.data(UPDATE, input={})["updateProfile"]["errors"] == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"firstName": None}, "REQUIRED"),
        ({"lastName": "  "}, "REQUIRED"),
        ({"firstName": "x" * 10_000}, "INVALID"),
        ({"lastName": "a\x07"}, "INVALID"),
        ({"firstName": "a\nb"}, "INVALID"),
        ({"phoneNumber": "x"}, "INVALID"),
    ],
)
def test_update_profile_refuses(api: Api, given: dict[str, Any], code: str) -> None:
    user = make_guest()
    api.enter(user)
    before = User.objects.values().get()
    assert api.refusals(UPDATE, input=given) == [(code, list(given))]
    assert User.objects.values().get() == before


def test_strangers_see_little(api: Api) -> None:
    user = make_guest(first_name="Ada", last_name="Lovelace", email="ada@example.com")
    public = {"id": gid(user), "email": None, "firstName": "Ada", "lastName": "", "displayName": "Ada L."}
    full = {**public, "email": "ada@example.com", "lastName": "Lovelace"}
    assert api.data(USER, id=gid(user)) == {"user": public, "node": {"id": gid(user), "__typename": "User"}}
    assert signed_in(make_host()).data(USER, id=gid(user))["user"] == public
    assert signed_in(make_staff()).data(USER, id=gid(user))["user"] == full
    assert signed_in(user).data(USER, id=gid(user))["user"] == full


def test_closed_accounts_and_other_ids_are_not_there(api: Api) -> None:
    closed = make_guest(is_active=False)
    deleted = make_guest(is_active=False, deleted_at=datetime.now(UTC))
    for bad in (gid(closed), gid(deleted), "", "x", to_global_id("Viewer", closed.pk), to_global_id("User", 2**62)):
        assert api.data(USER, id=bad) == {"user": None, "node": None}


def test_a_viewer_is_a_node_to_itself_alone(api: Api) -> None:
    user = make_guest()
    own = signed_in(user)
    viewer_id = own.data("{ me { id } }")["me"]["id"]
    query = (
        "query($ids: [ID!]!) { nodes(ids: $ids) { id __typename ... on Viewer { email } ... on User { firstName } } }"
    )
    assert own.data(query, ids=[viewer_id, gid(user)])["nodes"] == [
        {"id": viewer_id, "__typename": "Viewer", "email": user.email},
        {"id": gid(user), "__typename": "User", "firstName": "Ada"},
    ]
    for other in (api, signed_in(make_staff())):
        assert other.data(query, ids=[viewer_id])["nodes"] == [None]


def test_users_are_searched_by_staff() -> None:
    staff = make_staff(email="boss@example.com", first_name="Grace", last_name="Hopper")
    for email, last_name in (("ann1@example.com", "Smith"), ("ann2@example.org", "Smythe")):
        make_guest(email=email, first_name="Ann", last_name=last_name)
    api = signed_in(staff)

    def found(search: str | None) -> list[str]:
        return [edge["node"]["email"] for edge in api.data(USERS, search=search)["users"]["edges"]]

    assert found("ANN SM") == ["ann2@example.org", "ann1@example.com"]
    assert found("example.org") == ["ann2@example.org"]
    assert found("%") == found("n_1") == found("\x00zz") == []
    assert found(None) == found("  ") == ["ann2@example.org", "ann1@example.com", "boss@example.com"]
    assert api.data(USERS, search="ann", first=1)["users"]["totalCount"] == 2
    assert signed_in(make_host()).code(USERS) == "FORBIDDEN"
    assert Api().code(USERS) == "UNAUTHENTICATED"


def test_listings_of_a_person(api: Api) -> None:
    host = make_host()
    make_property(host=host)
    make_property(host=host, status="DRAFT")
    query = "query($id: ID!) { user(id: $id) { listings { totalCount edges { node { status } } } reviewsWritten { totalCount } } }"
    assert api.data(query, id=gid(host))["user"] == {
        "listings": {"totalCount": 1, "edges": [{"node": {"status": "PUBLISHED"}}]},
        "reviewsWritten": {"totalCount": 0},
    }
    assert signed_in(host).data(query, id=gid(host))["user"]["listings"]["totalCount"] == 2


def test_no_query_per_person(api: Api, django_assert_max_num_queries: Any) -> None:
    api.enter(make_staff())
    query = """{ users { edges { node { lastName profilePicture
        listings { edges { node { title } } } reviewsWritten { edges { node { rating } } } } } } }"""
    counts = []
    for _ in range(2):
        for _ in range(4):
            make_property()
        with django_assert_max_num_queries(20) as captured:
            api.data(query)
        counts.append(len(captured.captured_queries))
    assert counts[0] == counts[1]


def picture(kind: str, size: tuple[int, int] = (8, 8)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind)
    return buffer.getvalue()


def upload(api: Api, content: bytes) -> dict[str, Any]:
    query = """mutation($file: Upload!) { uploadProfilePicture(input: {file: $file}) {
        viewer { user { profilePicture } } errors { code field } } }"""
    response = Client().post(
        "/graphql",
        {
            "operations": json.dumps({"query": query, "variables": {"file": None}}),
            "map": '{"0": ["variables.file"]}',
            "0": SimpleUploadedFile("me.png", content),
        },
        headers={"X-Requested-With": "test", "Authorization": f"Bearer {api.token}"},
    )
    payload: dict[str, Any] = response.json()["data"]["uploadProfilePicture"]
    return payload


def test_profile_picture_comes_and_goes(api: Api) -> None:
    user = make_guest()
    api.enter(user)
    names = []
    for kind in ("PNG", "WEBP"):
        payload = upload(api, picture(kind))
        assert payload["errors"] == []
        user.refresh_from_db()
        names.append(str(user.profile_picture.name))
        url = payload["viewer"]["user"]["profilePicture"]
        served = Client().get(url[url.index("/media/") :])
        assert served.status_code == 200
        assert served["Content-Type"] == f"image/{kind.lower()}"
        served.close()
    assert not default_storage.exists(names[0])
    remove = "mutation { removeProfilePicture(input: {}) { viewer { user { profilePicture } } errors { code } } }"
    for _ in range(2):
        assert api.data(remove)["removeProfilePicture"] == {"viewer": {"user": {"profilePicture": None}}, "errors": []}
    assert not default_storage.exists(names[1])


def test_what_is_no_picture_is_refused(api: Api) -> None:
    user = make_guest()
    api.enter(user)
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    for content in (b"", b"no picture", svg, picture("GIF"), picture("PNG") + b"x" * 5 * 1024 * 1024):
        assert upload(api, content) == {"viewer": None, "errors": [{"code": "INVALID", "field": ["file"]}]}
    user.refresh_from_db()
    assert not user.profile_picture


def test_the_other_side_of_a_booking_sees_the_last_name() -> None:
    now = datetime.now(UTC)
    event = make_event(host=make_host(last_name="Hopper"))
    guest = make_guest(last_name="Lovelace")
    booking = hold(
        kind_code="EVENT",
        listing_id=event.pk,
        listing_field="event_id",
        request=BookingRequest(tickets=1),
        guest=guest,
        now=now,
    )

    def last_names() -> tuple[str, str]:
        seen_by_guest = signed_in(guest).data(USER, id=gid(event.host))["user"]["lastName"]
        seen_by_host = signed_in(event.host).data(USER, id=gid(guest))["user"]["lastName"]
        return seen_by_guest, seen_by_host

    assert last_names() == ("", "")
    with transaction.atomic():
        booking.move_to(BookingStatus.CONFIRMED, now=now, actor=Actor.SYSTEM)
    assert last_names() == ("Hopper", "Lovelace")
    assert signed_in(make_guest()).data(USER, id=gid(guest))["user"]["lastName"] == ""
