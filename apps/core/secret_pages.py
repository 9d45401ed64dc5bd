"""Pages whose address is a secret: no cache keeps them, no referrer or robot tells of them, and they load nothing."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"


def closed(response: HttpResponse, policy: str = f"{POLICY}; form-action 'none'") -> HttpResponse:
    """The answer, with what browsers and robots are told of it."""
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    response["Content-Security-Policy"] = policy
    return response


def closed_page(
    request: HttpRequest,
    template: str,
    told: Mapping[str, Any],
    *,
    status: int = HTTPStatus.OK,
    has_form: bool = False,
    has_pictures: bool = False,
) -> HttpResponse:
    """The page. Its style element carries the `nonce` of the answer; a form goes back here, and pictures are ours."""
    nonce = secrets.token_urlsafe(16)
    forms = "self" if has_form else "none"
    policy = f"{POLICY}; style-src 'nonce-{nonce}'; form-action '{forms}'"
    if has_pictures:
        policy += "; img-src 'self'"
    return closed(render(request, template, {**told, "nonce": nonce}, status=status), policy)
