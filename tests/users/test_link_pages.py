"""Where the links of mails lead, for people whose client has no pages of its own."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.core import throttling
from apps.core.db import unit_of_work
from apps.users.actions.mail_tokens import mail_link, secret_of
from apps.users.models import MailPurpose, MailToken, Session, User
from tests.recipes import PASSWORD, make_guest

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "another-Horse-8"
VERIFY, RESET = "/verify-email", "/reset-password"


@pytest.fixture(autouse=True)
def _no_limits(settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = False


def link(user: User, purpose: MailPurpose, email: str | None = None) -> str:
    unit_of_work(mail_link)(user=user, purpose=purpose, email=email or user.email, now=datetime.now(UTC))
    return secret_of(MailToken.objects.latest("pk"))


def test_the_button_verifies_and_opening_does_not() -> None:
    user = make_guest(email="ada@example.com", email_verified_at=None)
    token = link(user, MailPurpose.VERIFY_EMAIL)
    opened = Client().get(VERIFY, {"token": token})
    user.refresh_from_db()
    assert user.email_verified_at is None
    assert f'value="{token}"' in opened.content.decode()
    assert "no-store" in opened["Cache-Control"]
    assert opened["Referrer-Policy"] == "no-referrer"
    done = Client(enforce_csrf_checks=True).post(VERIFY, {"token": token})
    assert (done.status_code, "ada@example.com is confirmed" in done.content.decode()) == (200, True)
    user.refresh_from_db()
    assert user.email_verified_at is not None
    again = Client().post(VERIFY, {"token": token})
    assert (again.status_code, "not valid any more" in again.content.decode()) == (400, True)


def test_an_address_that_was_taken_meanwhile_is_told() -> None:
    user = make_guest(email="old@example.com")
    token = link(user, MailPurpose.VERIFY_EMAIL, email="new@example.com")
    make_guest(email="new@example.com")
    refused = Client().post(VERIFY, {"token": token})
    assert (refused.status_code, "There is an account" in refused.content.decode()) == (400, True)
    user.refresh_from_db()
    assert user.email == "old@example.com"


def test_the_form_sets_the_password_and_signs_nobody_in() -> None:
    user = make_guest(email="ada@example.com", password=PASSWORD)
    token = link(user, MailPurpose.RESET_PASSWORD)
    before = User.objects.values().get()
    assert 'type="password"' in Client().get(RESET, {"token": token}).content.decode()
    weak = Client().post(RESET, {"token": token, "password": "ada"})
    # The link stays good, and the form with it.
    assert (weak.status_code, f'value="{token}"' in weak.content.decode()) == (400, True)
    assert User.objects.values().get() == before
    done = Client().post(RESET, {"token": token, "password": NEW})
    assert (done.status_code, done.cookies) == (200, {})
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert not Session.objects.filter(ended_at=None).exists()
    assert Client().post(RESET, {"token": token, "password": "third-Horse-9"}).status_code == 400


@pytest.mark.parametrize("path", [VERIFY, RESET])
@pytest.mark.parametrize("token", ["", "x", "\x00", "x" * 5_000, '"><script>alert(1)</script>'])
def test_what_is_no_link_does_nothing(path: str, token: str) -> None:
    user = make_guest(email="ada@example.com", email_verified_at=None)
    expired = link(user, MailPurpose.VERIFY_EMAIL if path == VERIFY else MailPurpose.RESET_PASSWORD)
    MailToken.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    before = User.objects.values().get()
    for each in (token, expired):
        assert Client().post(path, {"token": each, "password": NEW}).status_code == 400
        shown = Client().get(path, {"token": each})
        assert (shown.status_code, b"<script>" in shown.content) == (200, False)
    assert Client().put(path).status_code == 405
    assert User.objects.values().get() == before


def test_links_cannot_be_guessed_here_either(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS_ENABLED = True
    monkeypatch.setattr(throttling, "FIRST_WAIT_SECONDS", 600)
    monkeypatch.setattr("apps.users.guesses.FREE_FOR_A_NETWORK", 3)
    door = Client(REMOTE_ADDR="203.0.113.99")
    codes = [
        door.post(path, {"token": "guess", "password": NEW}).status_code for path in (VERIFY, RESET) * 2 + (VERIFY,)
    ]
    assert codes == [400] * 3 + [429] * 2
