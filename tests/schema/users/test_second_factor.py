"""Nobody's password alone opens an account with a second factor, by whatever door of the API."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.audit.models import AuditEvent
from apps.core import throttling
from apps.core.db import unit_of_work
from apps.core.errors import CodeNeeded
from apps.staff.models import BackupCode, SecondFactor
from apps.users import second_factor
from apps.users.actions.mail_tokens import mail_link, secret_of
from apps.users.actions.sessions import sign_in
from apps.users.live_sessions import viewers_still_in
from apps.users.models import MailPurpose, MailToken, Session, User, UserRole
from apps.users.signin.issuers import read_issuers
from schema.core import limits
from tests.admin.factors import code_now, with_factor
from tests.recipes import PASSWORD, make_guest, make_staff
from tests.schema.users.conftest import ME, REFRESH, Api

pytestmark = pytest.mark.django_db(transaction=True)

SIGN_IN = """mutation($email: String!, $password: String!, $code: String) {
    tokenAuth(email: $email, password: $password, oneTimeCode: $code) { token refreshToken } }"""
RESET = """mutation($token: String!, $password: String!, $code: String) {
    resetPassword(input: {token: $token, newPassword: $password, oneTimeCode: $code}) {
        token viewer { email } errors { code field } } }"""
CHANGE = """mutation($old: String!, $new: String!) { changePassword(input: {currentPassword: $old, newPassword: $new}) {
    token refreshToken errors { code field } } }"""
EXCHANGE = """mutation($input: ExchangeTokenInput!) { exchangeToken(input: $input) {
    token refreshToken errors { code field } } }"""
NEW, WRONG = "another-Horse-8", "wrong-Password-1"
REFUSED = {"code": "INVALID_CREDENTIALS"}
NEEDED = {**REFUSED, "field": ["oneTimeCode"]}


@pytest.fixture(params=["optional", "required"])
def _asked(request: pytest.FixtureRequest, settings: Settings) -> None:
    settings.STAFF_TWO_FACTOR = request.param


@pytest.fixture
def required(settings: Settings) -> None:
    settings.STAFF_TWO_FACTOR = "required"


@pytest.fixture
def boss() -> User:
    return make_staff(email="boss@example.com", password=PASSWORD)


def refusal(user: User, code: str | None = None, password: str = PASSWORD) -> dict[str, Any]:
    """What the only error of a sign-in says."""
    before = Session.objects.count()
    answer = Api().send(SIGN_IN, email=user.email, password=password, code=code)
    assert answer["data"] == {"tokenAuth": None}
    assert Session.objects.count() == before
    (error,) = answer["errors"]
    extensions: dict[str, Any] = error["extensions"]
    return extensions


def entered(user: User, code: str | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = Api().data(SIGN_IN, email=user.email, password=PASSWORD, code=code)["tokenAuth"]
    assert Api(answer["token"]).data(ME)["me"]["email"] == user.email
    return answer


def audited(user: User) -> list[tuple[str, dict[str, Any]]]:
    rows = AuditEvent.objects.filter(user_id=user.pk).order_by("pk")
    return [(row.kind, {k: v for k, v in row.data.items() if k != "session"}) for row in rows]


def reset_link(user: User) -> str:
    unit_of_work(mail_link)(user=user, purpose=MailPurpose.RESET_PASSWORD, email=user.email, now=datetime.now(UTC))
    return secret_of(MailToken.objects.latest("pk"))


@pytest.mark.usefixtures("_asked")
def test_a_password_alone_gets_no_token(boss: User) -> None:
    backup = with_factor(boss)
    assert [refusal(boss), refusal(boss, ""), refusal(boss, " \t")] == [NEEDED] * 3
    for wrong in ("000000x", "\x07", "é" * 41, "9" * 10_000):
        assert refusal(boss, wrong) == NEEDED
    # Whoever does not know the password learns nothing of it, and uses no code up.
    for code in (None, code_now(boss), backup[0]):
        assert refusal(boss, code, password=WRONG) == REFUSED
    code = code_now(boss)
    entered(boss, f" {code[:3]} {code[3:]}")
    assert refusal(boss, code) == NEEDED
    entered(boss, backup[0].lower())
    assert refusal(boss, backup[0]) == NEEDED
    assert BackupCode.objects.exclude(used_at=None).count() == 1
    missing = ("SIGN_IN_REFUSED", {"missing": "second factor: code"})
    refused: tuple[str, dict[str, Any]] = ("SECOND_FACTOR_REFUSED", {})
    assert audited(boss) == [
        ("SECOND_FACTOR_SET", {}), *[missing] * 3, *[refused] * 4, *[("SIGN_IN_REFUSED", {})] * 3,
        ("SECOND_FACTOR_PROVEN", {"way": "app"}), ("SIGNED_IN", {}), refused,
        ("SECOND_FACTOR_PROVEN", {"way": "backup code"}), ("SIGNED_IN", {}), refused,
    ]  # fmt: skip


def test_the_setting_says_who_is_asked(boss: User, settings: Settings) -> None:
    other = make_staff(password=PASSWORD)
    guest = make_guest(password=PASSWORD)
    with_factor(boss)
    settings.STAFF_TWO_FACTOR = "off"
    entered(boss)
    settings.STAFF_TWO_FACTOR = "optional"
    entered(other, "a code that nobody asked for")
    settings.STAFF_TWO_FACTOR = "required"
    assert refusal(other) == refusal(other, "123456") == {"code": "FORBIDDEN"}
    assert audited(other)[-1] == ("SIGN_IN_REFUSED", {"missing": "second factor: set up"})
    assert refusal(other, password=WRONG) == REFUSED
    entered(guest)
    # Who is staff no longer keeps what guards the account.
    User.objects.filter(pk=boss.pk).update(role=UserRole.GUEST)
    assert refusal(boss) == NEEDED


def test_tries_at_codes_are_slow_and_count_with_those_in_the_admin(
    boss: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_factor(boss)
    settings.RATE_LIMITS_ENABLED = True
    monkeypatch.setattr(throttling, "FIRST_WAIT_SECONDS", 600)
    monkeypatch.setattr(type(limits.SIGN_IN), "spend", lambda *_arguments: None)
    admin = Client()
    admin.post("/admin/login/", {"username": boss.email, "password": PASSWORD})
    for number in range(2):
        assert "The code is wrong." in admin.post("/admin/second-factor/", {"code": f"99999{number}x"}).content.decode()
    for number in range(3):
        assert refusal(boss, f"99999{number}x") == NEEDED
    before = SecondFactor.objects.get().last_step
    told = refusal(boss, code_now(boss))
    assert told == {"code": "RATE_LIMITED", "retryAfter": told["retryAfter"]}
    assert 590 < told["retryAfter"] <= 600
    assert "Too many tries" in admin.post("/admin/second-factor/", {"code": code_now(boss)}).content.decode()
    assert SecondFactor.objects.get().last_step == before
    limited = AuditEvent.objects.filter(kind="TRIES_LIMITED")
    assert [row.data for row in limited] == [{"what": "second-factor"}]
    # None of it was a try at the password, and asking without a code costs no try.
    assert [refusal(boss) for _ in range(10)] == [NEEDED] * 10
    assert refusal(boss, password=WRONG) == REFUSED


def test_what_a_password_opened_before_is_over_once_there_is_a_factor(boss: User) -> None:
    before = entered(boss)
    elsewhere = Client()
    elsewhere.post("/admin/login/", {"username": boss.email, "password": PASSWORD})
    assert elsewhere.get("/admin/").status_code == 200
    with_factor(boss)
    assert Api(before["token"]).send(ME)["extensions"]["token"] == "INVALID"
    assert Api().code(REFRESH, token=before["refreshToken"]) == "INVALID_TOKEN"
    assert elsewhere.get("/admin/")["Location"].startswith("/admin/login/")


def test_what_was_opened_while_nobody_was_asked_is_not_refreshed(boss: User, settings: Settings) -> None:
    with_factor(boss)
    settings.STAFF_TWO_FACTOR = "off"
    unproven, other = entered(boss), entered(boss)
    assert Api().data(REFRESH, token=other["refreshToken"])
    settings.STAFF_TWO_FACTOR = "optional"
    proven = entered(boss, code_now(boss))
    assert Api().code(REFRESH, token=unproven["refreshToken"]) == "INVALID_TOKEN"
    assert Api(unproven["token"]).data(ME)["me"] is None
    again = Api().data(REFRESH, token=proven["refreshToken"])["refreshToken"]
    assert Api(again["token"]).data(ME)["me"]["email"] == boss.email


@pytest.mark.usefixtures("required")
def test_who_becomes_staff_does_nothing_before_there_is_a_factor() -> None:
    person = make_guest(password=PASSWORD)
    tokens = entered(person)
    session = Session.objects.get()
    assert viewers_still_in(token_versions={session.pk: 0}) == {session.pk: person}
    User.objects.filter(pk=person.pk).update(role=UserRole.STAFF)
    answer = Api(tokens["token"]).send("{ users(first: 1) { totalCount } }")
    assert answer["data"] is None
    assert answer["extensions"]["token"] == "INVALID"
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
    assert viewers_still_in(token_versions={session.pk: 0}) == {}
    assert Api().code(REFRESH, token=tokens["refreshToken"]) == "INVALID_TOKEN"
    with_factor(person)
    proven = entered(person, code_now(person))
    assert Api(proven["token"]).data("{ users(first: 1) { totalCount } }")["users"]["totalCount"] >= 1


def test_a_factor_that_comes_while_somebody_signs_in_is_asked_for(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    prove = second_factor.prove

    def proven_too_early(**asked: Any) -> datetime | None:
        proven_at = prove(**asked)
        with_factor(boss)
        return proven_at

    monkeypatch.setattr(second_factor, "prove", proven_too_early)
    with pytest.raises(CodeNeeded):
        sign_in(email=boss.email, password=PASSWORD, user_agent="", now=datetime.now(UTC))
    assert not Session.objects.exists()


@pytest.mark.usefixtures("_asked")
def test_a_mailbox_alone_sets_no_password(boss: User) -> None:
    backup = with_factor(boss)
    session = entered(boss, backup[0])
    link = reset_link(boss)
    password = User.objects.get().password
    for code in (None, "000000x"):
        assert Api().refusals(RESET, token=link, password=NEW, code=code) == [("INVALID_CREDENTIALS", ["oneTimeCode"])]
    # A password that is too weak uses up no code.
    assert Api().refusals(RESET, token=link, password="short", code=backup[1]) == [("WEAK_PASSWORD", ["newPassword"])]
    page = Client().post("/reset-password", {"token": link, "password": NEW})
    assert (page.status_code, 'name="code"' in page.content.decode()) == (400, True)
    page = Client().post("/reset-password", {"token": link, "password": NEW, "code": backup[0]})
    assert (page.status_code, "The code is wrong." in page.content.decode()) == (400, True)
    assert User.objects.get().password == password
    assert Api(session["token"]).data(ME)["me"]["email"] == boss.email
    answer = Api().data(RESET, token=link, password=NEW, code=backup[1])["resetPassword"]
    assert (answer["viewer"], answer["errors"]) == ({"email": boss.email}, [])
    assert Api(answer["token"]).data(ME)["me"]["email"] == boss.email
    done = Client().post("/reset-password", {"token": reset_link(boss), "password": PASSWORD, "code": backup[2]})
    assert (done.status_code, "The new password holds" in done.content.decode()) == (200, True)
    assert Session.objects.filter(ended_at=None).count() == 0


@pytest.mark.usefixtures("required")
def test_who_has_no_factor_yet_sets_a_password_and_is_signed_in_nowhere(boss: User) -> None:
    answer = Api().data(RESET, token=reset_link(boss), password=NEW)["resetPassword"]
    assert answer == {"token": None, "viewer": None, "errors": []}
    page = Client().post("/reset-password", {"token": reset_link(boss), "password": PASSWORD})
    assert page.status_code == 200
    assert not Session.objects.exists()
    assert refusal(boss) == {"code": "FORBIDDEN"}


@pytest.mark.usefixtures("required")
def test_a_new_password_keeps_the_caller_in(boss: User) -> None:
    with_factor(boss)
    api = Api(entered(boss, code_now(boss))["token"])
    answer = api.data(CHANGE, old=PASSWORD, new=NEW)["changePassword"]
    assert Api(answer["token"]).data(ME)["me"]["email"] == boss.email
    assert Api().data(REFRESH, token=answer["refreshToken"])


@pytest.mark.usefixtures("_asked")
def test_an_issuer_opens_it_only_where_it_is_believed_about_staff(boss: User, settings: Settings) -> None:
    secret = "a secret that two sites share and nobody else on earth knows"
    settings.TRUSTED_ISSUERS = read_issuers(
        {"site": {"secret": secret}, "office": {"secret": secret, "signs_in_staff": True}}
    )

    def exchanged(issuer: str) -> dict[str, Any]:
        now = datetime.now(UTC)
        claims = {"iss": issuer, "aud": "holdfast", "sub": "boss", "email": boss.email, "jti": uuid4().hex}
        token = jwt.encode({**claims, "iat": now, "exp": now + timedelta(seconds=60)}, secret, algorithm="HS256")
        answer: dict[str, Any] = Api().data(EXCHANGE, input={"issuer": issuer, "token": token})["exchangeToken"]
        return answer

    # With a factor or, where that is required, without: the issuer vouches for its people.
    for _ in range(2):
        opened = exchanged("office")
        assert Api(opened["token"]).data(ME)["me"]["email"] == boss.email
        assert Api().data(REFRESH, token=opened["refreshToken"])
        with_factor(boss) if not SecondFactor.objects.exists() else None
    User.objects.filter(pk=boss.pk).update(role=UserRole.GUEST)
    refused = {"token": None, "refreshToken": None, "errors": [{"code": "INVALID_TOKEN", "field": ["token"]}]}
    assert exchanged("site") == refused
    SecondFactor.objects.all().delete()
    assert exchanged("site")["errors"] == []
