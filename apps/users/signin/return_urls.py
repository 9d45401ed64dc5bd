"""Where a redirect sign-in may end: only at pages that SIGN_IN_RETURN_URLS lists, so that nobody else is sent a code.

The setting holds addresses, separated by commas: `https://app.example.com/signed-in` is that one page, whatever its query;
`https://app.example.com/` with a slash at the end is every page below it; `com.example.app:/signed-in` is a mobile app.
An address is compared part by part, never as text, and one that two programs might read differently is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from apps.users.signin.issuers import is_safe_url

LONGEST = 2000
# What RFC 3986 lets stand in an address, without brackets: no white space, no backslash, no quote.
PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]+")
# RFC 8252 wants apps to use a name of their own in reverse, which tells them from javascript: and data:.
APP_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
PATH = re.compile(r"(/[A-Za-z0-9\-._~!$&'()*+,=:@]*)*")
CODE = "sign_in_code"
ERROR = "sign_in_error"


@dataclass(frozen=True, slots=True)
class ReturnUrl:
    """An address of the setting."""

    scheme: str
    authority: str
    path: str

    def covers(self, other: SplitResult) -> bool:
        if (self.scheme, self.authority) != (other.scheme, other.netloc.lower()):
            return False
        path = other.path or "/"
        below = self.path.endswith("/") and path.startswith(self.path)
        return path == self.path or below

    def __str__(self) -> str:
        return urlunsplit((self.scheme, self.authority, self.path, "", ""))


def read_return_urls(values: Iterable[str]) -> tuple[ReturnUrl, ...]:
    """The addresses of the setting. Raises ValueError for one that cannot be a page or an app."""
    return tuple(_read(value) for value in values)


def is_allowed(url: str, *, allowed: Iterable[ReturnUrl]) -> bool:
    """Whether somebody may be sent there with a code."""
    parts = _split(url)
    return parts is not None and not parts.fragment and any(entry.covers(parts) for entry in allowed)


def with_answer(url: str, name: str, value: str) -> str:
    """The address with the answer in its query, in the place of one that it brought along."""
    parts = urlsplit(url)
    query = [(key, each) for key, each in parse_qsl(parts.query, keep_blank_values=True) if key not in (CODE, ERROR)]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))


def _read(value: str) -> ReturnUrl:
    parts = _split(value)
    if parts is None or parts.query or parts.fragment or not (_is_app(parts) or is_safe_url(value)):
        raise ValueError(
            f"{value!r} is no address of a page, like https://app.example.com/signed-in (http:// on this machine alone)"
        )
    return ReturnUrl(scheme=parts.scheme, authority=parts.netloc.lower(), path=parts.path or "/")


def _split(url: str) -> SplitResult | None:
    """The parts of an address that every program reads alike; None for any other."""
    if len(url) > LONGEST or not PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    if not PATH.fullmatch(parts.path) or any(part in {".", ".."} for part in parts.path.split("/")):
        return None
    if parts.path.startswith("//"):
        return None
    if _is_app(parts):
        return None if "@" in parts.netloc else parts
    # No name and password before the host, and the host in the plain.
    host = re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", parts.netloc)
    return parts if parts.scheme in {"https", "http"} and host is not None else None


def _is_app(parts: SplitResult) -> bool:
    return APP_SCHEME.fullmatch(parts.scheme) is not None
