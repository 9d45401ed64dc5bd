"""The page of kept mails: for staff, and never in production."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.core import mail
from apps.users.models import User
from tests.recipes import make_guest, make_host, make_onlooker, make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def name(settings: Settings, tmp_path: Path) -> str:
    settings.MAIL_DIR, settings.EMAIL_HOST = tmp_path / "mails", ""
    mail.send(
        to="ada@example.com",
        subject="A <b>subject</b>",
        text="Open http://127.0.0.1/verify-email?token=abc <script>",
        now=datetime.now(UTC),
    )
    (tmp_path / "secret.eml").write_text("To: x\n\nnot for the page")
    return next((tmp_path / "mails").glob("*.eml")).name


def of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def test_staff_reads_the_mails(name: str) -> None:
    client = of(make_staff(is_superuser=True))
    page = client.get("/admin/mails/").content.decode()
    assert "ada@example.com" in page
    assert "A &lt;b&gt;subject&lt;/b&gt;" in page
    text = client.get(f"/admin/mails/{name}").content.decode()
    assert 'href="http://127.0.0.1/verify-email?token=abc"' in text
    assert "<script>" not in text.partition("Open http")[2]


def test_the_start_of_the_admin_leads_there(name: str, settings: Settings) -> None:
    client = of(make_staff(is_superuser=True))
    assert 'href="/admin/mails/"' in client.get("/admin/").content.decode()
    settings.MAIL_DIR = None
    assert "/admin/mails/" not in client.get("/admin/").content.decode()


def test_nobody_else_does(name: str) -> None:
    for user in (None, make_guest(), make_host()):
        for path in ("/admin/mails/", f"/admin/mails/{name}"):
            assert of(user).get(path).status_code == 302
    # Links that open accounts are for superusers alone.
    for path in ("/admin/mails/", f"/admin/mails/{name}"):
        assert of(make_onlooker()).get(path).status_code == 404


def test_there_is_none_in_production_and_none_without_a_folder(name: str, settings: Settings) -> None:
    client = of(make_staff(is_superuser=True))
    for mode, folder in (("production", settings.MAIL_DIR), ("development", None)):
        settings.MODE, settings.MAIL_DIR = mode, folder
        assert client.get("/admin/mails/").status_code == 404
        assert client.get(f"/admin/mails/{name}").status_code == 404


def test_only_mails_of_the_folder_are_shown() -> None:
    client = of(make_staff(is_superuser=True))
    for wanted in ("..%2Fsecret.eml", "%2E%2E%2Fsecret.eml", "unknown.eml", ".eml", "..", "x.eml%00"):
        assert client.get(f"/admin/mails/{wanted}").status_code in {302, 404}
