"""The servers of a test run: a PostgreSQL, a Valkey and a Stripe emulator that end with it.

Loaded with `-p sandbox.pytest_plugin`, since a conftest comes after pytest-django has read the settings. Under xdist
the controller starts the servers; each worker takes a test database (pytest-django's), a numbered Redis database and a
Stripe account of its own. DATABASE_URL and REDIS_URL that are given are used instead.
"""

import os
import secrets
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from sandbox.configuration import settings_for_tests
from sandbox.emulator import KEY
from sandbox.problem import Problem
from sandbox.processes import Watcher
from sandbox.servers import Server, given, missing_servers, settings_of, start_all, stop_all

# A run never talks to the real Stripe, and its outcome does not hang on what the caller's shell has set.
NOT_INHERITED = (
    "STRIPE_SECRET_KEY", "STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRET", "PORT", "PUBLIC_URL", "ALLOWED_HOSTS",
    "ALLOWED_ORIGINS", "TRUSTED_ISSUERS", "SIGN_IN_RETURN_URLS", "SIGNING_KEYS", "RATE_LIMITS", "REQUIRE_VERIFIED_EMAIL",
    "HOLD_SECONDS", "SWEEP_SECONDS", "SECRET_KEY_FALLBACKS",
    "ACCESS_TOKEN_SECONDS", "REFRESH_TOKEN_SECONDS", "DEMO_DIR",
    "METRICS_TOKEN", "METRICS_DIR", "METRICS_PORT", "METRICS_OPERATIONS", "LOG_FORMAT", "ACCESS_LOG", "SENTRY_DSN",
    "OTEL_EXPORTER_OTLP_ENDPOINT", "DATABASE_POOLER", "CACHE_REDIS_URL", "LIMITS_REDIS_URL", "LIVE_REDIS_URL",
)  # fmt: skip
# The discard port: an event goes nowhere until a test tells the emulator where its own server listens.
NO_WEBHOOKS = "http://127.0.0.1:9/webhooks/stripe"

_servers: list[Server] = []
_watcher: Watcher | None = None


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        take_share(int(worker.removeprefix("gw")))
    elif not wants_only_text(early_config):
        try:
            start()
        except Problem as problem:
            stop()
            raise pytest.UsageError(str(problem)) from None
        except BaseException:
            stop()
            raise
    return (yield)


def pytest_unconfigure() -> None:
    stop()


def wants_only_text(config: pytest.Config) -> bool:
    arguments = config.known_args_namespace
    return bool(getattr(arguments, "help", False) or getattr(arguments, "version", 0))


def start() -> None:
    """Start what is not given and put all settings into the environment, where Django and the workers find them."""
    global _watcher
    for name in NOT_INHERITED:
        os.environ.pop(name, None)
    # The workers, and the many processes of a run, read what one of them has compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    folder = Path(tempfile.mkdtemp(prefix="holdfast-test-"))
    _watcher = Watcher()
    _watcher.remove(folder)
    _servers.extend(
        missing_servers(
            os.environ,
            folder,
            secret=lambda name: secrets.token_hex(32),
            watcher=_watcher,
            webhook_url=NO_WEBHOOKS,
            keep=False,
        )
    )
    start_all(_servers)
    os.environ.update(settings_for_tests(folder, secrets.token_hex(32)))
    os.environ.update(settings_of(_servers))


def stop() -> None:
    global _watcher
    stop_all(_servers)
    _servers.clear()
    if _watcher is not None:
        _watcher.close()
        _watcher = None


def take_share(number: int) -> None:
    """Give the xdist worker `number` a Redis database, a Stripe account and folders of its own."""
    url = urlsplit(os.environ["REDIS_URL"])
    first = url.path.strip("/")
    database = (int(first) if first.isdecimal() else 0) + 1 + number
    os.environ["REDIS_URL"] = urlunsplit(url._replace(path=f"/{database}"))
    if given(os.environ, "STRIPE_SECRET_KEY"):
        os.environ["STRIPE_SECRET_KEY"] = f"{KEY}_gw{number}"
    for name in ("MAIL_DIR", "MEDIA_DIR"):
        own = Path(os.environ[name]) / f"gw{number}"
        own.mkdir(exist_ok=True)
        os.environ[name] = str(own)
