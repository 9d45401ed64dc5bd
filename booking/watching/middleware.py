"""The first middleware: gives each request a name, counts its answer and writes it into the access log."""

import functools
import logging
import re
from collections.abc import Callable
from time import perf_counter, time

from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest, HttpResponseBase

from apps.core import correlation
from apps.core.correlation import Work
from apps.core.metrics import RESPONSES
from booking.watching import traces
from booking.watching.logs import ACCESS, AccessRecord

access = logging.getLogger(ACCESS)

METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
CONVERTER = re.compile(r"<\w+:")
GetResponse = Callable[[HttpRequest], HttpResponseBase]


class WatchMiddleware:
    """Knows a request by its `X-Request-Id`, where that is a sane name, and says the name it goes by in the answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = correlation.begin(Work(request_id=correlation.sane_id(request.META.get("HTTP_X_REQUEST_ID"))))
        try:
            if traces.tracer is None:
                return self._serve(request)
            return traces.traced_request(request, self._serve, route_of)
        finally:
            correlation.end(token)

    def _serve(self, request: HttpRequest) -> HttpResponseBase:
        started = perf_counter()
        response = self.get_response(request)
        work = correlation.current()
        assert work is not None, "it has just begun"
        response["X-Request-Id"] = work.request_id
        route, status = route_of(request), response.status_code
        _counter(route, status).inc()
        if access.isEnabledFor(logging.INFO):
            _write(request, work, route, status, (perf_counter() - started) * 1000)
        return response


def _write(request: HttpRequest, work: Work, route: str, status: int, milliseconds: float) -> None:
    method = request.method if request.method in METHODS else "other"
    said = f"{method} {route} {status} {milliseconds:.1f} ms"
    fields = {"method": method, "path": route, "status": status, "ms": round(milliseconds, 2)}
    if work.operation:
        said = f"{said} {work.operation} {work.points} points"
        fields["points"] = work.points
        fields["statements"] = work.statements
    access.handle(AccessRecord(said, fields, at=time()))


# Answers by route and status: both come from the code.
_counter = functools.cache(lambda route, status: RESPONSES.labels(route, str(status)))


def route_of(request: HttpRequest) -> str:
    """Which of our addresses it is, without what is secret in it: /receipts/<address>. "none" for all that is not ours."""
    match = request.resolver_match
    return _readable(match.route) if match is not None else "none"


@functools.lru_cache(maxsize=1000)
def _readable(route: str) -> str:
    return simplify_regex(CONVERTER.sub("<", route)).replace("\\", "")
