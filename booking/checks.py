"""What `manage.py check --deploy` finds in settings that are well-formed and still wrong for people on the internet."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.http.request import validate_host

LOCAL = {"127.0.0.1", "localhost", "::1"}


def _found() -> Iterator[tuple[bool, Callable[..., CheckMessage], str, str, str]]:
    """Whether it is wrong, how bad that is, its name, what it is, and what to do."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    is_secure = settings.PUBLIC_URL.startswith("https://")
    key = settings.STRIPE_SECRET_KEY
    has_mail = bool(settings.EMAIL_HOST or settings.ANYMAIL)
    yield (
        settings.MODE != "production",
        Error,
        "E001",
        f"MODE is {settings.MODE}: hints and introspection are for everybody.",
        "MODE=production",
    )
    yield (
        not is_secure,
        Error,
        "E002",
        "PUBLIC_URL is not https: passwords and cards' answers travel in the open.",
        "PUBLIC_URL=https://...",
    )
    yield (
        host in LOCAL,
        Error,
        "E003",
        "PUBLIC_URL is this machine: links in mails lead nowhere.",
        "Set it to the address that people use.",
    )
    yield (
        not validate_host(host, settings.ALLOWED_HOSTS),
        Error,
        "E004",
        "The host of PUBLIC_URL is not among ALLOWED_HOSTS: every request is refused.",
        f"ALLOWED_HOSTS={host},...",
    )
    yield (
        "*" in settings.ALLOWED_HOSTS,
        Error,
        "E005",
        "ALLOWED_HOSTS has *: links could be made to lead elsewhere.",
        "Name the hosts.",
    )
    yield (
        bool(settings.STRIPE_API_BASE) or not key.startswith(("sk_live_", "rk_live_")),
        Warning,
        "W001",
        "The card processor is an emulator or in test mode: no money moves.",
        "STRIPE_SECRET_KEY=sk_live_..., no STRIPE_API_BASE.",
    )
    yield (
        not has_mail,
        Warning,
        "W002",
        "No mail leaves: nobody can verify an address or get a new password.",
        "EMAIL_URL, or EMAIL_PROVIDER and EMAIL_API_KEY.",
    )
    yield (
        has_mail and "@localhost" in settings.DEFAULT_FROM_EMAIL,
        Warning,
        "W003",
        "MAIL_FROM is an address of this machine: mails are taken for spam.",
        'MAIL_FROM="Name <no-reply@your.domain>"',
    )
    yield (
        is_secure and settings.TRUSTED_PROXIES == 0,
        Warning,
        "W004",
        "TLS ends in a proxy and TRUSTED_PROXIES is 0: all share one rate limit.",
        "TRUSTED_PROXIES=1, or how many there are.",
    )
    yield (
        not settings.RATE_LIMITS_ENABLED,
        Warning,
        "W005",
        "RATE_LIMITS is off: passwords can be guessed.",
        "RATE_LIMITS=on",
    )
    yield (
        not settings.REQUIRE_VERIFIED_EMAIL,
        Warning,
        "W006",
        "REQUIRE_VERIFIED_EMAIL is off: anybody books under anybody's address.",
        "REQUIRE_VERIFIED_EMAIL=on",
    )
    yield (
        any(origin.startswith("http://") for origin in settings.CORS_ALLOWED_ORIGINS),
        Warning,
        "W007",
        "ALLOWED_ORIGINS has one without TLS: whoever is on its network can speak for it.",
        "Only https:// origins.",
    )
    yield (
        settings.SECRET_KEY in settings.SECRET_KEY_FALLBACKS, Warning, "W008",
        "SECRET_KEY stands in SECRET_KEY_FALLBACKS too: nothing was changed.", "Put the key before there, or nothing.",
    )  # fmt: skip


@register(Tags.security, deploy=True)
def check_settings(app_configs: object, **_: Any) -> list[CheckMessage]:
    """All that is wrong, each with its remedy."""
    return [
        level(what, hint=remedy, id=f"holdfast.{name}") for is_wrong, level, name, what, remedy in _found() if is_wrong
    ]
