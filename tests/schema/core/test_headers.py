"""What browsers are told of every answer, and what pages of other origins get: nothing that they may not have."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import User
from booking.headers import ADMIN, EVERYWHERE, NOTHING, HeadersMiddleware
from tests.recipes import make_staff

pytestmark = pytest.mark.django_db

SIGN_UP = """mutation { signUp(input: {email: "a@example.com", password: "correct-Horse-7", firstName: "A", lastName: "B"}) {
    errors { code } } }"""
ELSEWHERE = "https://evil.example"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/graphql?query={__typename}", 200),
        ("GET", "/graphql", 400),
        ("PUT", "/graphql", 405),
        ("GET", "/", 302),
        ("GET", "/nothing", 404),
        ("GET", "/admin/login/", 200),
        ("GET", "/admin/", 302),
        ("GET", "/healthz", 200),
        ("GET", "/media/none.png", 404),
        ("GET", "/tickets/x.svg", 404),
        ("GET", "/receipts/1-2", 404),
        ("GET", "/bookings/ABCDEF", 404),
        ("GET", "/verify-email?token=x", 200),
        ("GET", "/reset-password?token=x", 200),
        ("GET", "/.well-known/jwks.json", 200),
        ("POST", "/webhooks/stripe", 400),
        ("GET", "/static/admin/css/base.css", 200),
        ("GET", "/favicon.ico", 204),
    ],
)
def test_every_answer_says_what_browsers_may_do_with_it(method: str, path: str, status: int) -> None:
    response = Client().generic(method, path)
    assert response.status_code == status
    assert set(EVERYWHERE) <= set(response.headers), set(EVERYWHERE) - set(response.headers)
    policy = response["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] in {"same-origin", "no-referrer"}
    elsewhere = path.startswith(("/media/", "/tickets/"))
    assert response["Cross-Origin-Resource-Policy"] == ("cross-origin" if elsewhere else "same-origin")


def test_answers_that_are_no_pages_load_nothing() -> None:
    assert Client().get("/graphql?query={__typename}")["Content-Security-Policy"] == NOTHING


def test_each_page_has_a_nonce_of_its_own() -> None:
    policies = [Client().get("/admin/login/")["Content-Security-Policy"] for _ in range(2)]
    nonces = [re.findall(r"nonce-([\w-]{20,})'", policy) for policy in policies]
    assert [ADMIN.format(nonce=nonce[0]) for nonce in nonces] == policies
    assert nonces[0] != nonces[1]
    page = Client().get("/graphql", headers={"accept": "text/html"})
    (nonce,) = re.findall(r"script-src 'nonce-([\w-]{20,})'", page["Content-Security-Policy"])
    scripts = re.findall(r"<script[^>]*>", page.content.decode())
    assert len(scripts) > 3
    assert all(f'nonce="{nonce}"' in script for script in scripts)


def test_https_is_come_back_to_where_people_use_it(settings: Settings) -> None:
    def header() -> str | None:
        answer: Any = Client().get("/healthz")
        return HeadersMiddleware(lambda _request: answer)(answer.wsgi_request).headers.get("Strict-Transport-Security")

    assert header() is None
    settings.SECURE_HSTS_SECONDS = 31_536_000
    assert header() == "max-age=31536000"


def send(content_type: str, body: str | None = None, **headers: str) -> Any:
    """A request such as a page of another origin makes a browser send, with the cookies that it has for us."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_staff(is_superuser=True), backend="apps.users.backends.StaffRoleBackend")
    body = body if body is not None else json.dumps({"query": SIGN_UP})
    return client.generic("POST", "/graphql", body, content_type=content_type, headers={"origin": ELSEWHERE, **headers})


FORM = "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{}\r\n--x\r\n" \
    "Content-Disposition: form-data; name=\"map\"\r\n\r\n{{}}\r\n--x--\r\n"  # fmt: skip


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", None),
        ("text/plain; application/json", None),
        ("application/x-www-form-urlencoded", None),
        ("application/x-www-form-urlencoded", "query=" + SIGN_UP),
        ("multipart/form-data; boundary=x", FORM.format(json.dumps({"query": SIGN_UP}))),
        ("application/graphql", SIGN_UP),
        ("", None),
        ("*/*", None),
    ],
)
def test_what_a_form_can_send_is_not_executed(content_type: str, body: str | None) -> None:
    """These are sent without asking us first."""
    response = send(content_type, body)
    assert response.status_code in {400, 415}
    assert "data" not in response.json()
    assert not User.objects.filter(email="a@example.com").exists()


def test_a_mutation_in_an_address_is_not_executed() -> None:
    response = Client().get("/graphql", {"query": SIGN_UP}, headers={"origin": ELSEWHERE})
    assert response.status_code == 405
    assert not User.objects.exists()


def test_cookies_sign_nobody_in() -> None:
    query = json.dumps({"query": '{ me { email } users(search: "a") { totalCount } }'})
    answer = send("application/json", query).json()
    assert answer["data"] == {"me": None, "users": None} or answer["data"] is None
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHENTICATED"}


def test_other_origins_are_not_let_read(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    told = {}
    for origin in (ELSEWHERE, "https://app.example", "https://app.example.evil.example", "null"):
        preflight = Client().options("/graphql", headers={"origin": origin, **asks})
        answer = Client().get("/graphql?query={__typename}", headers={"origin": origin})
        told[origin] = (
            preflight.headers.get("Access-Control-Allow-Origin"),
            answer.headers.get("Access-Control-Allow-Origin"),
        )
        assert "origin" in answer["Vary"].lower()
        assert "Access-Control-Allow-Credentials" not in {*preflight.headers, *answer.headers}
    assert told.pop("https://app.example") == ("https://app.example", "https://app.example")
    assert set(told.values()) == {(None, None)}
    exposed = Client().get("/graphql?query={__typename}", headers={"origin": "https://app.example"})
    assert "RateLimit" in exposed["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in Client().get("/admin/login/", headers={"origin": "https://app.example"})
