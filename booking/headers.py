"""What browsers are told of every answer, whatever it is: to guess no types, to frame nothing, to load from nowhere else.

A view that says more of an answer of its own is not overruled. What says nothing gets the narrowest policy there is; the admin one
under which its scripts and styles come from here alone, and inline ones carry the nonce of the answer (`request.csp_nonce`).
"""

import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import cast

from corsheaders.middleware import CorsMiddleware as Cors
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import ResponseHeaders
from django.utils.cache import patch_vary_headers

GetResponse = Callable[[HttpRequest], HttpResponseBase]

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
ADMIN = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'nonce-{nonce}'",
        "style-src 'self' 'nonce-{nonce}'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
PERMISSIONS = ", ".join(
    f"{name}=()"
    for name in (
        "accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone", "midi",
        "payment", "publickey-credentials-get", "usb", "xr-spatial-tracking",
    )
)  # fmt: skip
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": NOTHING,
}
# Pictures that pages of other origins show: of listings and people, and the codes of tickets.
SHOWN_ELSEWHERE = ("/media/", "/tickets/")


def transport_headers() -> dict[str, str]:
    """What is added where people are on https: come back by it alone."""
    seconds = settings.SECURE_HSTS_SECONDS
    return {"Strict-Transport-Security": f"max-age={seconds}"} if seconds else {}


def raw_headers() -> list[tuple[bytes, bytes]]:
    """The headers of what no middleware sees: streams, and refusals before Django."""
    headers = {**EVERYWHERE, **transport_headers()}
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


class HeadersMiddleware:
    """Adds what the answer does not say itself."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        # As a response stores them: to convert them for each costs more than all else that is done here.
        self._always = tuple(ResponseHeaders({**EVERYWHERE, **transport_headers()})._store.items())

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_admin = request.path.startswith("/admin/")
        if is_admin:
            nonce = secrets.token_urlsafe(16)
            request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = self.get_response(request)
        if is_admin:
            response.headers.setdefault("Content-Security-Policy", ADMIN.format(nonce=nonce))
        elif request.path.startswith(SHOWN_ELSEWHERE):
            response.headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin")
        said = response.headers._store
        for name, stored in self._always:
            said.setdefault(name, stored)
        return response


class CorsMiddleware(Cors):
    """That of corsheaders, whose answer to a post of no other page is known: that it hangs on who asks."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST" or "HTTP_ORIGIN" in request.META:
            return cast(HttpResponseBase, super().__call__(request))
        response = cast(HttpResponseBase, self.get_response(request))
        if self.is_enabled(request):
            said = response.headers._store
            _, varies = said.get("vary", ("", ""))
            said["vary"] = ("Vary", _and_by_origin(varies))
        return response


@lru_cache(maxsize=100)
def _and_by_origin(varies: str) -> str:
    """What an answer says that it hangs on, with the page that asks. What views say comes from the code."""
    response = HttpResponse(headers={"Vary": varies} if varies else {})
    patch_vary_headers(response, ("origin",))
    return response["Vary"]
