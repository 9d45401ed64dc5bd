"""Opening an account over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection

from apps.core.models import OutboxMessage
from apps.users.models import MailToken, Session, User
from tests.recipes import make_guest
from tests.schema.users.conftest import ME, SIGN_UP, Api, sign_up_input

pytestmark = pytest.mark.django_db(transaction=True)


def test_signs_up_and_in_at_once(api: Api) -> None:
    api.user_agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
    payload = api.data(SIGN_UP, input=sign_up_input(phoneNumber="+49 30 901820"))["signUp"]
    viewer = payload["viewer"]
    assert payload["errors"] == []
    assert viewer["email"] == viewer["user"]["email"] == "ada@example.com"
    assert viewer["user"]["lastName"] == "Lovelace"
    assert viewer["phoneNumber"] == "+4930901820"
    assert (viewer["role"], viewer["emailVerified"]) == ("GUEST", False)
    assert viewer["sessions"] == [{"current": True, "device": "Firefox on Windows"}]
    api.token = payload["token"]
    assert api.data(ME)["me"] == {"email": "ada@example.com", "role": "GUEST"}
    user = User.objects.get()
    assert user.password.startswith("argon2")
    assert MailToken.objects.get().email == "ada@example.com"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"email": "   "}, "REQUIRED", "email"),
        ({"email": "ada"}, "INVALID", "email"),
        ({"email": "a\x00da@example.com"}, "INVALID", "email"),
        ({"email": "a" * 250 + "@example.com"}, "INVALID", "email"),
        ({"firstName": " \t "}, "REQUIRED", "firstName"),
        ({"firstName": "x" * 151}, "INVALID", "firstName"),
        ({"lastName": "a\x00b"}, "INVALID", "lastName"),
        ({"lastName": "x" * 10_000}, "INVALID", "lastName"),
        ({"phoneNumber": "call me"}, "INVALID", "phoneNumber"),
        ({"phoneNumber": "123456"}, "INVALID", "phoneNumber"),
        ({"phoneNumber": "+1234567890123456"}, "INVALID", "phoneNumber"),
        ({"password": "short-7"}, "WEAK_PASSWORD", "password"),
        ({"password": "x7-" * 43}, "WEAK_PASSWORD", "password"),
        ({"password": "password123"}, "WEAK_PASSWORD", "password"),
        ({"password": "8302740927465"}, "WEAK_PASSWORD", "password"),
        ({"password": "ada@example.com"}, "WEAK_PASSWORD", "password"),
        ({"password": "Lovelace1"}, "WEAK_PASSWORD", "password"),
        ({"password": "ada-lovelace"}, "WEAK_PASSWORD", "password"),
        ({"email": "grace.hopper@example.com", "password": "gracehopper7"}, "WEAK_PASSWORD", "password"),
        ({"password": ""}, "WEAK_PASSWORD", "password"),
        ({"password": " " * 12}, "WEAK_PASSWORD", "password"),
        ({"password": "correct\x00Horse-7"}, "WEAK_PASSWORD", "password"),
        ({"email": "ad\u0131@example.com"}, "INVALID", "email"),
    ],
)
def test_bad_input_is_told_and_nothing_written(api: Api, changes: dict[str, str], code: str, field: str) -> None:
    assert api.refusals(SIGN_UP, input=sign_up_input(**changes)) == [(code, [field])]
    assert not User.objects.exists()
    assert not OutboxMessage.objects.exists()


def test_all_errors_at_once(api: Api) -> None:
    bad = {"email": "x", "password": "1", "firstName": "", "lastName": "", "phoneNumber": "x"}
    assert {field[0] for _, field in api.refusals(SIGN_UP, input=bad)} == set(bad)


def test_names_come_back_as_they_went_in(api: Api) -> None:
    name = "<b>O'Neill</b>; DROP TABLE users_user; --"
    user = api.data(SIGN_UP, input=sign_up_input(firstName=f" {name} "))["signUp"]["viewer"]["user"]
    assert user["firstName"] == name


def test_taken_email_in_any_case(api: Api) -> None:
    make_guest(email="ada@example.com")
    assert api.refusals(SIGN_UP, input=sign_up_input(email="ADA@EXAMPLE.COM")) == [("DUPLICATE", ["email"])]
    assert User.objects.count() == 1


def test_parallel_sign_ups_of_one_email_make_one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the database need not refuse one: what it refuses stands in its log, with the name and the digest of the password."""
    refused: list[IntegrityError] = []
    save = User.save

    def watched(user: User, **options: Any) -> None:
        try:
            save(user, **options)
        except IntegrityError as error:
            refused.append(error)
            raise

    monkeypatch.setattr(User, "save", watched)

    def sign_up(number: int) -> list[str]:
        try:
            payload = Api().data(SIGN_UP, input=sign_up_input(email=["ada@example.com", "ADA@example.com"][number % 2]))
            return [error["code"] for error in payload["signUp"]["errors"]]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(sign_up, range(8)))
    assert sorted(outcomes) == [[], *[["DUPLICATE"]] * 7]
    assert User.objects.count() == Session.objects.count() == 1
    assert refused == []
