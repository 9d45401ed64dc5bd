"""`manage.py check --deploy` is content with what the documents say, and names what is wrong for people on the internet."""

import os
import subprocess
import sys
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from booking.checks import check_settings
from tests.readme.test_env_example import REQUIRED, ROOT

DOCUMENTED = {
    **REQUIRED,
    "SECRET_KEY": "".join(chr(48 + number % 75) for number in range(70)),
    "MODE": "production",
    "PUBLIC_URL": "https://book.example.com",
    "ALLOWED_HOSTS": "book.example.com",
    "TRUSTED_PROXIES": "1",
    "STRIPE_SECRET_KEY": "sk_live_x",
    "EMAIL_URL": "smtp://user:password@mail.example.com:587",
    "MAIL_FROM": "Holdfast <no-reply@example.com>",
}
GOOD: dict[str, Any] = {
    "MODE": "production", "PUBLIC_URL": "https://book.example.com", "ALLOWED_HOSTS": ["book.example.com"],
    "STRIPE_SECRET_KEY": "sk_live_x", "STRIPE_API_BASE": "", "EMAIL_HOST": "mail.example.com", "ANYMAIL": {},
    "DEFAULT_FROM_EMAIL": "Holdfast <no-reply@example.com>", "TRUSTED_PROXIES": 1, "RATE_LIMITS_ENABLED": True,
    "REQUIRE_VERIFIED_EMAIL": True, "CORS_ALLOWED_ORIGINS": ["https://app.example.com"], "SECRET_KEY_FALLBACKS": [],
}  # fmt: skip


def test_the_documented_settings_are_content() -> None:
    environment = {"PATH": os.environ["PATH"], **DOCUMENTED}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "DEBUG"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("holdfast.")) == (0, 0), done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({}, set()),
        ({"MODE": "development"}, {"E001"}),
        ({"PUBLIC_URL": "http://book.example.com"}, {"E002"}),
        ({"PUBLIC_URL": "https://localhost", "ALLOWED_HOSTS": ["localhost"]}, {"E003"}),
        ({"ALLOWED_HOSTS": ["other.example.com"]}, {"E004"}),
        ({"ALLOWED_HOSTS": [".example.com"]}, set()),
        ({"ALLOWED_HOSTS": ["*"]}, {"E005"}),
        ({"STRIPE_SECRET_KEY": "sk_test_x"}, {"W001"}),
        ({"STRIPE_API_BASE": "http://127.0.0.1:1"}, {"W001"}),
        ({"STRIPE_SECRET_KEY": "rk_live_x"}, set()),
        ({"EMAIL_HOST": ""}, {"W002"}),
        ({"EMAIL_HOST": "", "ANYMAIL": {"KEY": "x"}}, set()),
        ({"DEFAULT_FROM_EMAIL": "Holdfast <no-reply@localhost>"}, {"W003"}),
        ({"TRUSTED_PROXIES": 0}, {"W004"}),
        ({"RATE_LIMITS_ENABLED": False}, {"W005"}),
        ({"REQUIRE_VERIFIED_EMAIL": False}, {"W006"}),
        ({"CORS_ALLOWED_ORIGINS": ["http://app.example.com"]}, {"W007"}),
        ({"SECRET_KEY": "same", "SECRET_KEY_FALLBACKS": ["same"]}, {"W008"}),
    ],
)
def test_what_is_wrong_has_a_name_and_a_remedy(settings: Settings, wrong: dict[str, Any], names: set[str]) -> None:
    for name, value in {**GOOD, **wrong}.items():
        setattr(settings, name, value)
    found = check_settings(None)
    assert {each.id for each in found} == {f"holdfast.{name}" for name in names}
    assert all(each.hint for each in found)
