"""The environment that the product runs with here: what was given, and the sandbox's own answer for the rest."""

import os
from collections.abc import Mapping
from pathlib import Path

from sandbox.folder import DataFolder
from sandbox.problem import Problem

WEBHOOK_PATH = "/webhooks/stripe"


def port_of(environ: Mapping[str, str]) -> int:
    """`PORT`, 8000 where it is not given. Raises Problem."""
    text = environ.get("PORT", "").strip() or "8000"
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise Problem(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def webhook_url(port: int) -> str:
    return f"http://127.0.0.1:{port}{WEBHOOK_PATH}"


def demo_settings(folder: DataFolder, port: int, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of the demo but for its servers. What `environ` gives, stands."""
    ours = {
        "SECRET_KEY": folder.secret("django"),
        "MODE": "development",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MAIL_DIR": str(folder.folder("mail")),
        "MEDIA_DIR": str(folder.folder("media")),
        "STATIC_DIR": str(folder.folder("static")),
        "METRICS_DIR": str(folder.path / "metrics"),
        "REQUIRE_VERIFIED_EMAIL": "off",
    }
    return {**ours, **stated(environ, ours)}


def settings_for_tests(folder: Path, secret_key: str) -> dict[str, str]:
    """The settings of a test run but for its servers. They do not hang on the caller's shell."""
    for name in ("mail", "media", "static"):
        (folder / name).mkdir(exist_ok=True)
    return {
        "SECRET_KEY": secret_key,
        "MODE": "test",
        # Most tests undo what they did and commit nothing; those of what is kept turn it on.
        "CACHE_SECONDS": "0",
        "MAIL_DIR": str(folder / "mail"),
        "MEDIA_DIR": str(folder / "media"),
        "STATIC_DIR": str(folder / "static"),
    }


def stated(environ: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Those of `names` that `environ` gives a value."""
    return {name: environ[name] for name in names if environ.get(name, "").strip()}


def process_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a child process of the product."""
    return {**os.environ, **settings, "DJANGO_SETTINGS_MODULE": "booking.settings", "PYTHONUNBUFFERED": "1"}
