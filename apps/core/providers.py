"""Mail providers: companies whose HTTP API takes our mails where no mail server does. What each wants to know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

SECONDS = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a provider calls its key, and its further options: those it cannot do without and others."""

    key: str = "API_KEY"
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


WANTED = {
    "brevo": Wanted(),
    "mailersend": Wanted(key="API_TOKEN"),
    "mailgun": Wanted(optional=("sender_domain",)),
    "mailjet": Wanted(required=("secret_key",)),
    "mailtrap": Wanted(key="API_TOKEN"),
    "mandrill": Wanted(),
    "postal": Wanted(required=("api_url",)),
    "postmark": Wanted(key="SERVER_TOKEN", optional=("message_stream",)),
    "resend": Wanted(),
    "sparkpost": Wanted(optional=("subaccount",)),
}
# Another address of the API: of another region, or of a server of one's own.
EVERYWHERE = ("api_url",)


@dataclass(frozen=True, slots=True)
class MailProvider:
    """The provider as Django and Anymail want it."""

    backend: str
    anymail: dict[str, Any]


def read_provider(name: str, *, key: str, options: Mapping[str, Any]) -> MailProvider:
    """Raises ValueError, with the names that are known, for what the provider does not take or lacks."""
    wanted = WANTED.get(name)
    if wanted is None:
        raise ValueError(f"EMAIL_PROVIDER must be one of {', '.join(WANTED)}, not {name!r}")
    if not key:
        raise ValueError(f"EMAIL_API_KEY is not set, and EMAIL_PROVIDER is {name}")
    known = sorted({*wanted.required, *wanted.optional, *EVERYWHERE})
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"EMAIL_OPTIONS: {name} takes {', '.join(known)}, not {option!r}")
        if not isinstance(value, str) or not value:
            raise ValueError(f"EMAIL_OPTIONS: {option} must be a text")
    for option in wanted.required:
        if option not in options:
            raise ValueError(f"EMAIL_OPTIONS: {name} needs {option}")
    api_url = options.get("api_url", "https://")
    if urlsplit(api_url).scheme not in {"http", "https"}:
        raise ValueError("EMAIL_OPTIONS: api_url must begin with https://")
    prefix = name.upper()
    anymail = {f"{prefix}_{wanted.key}": key, "REQUESTS_TIMEOUT": SECONDS}
    anymail |= {f"{prefix}_{option.upper()}": value for option, value in options.items()}
    return MailProvider(backend=f"anymail.backends.{name}.EmailBackend", anymail=anymail)
