"""Signing in, staying signed in and leaving, over HTTP."""

import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import argon2
import jwt
import pytest
from django.conf import settings as configured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from apps.core.errors import InvalidCredentials
from apps.users import tokens
from apps.users.actions.sessions import REUSE_GRACE, sign_in
from apps.users.models import RefreshToken, Session, User
from tests.recipes import PASSWORD, make_guest, make_user
from tests.schema.users.conftest import ME, REFRESH, SIGN_UP, TOKEN_AUTH, Api, sign_up_input

pytestmark = pytest.mark.django_db(transaction=True)

REVOKE = "mutation($token: String) { revokeToken(refreshToken: $token) { revoked } }"
VERIFY = "mutation($token: String) { verifyToken(token: $token) { payload } }"
SIGN_OUT = "mutation($input: SignOutInput!) { signOut(input: $input) { signedOut errors { code field } } }"
SESSIONS = "{ me { sessions { id current device } } }"
END_SESSION = "mutation($id: ID!) { endSession(input: {id: $id}) { viewer { id } errors { code field } } }"


@pytest.fixture
def user() -> User:
    return make_guest(email="ada@example.com", password=PASSWORD)


def age_used_tokens() -> None:
    """As if the tokens that are used up had been so for longer than the grace."""
    RefreshToken.objects.exclude(used_at=None).update(used_at=datetime.now(UTC) - REUSE_GRACE - timedelta(seconds=1))


def test_token_auth_in_the_shape_of_django_graphql_jwt(api: Api, user: User) -> None:
    answer = api.data(TOKEN_AUTH, email=" ADA@example.com", password=PASSWORD)["tokenAuth"]
    payload = answer["payload"]
    assert payload["sub"] == str(user.pk)
    assert payload["exp"] - payload["iat"] == configured.ACCESS_TOKEN_SECONDS
    assert 0 <= answer["refreshExpiresIn"] - payload["iat"] - configured.REFRESH_TOKEN_SECONDS <= 1
    api.token = answer["token"]
    assert api.data(ME)["me"]["email"] == "ada@example.com"
    assert RefreshToken.objects.get().token_hash != answer["refreshToken"]


def test_every_refused_sign_in_answers_alike(api: Api, user: User) -> None:
    closed = make_guest(email="closed@example.com", password=PASSWORD, is_active=False)
    without = make_guest(email="without@example.com")
    tries = [
        ("nobody@example.com", PASSWORD), (user.email, "wrong"), (closed.email, PASSWORD), (without.email, PASSWORD),
        ("", ""), ("a\x00@example.com", PASSWORD), ("x" * 10_000, "y" * 10_000),
    ]  # fmt: skip
    answers = [api.send(TOKEN_AUTH, email=email, password=password) for email, password in tries]
    assert {answer["errors"][0]["extensions"]["code"] for answer in answers} == {"INVALID_CREDENTIALS"}
    assert len({answer["errors"][0]["message"] for answer in answers}) == 1
    assert not Session.objects.exists()


@pytest.mark.real_passwords
def test_an_unknown_email_takes_as_long_as_a_wrong_password(user: User) -> None:
    closed = make_guest(email="closed@example.com", password=PASSWORD, is_active=False)

    def processor_time(email: str) -> float:
        begun = time.process_time()
        with pytest.raises(Exception, match="wrong"):
            sign_in(email=email, password="wrong-Password-1", user_agent="", now=datetime.now(UTC))
        return time.process_time() - begun

    # In turns, since the machine is not equally fast all the time.
    rounds = [[processor_time(email) for email in (user.email, "nobody@example.com", closed.email)] for _ in range(5)]
    known, *others = map(min, zip(*rounds, strict=True))
    assert all(0.5 < each / known < 2 for each in others)


@pytest.mark.parametrize("who", ["right", "unknown", "closed", "without a password", "no address"])
def test_every_sign_in_hashes_once(user: User, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes the time is done for everybody, equally often and at the same cost."""
    closed = make_guest(email="closed@example.com", password=PASSWORD, is_active=False)
    empty = make_guest(email="empty@example.com")
    empty.set_unusable_password()
    empty.save()
    emails = {"right": user.email, "closed": closed.email, "without a password": empty.email, "no address": "x\x00"}
    hashing = Mock(wraps=argon2.low_level.hash_secret)
    checking = Mock(wraps=argon2.low_level.verify_secret)
    monkeypatch.setattr("argon2.low_level.hash_secret", hashing)
    monkeypatch.setattr("argon2._password_hasher.verify_secret", checking)
    with pytest.raises(InvalidCredentials):
        sign_in(
            email=emails.get(who, "nobody@example.com"),
            password="wrong-Password-1",
            user_agent="",
            now=datetime.now(UTC),
        )
    assert hashing.call_count + checking.call_count == 1


def test_sign_in_is_limited_per_field_not_per_request(api: Api, user: User, settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = True
    fields = " ".join(f'a{n}: tokenAuth(email: "{user.email}", password: "x") {{ token }}' for n in range(15))
    answer = api.send(f"mutation {{ {fields} }}")
    codes = [error["extensions"]["code"] for error in answer["errors"]]
    assert codes == ["INVALID_CREDENTIALS"] * 10 + ["RATE_LIMITED"] * 5
    assert all(error["extensions"]["retryAfter"] >= 1 for error in answer["errors"][10:])


@pytest.mark.parametrize("change", ["ended", "raised", "closed", "nothing"])
def test_an_access_token_dies_with_what_it_stands_on(api: Api, user: User, change: str) -> None:
    api.enter(user)
    match change:
        case "ended":
            Session.objects.update(ended_at=datetime.now(UTC))
        case "raised":
            User.objects.update(token_version=1)
        case "closed":
            User.objects.update(is_active=False)
        case _:
            assert api.data(ME)["me"] is not None
            return
    answer = api.send(ME)
    assert answer["data"] == {"me": None}
    assert answer["extensions"]["token"] == "INVALID"


def forged(user: User, session: Session, **changes: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "sub": str(user.pk),
        "sid": str(session.pk),
        "ver": 0,
        "jti": "x",
        "iat": now,
        "exp": now + 60,
        "typ": "access",
    }
    return tokens.encode({**claims, **changes})


def test_forged_tokens_are_nobodys(api: Api, user: User) -> None:
    api.enter(user)
    session = Session.objects.get()
    stranger = make_guest()
    api.token = forged(user, session)
    assert api.data(ME)["me"] is not None
    claims = jwt.decode(api.token, options={"verify_signature": False})
    bad = [
        forged(stranger, session), forged(user, session, sid="999999"), forged(user, session, ver=1),
        forged(user, session, sub="x"), forged(user, session, sub=str(2**70)), forged(user, session, typ="mail"),
        forged(user, session, exp="soon"), forged(user, session, sub=None),
        jwt.encode(claims, "another-key-that-is-long-enough-to-sign", algorithm="HS256"),
        jwt.encode(claims, configured.SECRET_KEY, algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        "x.y.z", "x" * 5_000, "é",
    ]  # fmt: skip
    for token in bad:
        api.token = token
        answer = api.send("{ me { email } __typename }")
        assert answer["data"] == {"me": None, "__typename": "Query"}, token
        assert answer["extensions"]["token"] == "INVALID"
    api.token = forged(user, session, exp=int(datetime.now(UTC).timestamp()) - 1)
    assert api.send(ME)["extensions"]["token"] == "EXPIRED"


def test_verify_token(api: Api, user: User) -> None:
    answer = api.sign_in(user)
    assert api.data(VERIFY)["verifyToken"]["payload"] == answer["payload"]
    api.token = None
    assert api.data(VERIFY, token=answer["token"])["verifyToken"]["payload"] == answer["payload"]
    assert api.code(VERIFY) == api.code(VERIFY, token="x") == api.code(VERIFY, token="") == "INVALID_TOKEN"
    Session.objects.update(ended_at=datetime.now(UTC))
    assert api.code(VERIFY, token=answer["token"]) == "INVALID_TOKEN"


def test_refresh_rotates_even_with_a_stale_access_token(api: Api, user: User) -> None:
    first = api.sign_in(user)
    api.token = forged(user, Session.objects.get(), exp=1)
    second = api.data(REFRESH, token=first["refreshToken"])["refreshToken"]
    assert second["refreshToken"] != first["refreshToken"]
    third = api.data(REFRESH, token=second["refreshToken"])["refreshToken"]
    api.token = third["token"]
    assert api.data(ME)["me"] is not None
    assert Session.objects.count() == 1


def test_reuse_ends_the_session(api: Api, user: User) -> None:
    first = api.sign_in(user)
    second = api.data(REFRESH, token=first["refreshToken"])["refreshToken"]
    age_used_tokens()
    assert api.code(REFRESH, token=first["refreshToken"]) == "INVALID_TOKEN"
    assert api.code(REFRESH, token=second["refreshToken"]) == "INVALID_TOKEN"
    api.token = second["token"]
    assert api.data(ME)["me"] is None


def test_reuse_after_the_successor_was_used_ends_the_session_within_the_grace_too(api: Api, user: User) -> None:
    first = api.sign_in(user)
    second = api.data(REFRESH, token=first["refreshToken"])["refreshToken"]
    third = api.data(REFRESH, token=second["refreshToken"])["refreshToken"]
    assert api.code(REFRESH, token=first["refreshToken"]) == "INVALID_TOKEN"
    assert api.code(REFRESH, token=third["refreshToken"]) == "INVALID_TOKEN"


def test_reuse_leaves_other_sessions_alone(api: Api, user: User) -> None:
    other = api.sign_in(user)
    first = api.sign_in(user)
    api.data(REFRESH, token=first["refreshToken"])
    age_used_tokens()
    assert api.code(REFRESH, token=first["refreshToken"]) == "INVALID_TOKEN"
    assert api.data(REFRESH, token=other["refreshToken"])


def test_parallel_refreshes_lock_nobody_out(api: Api, user: User) -> None:
    first = api.sign_in(user)

    def refresh(_: int) -> str:
        try:
            token: str = Api().data(REFRESH, token=first["refreshToken"])["refreshToken"]["refreshToken"]
            return token
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(refresh, range(8)))
    assert len(answers) == 1
    assert RefreshToken.objects.filter(used_at=None).count() == 1
    assert api.data(REFRESH, token=answers.pop())


def test_refresh_refuses_what_is_no_good(api: Api, user: User) -> None:
    good = api.sign_in(user)["refreshToken"]
    for bad in (None, "", "x", "x" * 10_000, "a\x00b"):
        assert api.code(REFRESH, token=bad) == "INVALID_TOKEN"
    RefreshToken.objects.update(expires_at=datetime.now(UTC))
    assert api.code(REFRESH, token=good) == "INVALID_TOKEN"
    RefreshToken.objects.update(expires_at=datetime.now(UTC) + timedelta(days=1))
    User.objects.update(is_active=False)
    assert api.code(REFRESH, token=good) == "INVALID_TOKEN"


def test_revoke_ends_the_session_at_once(api: Api, user: User) -> None:
    answer = api.sign_in(user)
    before = int(time.time())
    revoked = api.data(REVOKE, token=answer["refreshToken"])["revokeToken"]["revoked"]
    assert before <= revoked <= time.time()
    assert api.data(ME)["me"] is None
    assert api.code(REFRESH, token=answer["refreshToken"]) == "INVALID_TOKEN"
    assert api.code(REVOKE, token=answer["refreshToken"]) == "INVALID_TOKEN"
    assert api.code(REVOKE) == "INVALID_TOKEN"


def test_sign_out_ends_the_bearers_session_only(api: Api, user: User) -> None:
    other, here = Api(), api
    other.sign_in(user)
    refresh_token = here.sign_in(user)["refreshToken"]
    assert here.data(SIGN_OUT, input={})["signOut"] == {"signedOut": True, "errors": []}
    assert here.data(ME)["me"] is None
    assert here.code(REFRESH, token=refresh_token) == "INVALID_TOKEN"
    assert other.data(ME)["me"] is not None


def test_sign_out_by_refresh_token_alone(api: Api, user: User) -> None:
    answer = api.sign_in(user)
    assert Api().data(SIGN_OUT, input={"refreshToken": answer["refreshToken"]})["signOut"]["signedOut"]
    assert api.data(ME)["me"] is None
    refused = Api().refusals(SIGN_OUT, input={"refreshToken": answer["refreshToken"]})
    assert refused == [("INVALID_TOKEN", ["refreshToken"])]


def test_sign_out_everywhere(api: Api, user: User) -> None:
    other, stranger = Api(), Api()
    other.sign_in(user)
    stranger.enter(make_guest())
    api.enter(user)
    assert api.data(SIGN_OUT, input={"everywhere": True})["signOut"]["signedOut"]
    assert api.data(ME)["me"] is None
    assert other.data(ME)["me"] is None
    assert stranger.data(ME)["me"] is not None


def test_sign_out_of_nobody(api: Api) -> None:
    assert api.code(SIGN_OUT, input={}) == "UNAUTHENTICATED"


def test_sessions_are_shown_and_ended(api: Api, user: User) -> None:
    phone, stranger = Api(user_agent="HoldfastApp/2.1 (build 7)"), Api()
    phone.enter(user)
    stranger.enter(make_guest())
    api.enter(user)
    shown = api.data(SESSIONS)["me"]["sessions"]
    assert [(each["current"], each["device"]) for each in shown] == [(True, ""), (False, "HoldfastApp")]
    foreign = stranger.data(SESSIONS)["me"]["sessions"][0]["id"]
    for bad in (foreign, "", "x", "\x00", shown[0]["id"] + "x"):
        assert api.refusals(END_SESSION, id=bad) == [("NOT_FOUND", ["id"])]
    assert api.data("query($id: ID!) { node(id: $id) { id } }", id=shown[0]["id"])["node"] is None
    assert api.data(END_SESSION, id=shown[1]["id"])["endSession"]["errors"] == []
    assert phone.data(ME)["me"] is None
    assert stranger.data(ME)["me"] is not None
    assert [each["current"] for each in api.data(SESSIONS)["me"]["sessions"]] == [True]
    assert api.refusals(END_SESSION, id=shown[1]["id"]) == [("NOT_FOUND", ["id"])]
    assert Api().code(END_SESSION, id=shown[1]["id"]) == "UNAUTHENTICATED"


def test_secrets_are_never_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    payload = api.data(SIGN_UP, input=sign_up_input())["signUp"]
    api.send(TOKEN_AUTH, email="ada@example.com", password="a-wrong-Password")
    signed_in = api.data(TOKEN_AUTH, email="ada@example.com", password="correct-Horse-7")["tokenAuth"]
    refreshed = api.data(REFRESH, token=signed_in["refreshToken"])["refreshToken"]
    age_used_tokens()
    api.send(REFRESH, token=signed_in["refreshToken"])
    assert "a used refresh token came again" in caplog.text
    # The statements of the test database at DEBUG carry hashes; those are for the database, and production does not log them.
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name != "django.db.backends")
    secrets = [
        payload["token"],
        payload["refreshToken"],
        signed_in["token"],
        signed_in["refreshToken"],
        refreshed["token"],
    ]
    for secret in (*secrets, refreshed["refreshToken"], "correct-Horse-7", "a-wrong-Password"):
        assert not re.search(re.escape(secret), logged)


def test_one_query_says_who_asks(user: User) -> None:
    pair = sign_in(email=user.email, password=PASSWORD, user_agent="", now=datetime.now(UTC))
    with CaptureQueriesContext(connection) as captured:
        assert Api(pair.access_token).data(ME)["me"] == {"email": user.email, "role": "GUEST"}
    # Django notes the edges of the answer's snapshot; the account is not read again inside it.
    assert [query["sql"].split()[0] for query in captured.captured_queries] == ["EXECUTE", "BEGIN", "COMMIT"]


def test_a_role_counts_from_the_next_request(api: Api) -> None:
    user = make_user()
    api.enter(user)
    User.objects.update(role="STAFF")
    assert api.data("{ users { totalCount } }")["users"]["totalCount"] == 1
