"""Passwords, addresses and the mails about them, over HTTP and through the tasks."""

import email
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.test import override_settings
from pytest_django.fixtures import Settings

from apps.core.models import OutboxMessage
from apps.users import tasks
from apps.users.models import MailToken, User
from schema.core.limits import RESET as RESET_LIMIT
from tests.recipes import PASSWORD, make_guest
from tests.schema.users.conftest import ME, REFRESH, SIGN_UP, TOKEN_AUTH, Api, sign_up_input

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "another-Horse-8"
CHANGE = """mutation($input: ChangePasswordInput!) { changePassword(input: $input) {
    viewer { email } token refreshToken errors { code field } } }"""
REQUEST = (
    "mutation($email: String!) { requestPasswordReset(input: {email: $email}) { accepted errors { code field } } }"
)
RESET = """mutation($input: ResetPasswordInput!) { resetPassword(input: $input) {
    viewer { email emailVerified } token refreshToken errors { code field } } }"""
VERIFY = """mutation($token: String!) { verifyEmail(input: {token: $token}) {
    viewer { email emailVerified } errors { code field } } }"""
RESEND = "mutation { resendVerification(input: {}) { sent errors { code } } }"
CHANGE_EMAIL = "mutation($input: ChangeEmailInput!) { changeEmail(input: $input) { sent errors { code field } } }"
RUN = {
    "users.mail_link": tasks.mail_link,
    "users.mail_password_reset": tasks.mail_password_reset,
    "users.mail_email_change_notice": tasks.mail_email_change_notice,
}


@pytest.fixture(autouse=True)
def promised(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> list[OutboxMessage]:
    """The jobs that were handed to the broker, which does not run them."""
    jobs: list[OutboxMessage] = []

    def take(message: OutboxMessage) -> bool:
        jobs.append(message)
        return True

    monkeypatch.setattr("apps.core.outbox._send", take)
    settings.MAIL_DIR = tmp_path
    return jobs


def work(promised: list[OutboxMessage]) -> None:
    """Run the promised jobs as the worker would, and what they promise in turn."""
    while promised:
        job = promised.pop(0)
        RUN[job.task](**job.arguments)


def last_mail(folder: Path) -> tuple[str, str]:
    """Whom the newest mail went to, and the token in its link."""
    message = email.message_from_bytes(max(folder.glob("*.eml")).read_bytes())
    assert {part.get_content_type() for part in message.walk()} >= {"text/plain", "text/html"}
    text = next(part for part in message.walk() if part.get_content_type() == "text/plain")
    content = text.get_payload(decode=True)
    assert isinstance(content, bytes)
    found = re.search(r"\?token=(\S+)", content.decode())
    assert found is not None
    return message["To"], found[1]


def mails(folder: Path) -> int:
    return len(list(folder.iterdir()))


def test_change_password_ends_every_other_session(api: Api) -> None:
    user = make_guest(password=PASSWORD)
    other = Api()
    old_refresh_token = other.sign_in(user)["refreshToken"]
    api.enter(user)
    old_token = api.token
    payload = api.data(CHANGE, input={"currentPassword": PASSWORD, "newPassword": NEW})["changePassword"]
    assert payload["viewer"] == {"email": user.email}
    for dead in (other, Api(old_token)):
        assert dead.data(ME)["me"] is None
    assert api.code(REFRESH, token=old_refresh_token) == "INVALID_TOKEN"
    assert Api(payload["token"]).data(ME)["me"]["email"] == user.email
    assert Api().data(REFRESH, token=payload["refreshToken"])
    assert Api().code(TOKEN_AUTH, email=user.email, password=PASSWORD) == "INVALID_CREDENTIALS"
    assert Api().sign_in(user, NEW)


def test_change_password_refuses(api: Api) -> None:
    user = make_guest(password=PASSWORD, email="grace-hopper@example.com")
    api.enter(user)
    before = User.objects.values().get()
    cases = [
        (("wrong", NEW), [("INVALID_CREDENTIALS", ["currentPassword"])]),
        ((PASSWORD, "12345678"), [("WEAK_PASSWORD", ["newPassword"])]),
        ((PASSWORD, "grace-hopper"), [("WEAK_PASSWORD", ["newPassword"])]),
        (("", ""), [("INVALID_CREDENTIALS", ["currentPassword"]), ("WEAK_PASSWORD", ["newPassword"])]),
    ]
    for (current, new), expected in cases:
        assert api.refusals(CHANGE, input={"currentPassword": current, "newPassword": new}) == expected
    assert User.objects.values().get() == before
    assert Api().code(CHANGE, input={"currentPassword": PASSWORD, "newPassword": NEW}) == "UNAUTHENTICATED"


def test_reset_by_mail(api: Api, promised: list[OutboxMessage], tmp_path: Path) -> None:
    user = make_guest(password=PASSWORD, email_verified_at=None)
    other = Api()
    other.sign_in(user)
    assert api.data(REQUEST, email=user.email.upper())["requestPasswordReset"]["accepted"]
    work(promised)
    to, token = last_mail(tmp_path)
    assert to == user.email
    assert not MailToken.objects.filter(nonce=token).exists()
    assert api.refusals(RESET, input={"token": token, "newPassword": "1"}) == [("WEAK_PASSWORD", ["newPassword"])]
    payload = api.data(RESET, input={"token": token, "newPassword": NEW})["resetPassword"]
    assert payload["viewer"] == {"email": user.email, "emailVerified": True}
    assert other.data(ME)["me"] is None
    assert Api(payload["token"]).data(ME)["me"] is not None
    assert Api().sign_in(user, NEW)
    assert api.refusals(RESET, input={"token": token, "newPassword": PASSWORD}) == [("INVALID_TOKEN", ["token"])]


def test_reset_answers_alike_for_every_address(api: Api, promised: list[OutboxMessage], tmp_path: Path) -> None:
    user, closed = make_guest(), make_guest(is_active=False)
    answers = [api.data(REQUEST, email=address) for address in (user.email, closed.email, "nobody@example.com")]
    assert answers == [{"requestPasswordReset": {"accepted": True, "errors": []}}] * 3
    assert len(promised) == 3
    work(promised)
    assert mails(tmp_path) == 1
    assert api.refusals(REQUEST, email="nobody") == [("INVALID", ["email"])]


@pytest.mark.parametrize(("purpose", "lifetime"), [("RESET", timedelta(hours=1)), ("VERIFY", timedelta(days=3))])
def test_links_run_out(
    api: Api, promised: list[OutboxMessage], tmp_path: Path, purpose: str, lifetime: timedelta
) -> None:
    user = make_guest(password=PASSWORD, email_verified_at=None)
    api.enter(user)
    api.data(REQUEST, email=user.email) if purpose == "RESET" else api.data(RESEND)
    work(promised)
    _, token = last_mail(tmp_path)
    row = MailToken.objects.get()
    assert row.expires_at - row.created_at == lifetime
    MailToken.objects.update(expires_at=datetime.now(UTC))
    refused = (
        api.refusals(RESET, input={"token": token, "newPassword": NEW})
        if purpose == "RESET"
        else api.refusals(VERIFY, token=token)
    )
    assert refused == [("INVALID_TOKEN", ["token"])]


def test_verify_email_once(api: Api, promised: list[OutboxMessage], tmp_path: Path) -> None:
    api.token = api.data(SIGN_UP, input=sign_up_input())["signUp"]["token"]
    work(promised)
    to, token = last_mail(tmp_path)
    assert to == "ada@example.com"
    # A link for one thing is no good for another.
    assert api.refusals(RESET, input={"token": token, "newPassword": NEW}) == [("INVALID_TOKEN", ["token"])]
    for bad in ("", "x", token[:-1], token + "x", "\x00", "x" * 10_000):
        assert api.refusals(VERIFY, token=bad) == [("INVALID_TOKEN", ["token"])]
    assert api.data(VERIFY, token=token)["verifyEmail"]["viewer"] == {"email": to, "emailVerified": True}
    assert api.refusals(VERIFY, token=token) == [("INVALID_TOKEN", ["token"])]
    assert api.data(RESEND)["resendVerification"] == {"sent": False, "errors": []}


def test_change_email_takes_effect_when_verified(api: Api, promised: list[OutboxMessage], tmp_path: Path) -> None:
    user = make_guest(password=PASSWORD, email="old@example.com")
    make_guest(email="taken@example.com")
    api.enter(user)
    cases = [
        (("taken@example.com", PASSWORD), [("DUPLICATE", ["newEmail"])]),
        (("TAKEN@example.com", PASSWORD), [("DUPLICATE", ["newEmail"])]),
        (("new", PASSWORD), [("INVALID", ["newEmail"])]),
        (("new@example.com", "wrong"), [("INVALID_CREDENTIALS", ["password"])]),
    ]
    for (address, password), expected in cases:
        assert api.refusals(CHANGE_EMAIL, input={"newEmail": address, "password": password}) == expected
    assert promised == []
    assert api.data(CHANGE_EMAIL, input={"newEmail": "New@example.com", "password": PASSWORD})["changeEmail"]["sent"]
    assert [job.task for job in promised] == ["users.mail_link", "users.mail_email_change_notice"]
    work(promised[:1])
    to, token = last_mail(tmp_path)
    assert to == "new@example.com"
    assert api.data(ME)["me"]["email"] == "old@example.com"
    assert api.data(VERIFY, token=token)["verifyEmail"]["viewer"]["email"] == "new@example.com"
    work(promised[1:])
    assert mails(tmp_path) == 2
    assert Api().code(TOKEN_AUTH, email="old@example.com", password=PASSWORD) == "INVALID_CREDENTIALS"
    assert api.data(ME)["me"]["email"] == "new@example.com"


def test_an_address_that_was_taken_meanwhile(api: Api, promised: list[OutboxMessage], tmp_path: Path) -> None:
    user = make_guest(password=PASSWORD, email="old@example.com")
    api.enter(user)
    api.data(CHANGE_EMAIL, input={"newEmail": "new@example.com", "password": PASSWORD})
    work(promised[:1])
    make_guest(email="new@example.com")
    assert api.refusals(VERIFY, token=last_mail(tmp_path)[1]) == [("DUPLICATE", ["token"])]
    user.refresh_from_db()
    assert user.email == "old@example.com"


def test_mails_also_go_to_the_server(promised: list[OutboxMessage], tmp_path: Path, api: Api) -> None:
    with override_settings(EMAIL_HOST="mail.example.com"):
        api.data(SIGN_UP, input=sign_up_input())
        work(promised)
    assert [message.to for message in mail.outbox] == [["ada@example.com"]]
    assert mails(tmp_path) == 1


def test_a_stranger_cannot_write_in_our_mails(promised: list[OutboxMessage], tmp_path: Path, api: Api) -> None:
    """Whoever signs up with somebody else's address chooses the name, and would choose what we send there."""
    lure = "You won, see https://evil.example"
    api.token = api.data(SIGN_UP, input=sign_up_input(firstName=lure))["signUp"]["token"]
    api.data(REQUEST, email="ada@example.com")
    work(promised)
    assert mails(tmp_path) == 2
    assert all("evil" not in path.read_text() for path in tmp_path.glob("*.eml"))


def test_who_is_known_is_greeted_by_name(promised: list[OutboxMessage], tmp_path: Path, api: Api) -> None:
    make_guest(email="grace@example.com", first_name="Grace")
    api.data(REQUEST, email="grace@example.com")
    work(promised)
    (path,) = tmp_path.glob("*.eml")
    assert "Hello Grace," in path.read_text()


def test_mails_to_new_addresses_are_throttled(settings: Settings, api: Api, promised: list[OutboxMessage]) -> None:
    api.enter(make_guest(password=PASSWORD))
    settings.RATE_LIMITS_ENABLED = True
    for _ in range(20):
        # As if twenty mails had been asked for.
        RESET_LIMIT.spend(f"user:{User.objects.get().pk}")
    assert api.code(CHANGE_EMAIL, input={"newEmail": "new@example.com", "password": PASSWORD}) == "RATE_LIMITED"
    assert promised == []
