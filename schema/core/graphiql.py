"""GraphiQL, offline: all its assets are our own static files, and its content security policy allows no other origin."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# Its scripts carry the nonce of the answer, and `graphiql.js` gives it to the style elements that its packages make.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'nonce-{nonce}'",
        "style-src 'self' 'nonce-{nonce}'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self' ws: wss:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def may_open(request: HttpRequest) -> bool:
    """Everybody outside production; in production staff who are signed in to the admin."""
    if settings.GRAPHIQL_OPEN:
        return True
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_authenticated and user.role == "STAFF")


def graphiql_page(request: HttpRequest) -> HttpResponse:
    """The page."""
    nonce = secrets.token_urlsafe(16)
    response = render(request, "schema/graphiql.html", {"nonce": nonce})
    response["Content-Security-Policy"] = POLICY.format(nonce=nonce)
    response["Cache-Control"] = "no-store"
    return response
