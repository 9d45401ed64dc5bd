"""Asking issuers, who may be slow, wrong or gone: every answer is bounded in time and size, and nothing is followed."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

CONNECT_SECONDS = 3.0
# Between two packets, and for the whole answer.
READ_SECONDS = 3.0
WHOLE_SECONDS = 6.0
LARGEST_BYTES = 256 * 1024
CHUNK_BYTES = 16 * 1024

AnySession = TypeVar("AnySession", bound=requests.Session)


class IssuerUnreachable(Exception):
    """The issuer gave no answer that could be used."""


class BoundedAdapter(HTTPAdapter):
    """Reads an answer up to LARGEST_BYTES, unpacked, within WHOLE_SECONDS. Raises IssuerUnreachable for redirects too."""

    def send(self, request: requests.PreparedRequest, *_: object, **options: Any) -> requests.Response:
        started = time.monotonic()
        options.update(stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS))
        try:
            response = super().send(request, **options)
            with response:
                if response.is_redirect:
                    raise IssuerUnreachable("it answered with a redirect")
                body = bytearray()
                while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
                    body += chunk
                    if len(body) > LARGEST_BYTES:
                        raise IssuerUnreachable(f"it answered with more than {LARGEST_BYTES} bytes")
                    if time.monotonic() - started > WHOLE_SECONDS:
                        raise IssuerUnreachable("its answer took too long")
        except (requests.RequestException, HTTPError, OSError) as error:
            raise IssuerUnreachable(f"it did not answer: {type(error).__name__}") from error
        response._content = bytes(body)
        response._content_consumed = True  # type: ignore[attr-defined]
        return response


def bounded(session: AnySession) -> AnySession:
    """The session, which asks within bounds from now on."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, BoundedAdapter())
    return session


def fetch_json(url: str, *, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """The JSON object at the address. Raises IssuerUnreachable."""
    with bounded(requests.Session()) as session:
        response = session.get(url, headers={"Accept": "application/json", **(headers or {})})
    if response.status_code != 200:
        raise IssuerUnreachable(f"it answered {response.status_code}")
    try:
        value = response.json()
    except ValueError as error:
        raise IssuerUnreachable("it answered with no JSON") from error
    if not isinstance(value, dict):
        raise IssuerUnreachable("it answered with no object")
    return value
