"""The short way to `/graphql` for those who post: what signs browsers in and out, and serves files, is left out of it."""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponseBase
from django.urls import ResolverMatch
from django.utils.module_loading import import_string

from schema.views import graphql_view

PATH = "/graphql"
MATCH = ResolverMatch(graphql_view, (), {}, route=PATH.removeprefix("/"))

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class PostHandler(WSGIHandler):
    """Django's handler with the middleware of API_MIDDLEWARE and one view, which is not looked for."""

    def load_middleware(self, is_async: bool = False) -> None:
        handler = convert_exception_to_response(_view)
        for path in reversed(settings.API_MIDDLEWARE):
            handler = convert_exception_to_response(import_string(path)(handler))
        self._middleware_chain = handler


def _view(request: HttpRequest) -> HttpResponseBase:
    request.resolver_match = MATCH
    return graphql_view(request)


def with_short_way(application: Application) -> Application:
    """The application, with posts to `/graphql` taken out of it."""
    post = PostHandler()

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == PATH and environ["REQUEST_METHOD"] == "POST":
            return post(environ, start_response)
        return application(environ, start_response)

    return serve
