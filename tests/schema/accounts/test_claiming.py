"""Bookings made without an account are found by whoever proves to read the mailbox, and by nobody else."""

from datetime import UTC, datetime

import pytest

from apps.bookings.models import Booking
from apps.core.db import unit_of_work
from apps.users.actions.mail_tokens import mail_link, secret_of
from apps.users.models import MailPurpose, MailToken, User
from schema.core.ids import to_global_id
from tests.accounts.bookings import book_home
from tests.recipes import PASSWORD, make_guest, make_property
from tests.schema.users.conftest import Api
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

MINE = "{ me { bookings { totalCount edges { node { reference } } } } }"
VERIFY = """mutation($token: String!) { verifyEmail(input: {token: $token}) {
    viewer { emailVerified bookings { totalCount } } errors { code field } } }"""
RESET = """mutation($token: String!, $new: String!) { resetPassword(input: {token: $token, newPassword: $new}) {
    viewer { bookings { totalCount } } errors { code } } }"""
OPEN = "query($id: ID, $token: String) { booking(id: $id, accessToken: $token) { reference } }"


def link(user: User, *, email: str = "", purpose: MailPurpose = MailPurpose.VERIFY_EMAIL) -> str:
    """The token of a mail."""
    unit_of_work(mail_link)(user=user, purpose=purpose, email=email or user.email, now=datetime.now(UTC))
    return secret_of(MailToken.objects.latest("pk"))


def test_they_are_found_when_the_address_is_verified_and_only_then(api: Api) -> None:
    home = make_property(units=5)
    booking = book_home(home, email="Ada@Example.com")
    secret = booking.access_token
    stranger = book_home(home, email="ada@example.org")
    user = make_guest(email="ada@example.com", email_verified_at=None)
    api.enter(user)
    assert api.data(MINE)["me"]["bookings"]["totalCount"] == 0
    payload = Api().data(VERIFY, token=link(user))["verifyEmail"]
    assert payload["viewer"] == {"emailVerified": True, "bookings": {"totalCount": 1}}
    assert api.data(MINE)["me"]["bookings"]["edges"] == [{"node": {"reference": booking.reference}}]
    # It has an account now, so its secret opens it no longer; the account does.
    asked = {"id": to_global_id("Booking", booking.pk), "token": secret}
    assert Api().data(OPEN, **asked)["booking"] is None
    assert api.data(OPEN, id=asked["id"])["booking"] == {"reference": booking.reference}
    # What is booked with the address later stays apart, and so does everybody else's.
    later = book_home(home, email="ada@example.com", weeks=8)
    assert api.data(MINE)["me"]["bookings"]["totalCount"] == 1
    assert set(Booking.objects.filter(guest=None).values_list("pk", flat=True)) == {stranger.pk, later.pk}


def test_a_new_password_by_mail_verifies_and_finds_them(api: Api) -> None:
    book_home(make_property(), email="ada@example.com")
    user = make_guest(email="ada@example.com", email_verified_at=None)
    token = link(user, purpose=MailPurpose.RESET_PASSWORD)
    payload = api.data(RESET, token=token, new="another-Horse-8")["resetPassword"]
    assert payload["viewer"]["bookings"]["totalCount"] == 1


def test_a_new_address_brings_its_bookings_along(api: Api) -> None:
    home = make_property(units=2)
    book_home(home, email="new@example.com")
    user = make_guest(email="old@example.com")
    own = book_home(home, guest=user)
    assert Api().data(VERIFY, token=link(user, email="new@example.com"))["verifyEmail"]["errors"] == []
    assert api.enter(user).data(MINE)["me"]["bookings"]["totalCount"] == 2
    own.refresh_from_db()
    assert own.guest == user


def test_of_many_parallel_verifications_one_does_it() -> None:
    book_home(make_property(), email="ada@example.com")
    user = make_guest(email="ada@example.com", email_verified_at=None)
    token = link(user)
    answers = at_once([lambda: Api().data(VERIFY, token=token)["verifyEmail"]] * 8)
    codes = sorted(answer["errors"][0]["code"] if answer["errors"] else "" for answer in answers)
    assert codes == ["", *["INVALID_TOKEN"] * 7]
    assert Booking.objects.get().guest == user


def test_a_link_signs_nobody_in(api: Api) -> None:
    user = make_guest(email="ada@example.com", email_verified_at=None, password=PASSWORD)
    query = """mutation($token: String!) { verifyEmail(input: {token: $token}) { viewer { email } }
        updateProfile(input: {firstName: "Eve"}) { viewer { email } } }"""
    answer = api.send(query, token=link(user))
    assert answer["data"] == {"verifyEmail": {"viewer": {"email": "ada@example.com"}}, "updateProfile": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("is_somebody", [True, False])
def test_a_link_gives_no_secret_that_outlives_it(api: Api, is_somebody: bool) -> None:
    user = make_guest(email="ada@example.com", email_verified_at=None)
    query = "mutation($token: String!) { verifyEmail(input: {token: $token}) { viewer { calendarUrl } } }"
    if is_somebody:
        api.enter(make_guest())
    assert api.code(query, token=link(user)) == ("FORBIDDEN" if is_somebody else "UNAUTHENTICATED")


@pytest.mark.parametrize("road", ["password", "address"])
def test_old_links_die(api: Api, road: str) -> None:
    """Neither a thief who asked for another address nor a mailbox that was given up gets in afterwards."""
    user = make_guest(email="old@example.com", password=PASSWORD)
    reset = link(user, purpose=MailPurpose.RESET_PASSWORD)
    if road == "password":
        stolen = link(user, email="thief@example.com")
        change = """mutation($old: String!, $new: String!) { changePassword(input: {currentPassword: $old, newPassword: $new}) {
            errors { code } } }"""
        assert api.enter(user).data(change, old=PASSWORD, new="another-Horse-8")["changePassword"]["errors"] == []
        assert Api().refusals(VERIFY, token=stolen) == [("INVALID_TOKEN", ["token"])]
    else:
        assert Api().data(VERIFY, token=link(user, email="new@example.com"))["verifyEmail"]["errors"] == []
    payload = Api().data(RESET, token=reset, new="third-Horse-9")["resetPassword"]
    assert payload == {"viewer": None, "errors": [{"code": "INVALID_TOKEN"}]}
