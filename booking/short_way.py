"""The fast path to `/graphql` for those who post: what signs browsers in and out, and serves files, is left out of it.

What is known of a post to one address is not found out again: where it goes, and that it is read whole. Where errors are reported
(SENTRY_DSN), Django's own handler serves it, which is what the reports are hung up on.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BytesIO
from typing import Any, cast
from weakref import ReferenceType

from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import LimitedStream, WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponseBase
from django.http.request import UnreadablePostError
from django.urls import ResolverMatch
from django.utils.log import log_response
from django.utils.module_loading import import_string

from apps.core.postgres.own import found_once, own_connection
from schema.views import graphql_view

PATH = "/graphql"
# In bytes: less than DATA_UPLOAD_MAX_MEMORY_SIZE, which only what is larger needs to be held against.
ALWAYS_READ = 1_000_000
MOST_HOSTS = 100
MATCH = ResolverMatch(graphql_view, (), {}, route=PATH.removeprefix("/"))

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class PostHandler(WSGIHandler):
    """Django's handler with the middleware of API_MIDDLEWARE and one view, which is not looked for."""

    def load_middleware(self, is_async: bool = False) -> None:
        handler = convert_exception_to_response(_common(convert_exception_to_response(_view)))
        for path in reversed(settings.API_MIDDLEWARE):
            handler = convert_exception_to_response(import_string(path)(handler))
        self._middleware_chain = handler


class Post(WSGIRequest):
    """A request whose method and address are known, on a server that puts it under no prefix."""

    _get_raw_host: Callable[[], str]
    _set_content_type_params: Callable[[dict[str, Any]], None]

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = self.META = environ
        self.path = self.path_info = PATH
        self.method = "POST"
        self.resolver_match = MATCH
        self._set_content_type_params(environ)
        length = environ.get("CONTENT_LENGTH") or "0"
        self._length = int(length) if length.isdecimal() else 0
        self._stream: Any = LimitedStream(environ["wsgi.input"], self._length)
        self._read_started = False

    @property
    def body(self) -> bytes:
        """Raises as Django does, RequestDataTooBig and UnreadablePostError among others."""
        if self._read_started or self._length > ALWAYS_READ:
            return super().body
        try:
            self._body = self.read()
        except OSError as error:
            raise UnreadablePostError(*error.args) from error
        self._stream = BytesIO(self._body)
        return self._body

    def get_host(self) -> str:
        """Raises DisallowedHost. One that was let in is let in until the hosts change that are."""
        host = self._get_raw_host()
        key = (host, *settings.ALLOWED_HOSTS)
        if key not in _let_in:
            host = super().get_host()
            if len(_let_in) >= MOST_HOSTS:
                _let_in.clear()
            _let_in.add(key)
        return host


# By what they are called, and by who is let in.
_let_in: set[tuple[str, ...]] = set()


class Listeners:
    """Who listens to a signal that is sent of every request: whether that is Django alone, who then need not be told."""

    def __init__(self, signal: Signal, *, djangos: set[Callable[..., None]]) -> None:
        self._signal = signal
        self._djangos = djangos
        self._seen: list[Any] = []

    def is_django_alone(self) -> bool:
        """Whether all that Django does would be done, and nobody else is left out."""
        present = self._signal.receivers
        if present != self._seen:
            # Each stands beside what tells it from others, as it is or behind a weak reference.
            listening = (each[1]() if isinstance(each[1], ReferenceType) else each[1] for each in present)
            if set(listening) != self._djangos:
                return False
            self._seen = present.copy()
        return True


AT_BEGINNING = Listeners(request_started, djangos={reset_queries, close_old_connections})
AT_END = Listeners(request_finished, djangos={close_old_connections, close_caches, reset_urlconf})


def begin(handler: type, environ: dict[str, Any]) -> None:
    """Let a request begin: as Django does it, whose signal goes through all listeners and connections for it."""
    if not AT_BEGINNING.is_django_alone():
        request_started.send(sender=handler, environ=environ)
        return
    database = own_connection()
    if database.queries_logged:
        reset_queries()
    database.close_if_unusable_or_obsolete()


def end(response: Any) -> None:
    """Let it end, and close what the response holds."""
    if not AT_END.is_django_alone():
        response.close()
        return
    closers = response._resource_closers
    for close in closers:
        with suppress(Exception):
            close()
    closers.clear()
    response.closed = True
    # On this way nobody has said which addresses count, and our cache keeps its connections.
    own_connection().close_if_unusable_or_obsolete()


class QuickHandler(PostHandler):
    """The same, with nothing asked that is known of a `Post`."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        with found_once():
            return self._serve(environ, start_response)

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        begin(self.__class__, environ)
        request = Post(environ)
        response: Any = self._middleware_chain(request)
        response._resource_closers.append(request.close)
        # Who sends the signal at its end.
        response._handler_class = self.__class__
        if response.status_code >= 400:
            log_response("%s: %s", response.reason_phrase, PATH, response=response, request=request)
        headers = list(response.headers._store.values())
        headers += (("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values())
        start_response(f"{response.status_code} {response.reason_phrase}", headers)
        if response.streaming:
            return response
        # A list is known to be the whole answer, which servers send at once; nobody closes it.
        whole = [response.content]
        end(response)
        return whole


def _common(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], HttpResponseBase]:
    """What Django's CommonMiddleware does here: hosts that are not ours are refused, and an answer tells how long it is."""

    def serve(request: HttpRequest) -> HttpResponseBase:
        request.get_host()
        response = get_response(request)
        if not response.streaming:
            response.headers["Content-Length"] = str(len(response.content))
        return cast(HttpResponseBase, response)

    return serve


def _view(request: HttpRequest) -> HttpResponseBase:
    request.resolver_match = MATCH
    return graphql_view(request)


def with_short_way(application: Application) -> Application:
    """The application, with posts to `/graphql` taken out of it."""
    post = PostHandler() if settings.SENTRY_DSN else QuickHandler()

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == PATH and environ["REQUEST_METHOD"] == "POST" and not environ.get("SCRIPT_NAME"):
            return post(environ, start_response)
        return application(environ, start_response)

    return serve
