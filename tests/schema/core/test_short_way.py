"""Posts to /graphql take a shorter way through Django, and nobody can tell."""

import io
import json
import sys
from typing import Any

import pytest
from corsheaders.middleware import CorsMiddleware as Cors
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from booking.headers import EVERYWHERE, CorsMiddleware, HeadersMiddleware, transport_headers
from booking.wsgi import application, whole

pytestmark = pytest.mark.django_db

QUERY = json.dumps({"query": "{ __typename me { email } }"}).encode()


@pytest.fixture(autouse=True)
def _unlimited(settings: Settings) -> None:
    """What is left to a caller is told in each answer, and would differ."""
    settings.RATE_LIMITS_ENABLED = False


def call(app: Any, **environ: str) -> tuple[str, dict[str, str], bytes]:
    said: list[Any] = []
    answer = app(
        {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/graphql",
            "QUERY_STRING": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(QUERY)),
            "wsgi.input": io.BytesIO(QUERY),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
            **environ,
        },
        lambda status, headers, error=None: said.extend([status, headers]),
    )
    content = b"".join(answer)
    answer.close()
    return said[0], dict(said[1]), content


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HTTP_ACCEPT": "application/graphql-response+json"},
        {"HTTP_ACCEPT": "text/html"},
        {"HTTP_ORIGIN": "https://elsewhere.example"},
        {"HTTP_ORIGIN": "http://localhost:8000"},
        {"HTTP_COOKIE": "sessionid=garbage; csrftoken=garbage"},
        {"HTTP_AUTHORIZATION": "Bearer garbage"},
        {"HTTP_HOST": "elsewhere.example"},
        {"CONTENT_TYPE": "text/plain"},
        {"QUERY_STRING": "query={me{email}}"},
    ],
    ids=str,
)
def test_both_ways_answer_alike(environ: dict[str, str]) -> None:
    short, long = call(application, **environ), call(whole, **environ)
    for answer in (short, long):
        # Each request has an id of its own.
        answer[1].pop("X-Request-Id", None)
        # Only the whole way has looked whether a cookie signs somebody in, and forgets one that does not.
        answer[1].pop("Set-Cookie", None)
        answer[1]["Vary"] = answer[1]["Vary"].replace("Cookie, ", "")
    assert short == long


def test_all_else_takes_the_whole_way() -> None:
    status, headers, _ = call(application, PATH_INFO="/admin/login/", REQUEST_METHOD="GET")
    assert status == "200 OK"
    assert "csrftoken" in headers["Set-Cookie"]


def test_only_what_is_for_browsers_is_left_out() -> None:
    assert set(settings.MIDDLEWARE) - set(settings.API_MIDDLEWARE) == settings.NOT_FOR_API


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "GET"])
@pytest.mark.parametrize("path", ["/graphql", "/elsewhere"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HTTP_ORIGIN": ""},
        {"HTTP_ORIGIN": "https://elsewhere.example"},
        {"HTTP_ORIGIN": "https://ours.example"},
        {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"},
        {"HTTP_ORIGIN": "https://ours.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"},
    ],
    ids=str,
)
def test_other_pages_are_answered_as_corsheaders_does(
    settings: Settings, headers: dict[str, str], path: str, method: str
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://ours.example"]

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("told", headers={"Vary": "Accept, Authorization"})

    chains: list[Any] = [CorsMiddleware(view), Cors(view)]
    extra: Any = headers
    ours, own = (chain(RequestFactory().generic(method, path, **extra)) for chain in chains)
    assert (ours.status_code, dict(ours.items()), ours.content) == (own.status_code, dict(own.items()), own.content)


@pytest.mark.parametrize(
    "own", [{}, {"content-security-policy": "script-src 'self'", "Referrer-Policy": "no-referrer"}]
)
def test_what_browsers_are_told_is_added_as_django_adds_it(own: dict[str, str]) -> None:
    told = HttpResponse("told", headers=own)
    for name, value in {**EVERYWHERE, **transport_headers()}.items():
        told.headers.setdefault(name, value)
    answer = HeadersMiddleware(lambda request: HttpResponse("told", headers=own))(RequestFactory().post("/graphql"))
    assert list(answer.items()) == list(told.items())
