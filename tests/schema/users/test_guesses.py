"""Tries at passwords, links and secrets over HTTP: slowed down by place, so that nobody locks somebody else out."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.audit.models import AuditEvent
from apps.core import throttling
from apps.users.guesses import password_counts, secret_counts, who_signs_in
from apps.users.models import User
from schema.core import limits
from schema.core.ids import to_global_id
from tests.accounts.bookings import book_home
from tests.recipes import PASSWORD, make_guest, make_property, make_staff
from tests.schema.users.conftest import TOKEN_AUTH, Api

pytestmark = pytest.mark.django_db(transaction=True)

HOME, AWAY, ELSEWHERE = "198.51.100.1", "203.0.113.7", "192.0.2.55"
VERIFY = "mutation($token: String!) { verifyEmail(input: {token: $token}) { errors { code } } }"
RESET = """mutation($token: String!) { resetPassword(input: {token: $token, newPassword: "correct-Horse-7"}) {
    errors { code } } }"""
OPEN = "query($id: ID, $token: String) { booking(id: $id, accessToken: $token) { reference } }"
CANCEL = """mutation($id: ID!, $token: String) { cancelBooking(input: {bookingId: $id, accessToken: $token}) {
    errors { code field } } }"""


@pytest.fixture(autouse=True)
def _limited(settings: Settings, monkeypatch: pytest.MonkeyPatch, _no_limits: None) -> None:
    settings.RATE_LIMITS_ENABLED = True
    monkeypatch.setattr(limits, "_outage", limits._Outage())
    # Longer than any test takes.
    monkeypatch.setattr(throttling, "FIRST_WAIT_SECONDS", 600)
    # What is tested is the growing wait; the plain limits per minute have tests of their own.
    for limit in (limits.SIGN_IN, limits.RESET, limits.BOOKING):
        monkeypatch.setattr(type(limit), "spend", lambda *_arguments: None)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three failures are free, for a network too."""
    begin = throttling._waited
    monkeypatch.setattr(throttling, "_waited", lambda counts: begin(tuple(less(each) for each in counts)))


def less(count: throttling.Count) -> throttling.Count:
    return throttling.Count(count.name, count.key, free=3 if count.free == 100 else count.free, forgiven=count.forgiven)


class At(Api):
    """A client at an address."""

    def __init__(self, address: str, token: str | None = None) -> None:
        super().__init__(token)
        self.address = address

    def send(self, query: str, **variables: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = json.dumps({"query": query, "variables": variables})
        response = Client(REMOTE_ADDR=self.address).post("/graphql", body, "application/json", headers=headers)
        answer: dict[str, Any] = response.json()
        return answer


def tried(api: Api, user: User, password: str) -> str:
    """ "" for a sign-in, else the code of its refusal."""
    answer = api.send(TOKEN_AUTH, email=user.email, password=password)
    return str(answer["errors"][0]["extensions"]["code"]) if "errors" in answer else ""


def test_a_stranger_locks_nobody_out() -> None:
    user = make_guest(password=PASSWORD)
    assert tried(At(HOME), user, PASSWORD) == ""
    assert [tried(At(AWAY), user, "wrong") for _ in range(12)] == ["INVALID_CREDENTIALS"] * 10 + ["RATE_LIMITED"] * 2
    # Strangers share one count: another address gains nothing, and the right password waits there too.
    assert tried(At(ELSEWHERE), user, PASSWORD) == "RATE_LIMITED"
    # Where the owner has been, nothing has happened.
    assert tried(At(HOME), user, PASSWORD) == ""
    # And another account is another account.
    assert tried(At(AWAY), make_guest(password=PASSWORD), PASSWORD) == ""


def test_unknown_addresses_are_slowed_down_alike() -> None:
    nobody = User(email="nobody@example.com")
    assert [tried(At(AWAY), nobody, "x") for _ in range(12)] == ["INVALID_CREDENTIALS"] * 10 + ["RATE_LIMITED"] * 2


def test_a_known_place_can_be_slow_as_well_and_is_forgiven() -> None:
    user = make_guest(password=PASSWORD)
    assert tried(At(HOME), user, PASSWORD) == ""
    assert [tried(At(HOME), user, "wrong") for _ in range(9)] == ["INVALID_CREDENTIALS"] * 9
    assert tried(At(HOME), user, PASSWORD) == ""
    assert [tried(At(HOME), user, "wrong") for _ in range(11)] == ["INVALID_CREDENTIALS"] * 10 + ["RATE_LIMITED"]


def test_a_new_password_by_mail_always_works() -> None:
    user = make_guest(password=PASSWORD)
    for _ in range(11):
        tried(At(AWAY), user, "wrong")
    assert At(ELSEWHERE).data(RESET, token="unknown")["resetPassword"]["errors"] == [{"code": "INVALID_TOKEN"}]


def test_one_network_is_slowed_down_over_all_accounts(few: None) -> None:
    users = [make_guest(email=f"person{number}@example.com") for number in range(5)]
    codes = [tried(At(f"2001:db8::{number}"), user, "x") for number, user in enumerate(users, 1)]
    assert codes == ["INVALID_CREDENTIALS"] * 3 + ["RATE_LIMITED"] * 2
    assert tried(At("2001:db8:1::1"), users[0], "x") == "INVALID_CREDENTIALS"


def test_aliases_count_one_by_one_and_say_how_long_to_wait() -> None:
    user = make_guest(password=PASSWORD)
    fields = " ".join(f'a{n}: tokenAuth(email: "{user.email}", password: "x") {{ token }}' for n in range(20))
    errors = At(AWAY).send(f"mutation {{ {fields} }}")["errors"]
    codes = [error["extensions"]["code"] for error in errors]
    assert codes == ["INVALID_CREDENTIALS"] * 10 + ["RATE_LIMITED"] * 10
    assert {error["extensions"]["retryAfter"] for error in errors[10:]} <= set(range(500, 601))
    rows = AuditEvent.objects.order_by("pk").values_list("kind", "user_id", "address", "data")
    assert list(rows) == [("SIGN_IN_REFUSED", user.pk, AWAY, {})] * 10 + [
        ("TRIES_LIMITED", None, AWAY, {"what": "password"})
    ]


@pytest.mark.parametrize("query", [VERIFY, RESET])
def test_links_cannot_be_guessed(query: str, few: None) -> None:
    answers = [At(AWAY).send(query, token=f"guess-{number}") for number in range(5)]
    assert all(next(iter(answer["data"].values()))["errors"] == [{"code": "INVALID_TOKEN"}] for answer in answers[:3])
    assert [answer["errors"][0]["extensions"]["code"] for answer in answers[3:]] == ["RATE_LIMITED"] * 2


def test_secrets_of_bookings_cannot_be_guessed() -> None:
    booking = book_home(make_property(), email="ada@example.com")
    asked = {"id": to_global_id("Booking", booking.pk)}
    for number in range(5):
        assert At(AWAY).data(OPEN, **asked, token=f"guess-{number}")["booking"] is None
        answer = At(AWAY).data(CANCEL, **asked, token=f"guess-{number}")["cancelBooking"]
        assert answer["errors"] == [{"code": "NOT_FOUND", "field": ["bookingId"]}]
    for query in (OPEN, CANCEL):
        (error,) = At(AWAY).send(query, **asked, token=booking.access_token)["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["retryAfter"] >= 1
    # Nobody else waits for that.
    assert At(HOME).data(OPEN, **asked, token=booking.access_token)["booking"] == {"reference": booking.reference}
    assert At(HOME).data(CANCEL, **asked, token=booking.access_token)["cancelBooking"]["errors"] == []


def test_a_booking_is_one_booking_however_it_is_written() -> None:
    reference = book_home(make_property(), email="ada@example.com").reference
    query = "query($named: String, $token: String) { booking(reference: $named, accessToken: $token) { id } }"
    for number in range(10):
        named = reference.upper() if number % 2 else f" {reference.lower()}"
        assert At(AWAY).data(query, named=named, token=f"guess-{number}")["booking"] is None
    assert At(AWAY).code(query, named=reference, token="guess") == "RATE_LIMITED"


def test_what_is_guessed_at_takes_no_room() -> None:
    """Whatever a caller writes, the name of its count is short."""
    counts = secret_counts("x" * 500_000, address=AWAY) + password_counts(
        who_signs_in(email="x" * 500_000, address=AWAY), address=AWAY
    )
    assert all(len(count.redis_key) < 200 for count in counts)


def test_the_door_of_the_admin_counts_together_with_the_api() -> None:
    staff = make_staff(password=PASSWORD)
    door = Client(REMOTE_ADDR=AWAY)
    for _ in range(5):
        assert door.post("/admin/login/", {"username": staff.email, "password": "wrong"}).status_code == 200
        assert tried(At(AWAY), staff, "wrong") == "INVALID_CREDENTIALS"
    assert door.post("/admin/login/", {"username": staff.email, "password": PASSWORD}).status_code == 200
    assert tried(At(AWAY), staff, PASSWORD) == "RATE_LIMITED"
    refused = AuditEvent.objects.filter(kind="SIGN_IN_REFUSED")
    assert refused.count() == 10
    assert refused.filter(data={"door": "admin"}).count() == 5
    assert AuditEvent.objects.filter(kind="TRIES_LIMITED").count() == 1


def test_what_a_role_may_not_do_is_written_down_once_a_request() -> None:
    guest = make_guest()
    query = "{ a: users { totalCount } b: users { totalCount } }"
    At(AWAY).enter(guest).send(query)
    event = AuditEvent.objects.get(kind="ACCESS_REFUSED")
    assert (event.user_id, event.address, event.data) == (guest.pk, AWAY, {"first": "a", "fields": 1})
