"""Posts to /graphql take a shorter way through Django, and nobody can tell."""

import io
import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from corsheaders.middleware import CorsMiddleware as Cors
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception, request_finished, request_started
from django.db import close_old_connections, connection, connections
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from apps.core.postgres import own
from apps.core.postgres.own import found_once, own_connection
from booking import short_way
from booking.headers import EVERYWHERE, CorsMiddleware, HeadersMiddleware, transport_headers
from booking.short_way import Listeners, Post, PostHandler, QuickHandler, with_short_way
from booking.wsgi import application, whole

pytestmark = pytest.mark.django_db

QUERY = json.dumps({"query": "{ __typename me { email } }"}).encode()


@pytest.fixture(autouse=True)
def _unlimited(settings: Settings) -> None:
    """What is left to a caller is told in each answer, and would differ."""
    settings.RATE_LIMITS_ENABLED = False


def call(app: Any, **environ: Any) -> tuple[str, dict[str, str], bytes]:
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
    if hasattr(answer, "close"):
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
        {"CONTENT_TYPE": "application/json; charset=utf-8"},
        {"CONTENT_TYPE": "application/json; charset=latin-1"},
        {"CONTENT_TYPE": ""},
        {"CONTENT_LENGTH": "9000000"},
        {"CONTENT_LENGTH": "1100000"},
        {"CONTENT_LENGTH": "10"},
        {"CONTENT_LENGTH": ""},
        {"SCRIPT_NAME": "/below"},
    ],
    ids=str,
)
def test_all_ways_answer_alike(environ: dict[str, str]) -> None:
    def answered(app: Any) -> tuple[str, dict[str, str], bytes]:
        return call(app, **environ, **{"wsgi.input": io.BytesIO(QUERY)})

    short, reported, long = answered(application), answered(PostHandler()), answered(whole)
    for answer in (short, reported, long):
        # Each request has an id of its own.
        answer[1].pop("X-Request-Id", None)
        # Only the whole way has looked whether a cookie signs somebody in, and forgets one that does not.
        answer[1].pop("Set-Cookie", None)
        answer[1]["Vary"] = answer[1]["Vary"].replace("Cookie, ", "")
    assert short == long
    assert reported == long


def test_what_cannot_be_read_is_told_alike() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("the client has left")

    short, long = (call(app, **{"wsgi.input": Broken()}) for app in (application, whole))
    assert short[0] == long[0] == "400 Bad Request"
    assert short[2] == long[2]


def test_hosts_are_let_in_by_the_settings_of_the_moment(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["once.example"]
    assert call(application, HTTP_HOST="once.example")[0] == "200 OK"
    settings.ALLOWED_HOSTS = ["now.example"]
    assert call(application, HTTP_HOST="once.example")[0] == "400 Bad Request"
    assert call(application, HTTP_HOST="now.example")[0] == "200 OK"


def test_no_more_hosts_are_remembered_than_it_says(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    for number in range(short_way.MOST_HOSTS + 1):
        assert call(application, HTTP_HOST=f"n{number}.example")[0] == "200 OK"
    assert len(short_way._let_in) <= short_way.MOST_HOSTS


def test_what_is_always_read_is_less_than_django_reads() -> None:
    assert short_way.ALWAYS_READ <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def test_a_body_is_there_for_whoever_looks_again() -> None:
    request = Post({"wsgi.input": io.BytesIO(QUERY + b"of the next request"), "CONTENT_LENGTH": str(len(QUERY))})
    assert request.body == QUERY
    assert request.body == QUERY
    assert request.read() == QUERY
    assert request.POST == {}


def test_a_body_that_was_read_from_its_stream_is_refused_as_by_django() -> None:
    request = Post({"wsgi.input": io.BytesIO(QUERY), "CONTENT_LENGTH": str(len(QUERY))})
    request.read(1)
    with pytest.raises(RawPostDataException):
        _ = request.body


@pytest.mark.parametrize("way", [application, whole], ids=["short", "whole"])
def test_whoever_listens_hears_a_request_begin_and_end(way: Any) -> None:
    heard: list[str] = []

    def begin(environ: dict[str, Any], **_: Any) -> None:
        heard.append(f"began {environ['PATH_INFO']}")

    def end(**_: Any) -> None:
        heard.append("ended")

    request_started.connect(begin)
    request_finished.connect(end)
    try:
        call(way)
    finally:
        request_started.disconnect(begin)
        request_finished.disconnect(end)
    assert heard == ["began /graphql", "ended"]


def test_connections_are_looked_at_where_only_django_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: looked.append("connection"))
    monkeypatch.setattr(request_started, "send", lambda **_: looked.append("began"))
    monkeypatch.setattr(request_finished, "send", lambda **_: looked.append("ended"))
    assert call(application)[0] == "200 OK"
    assert looked == ["connection", "connection"]
    # Whoever listens, even for the first time, and who no longer does.
    request_started.connect(listen_to_nothing)
    request_finished.connect(listen_to_nothing, weak=False)
    try:
        assert call(application)[0] == "200 OK"
    finally:
        request_started.disconnect(listen_to_nothing)
        request_finished.disconnect(listen_to_nothing)
    assert looked == ["connection", "connection", "began", "ended"]
    assert call(application)[0] == "200 OK"
    assert looked == ["connection", "connection", "began", "ended", "connection", "connection"]


def listen_to_nothing(*, sender: Any, **_: Any) -> None:
    """As a package might that is added."""


def test_django_is_told_where_it_listens_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_way, "AT_END", Listeners(request_finished, djangos={close_old_connections}))
    told: list[Any] = []
    monkeypatch.setattr(request_finished, "send", lambda sender: told.append(sender))
    assert call(application)[0] == "200 OK"
    assert told == [QuickHandler]


def test_statements_of_an_earlier_request_are_not_kept() -> None:
    connection.force_debug_cursor = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'of an earlier request'")
        call(application)
        assert not [each for each in connection.queries if "of an earlier request" in each["sql"]]
    finally:
        connection.force_debug_cursor = False


def test_a_cache_of_ours_keeps_its_connections(settings: Settings) -> None:
    # Else its connections would have to be closed at the end of each request, which Django is spared.
    assert not getattr(settings, "DJANGO_REDIS_CLOSE_CONNECTION", False)
    for each in settings.CACHES.values():
        assert each["BACKEND"] == "django_redis.cache.RedisCache"
        assert "CLOSE_CONNECTION" not in each["OPTIONS"]


def test_a_request_finds_its_connection_once_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def view(request: HttpRequest) -> HttpResponse:
        found.append(own_connection())
        with monkeypatch.context() as patch:
            patch.setattr(own, "connections", {})
            found.append(own_connection())
        return HttpResponse()

    monkeypatch.setattr(short_way, "graphql_view", view)
    call(application)
    assert found[0] is found[1] is connections["default"]
    assert own_connection() is connections["default"]
    with found_once() as database, ThreadPoolExecutor(1) as others:
        # What begins meanwhile in another thread has its own.
        assert others.submit(own_connection).result() is not database


def test_the_whole_answer_is_there_at_once() -> None:
    # Servers send a list in one piece, and go through anything else step by step.
    environ = {**RequestFactory().post("/graphql", QUERY, content_type="application/json").environ}
    answer = application(environ, lambda status, headers, error=None: None)
    assert type(answer) is list
    assert len(answer) == 1


def test_whoever_listens_hears_of_a_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    heard: list[Any] = []

    def listen(request: HttpRequest, **_: Any) -> None:
        heard.append((request.path, request.method, sys.exc_info()[0]))

    monkeypatch.setattr(short_way, "graphql_view", fail)
    got_request_exception.connect(listen)
    try:
        with caplog.at_level(logging.ERROR, "django.request"):
            status, headers, _ = call(application)
    finally:
        got_request_exception.disconnect(listen)
    assert status == "500 Internal Server Error"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert heard == [("/graphql", "POST", ZeroDivisionError)]
    assert [each.getMessage() for each in caplog.records if each.name == "django.request"] == [
        "A page could not be answered"
    ]


@pytest.mark.parametrize("dsn", ["", "https://key@reports.example/1"])
def test_reports_are_hung_up_on_djangos_own_handler(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    settings.SENTRY_DSN = dsn
    passed: list[str] = []
    django = WSGIHandler.__call__

    def note(self: Any, *arguments: Any) -> Any:
        passed.append(type(self).__name__)
        return django(self, *arguments)

    monkeypatch.setattr(WSGIHandler, "__call__", note)
    assert call(with_short_way(whole))[0] == "200 OK"
    assert passed == (["PostHandler"] if dsn else [])


def test_all_else_takes_the_whole_way() -> None:
    status, headers, _ = call(application, PATH_INFO="/admin/login/", REQUEST_METHOD="GET")
    assert status == "200 OK"
    assert "csrftoken" in headers["Set-Cookie"]


def test_only_what_is_for_browsers_is_left_out() -> None:
    assert set(settings.MIDDLEWARE) - set(settings.API_MIDDLEWARE) == settings.NOT_FOR_API
    # Of what CommonMiddleware does beside looking at hosts and counting bytes, nothing is asked for.
    assert not settings.DISALLOWED_USER_AGENTS
    assert not settings.PREPEND_WWW


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
