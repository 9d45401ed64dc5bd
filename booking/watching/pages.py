"""/healthz, /readyz and /metrics, for any server: beside the requests, so that probes do not wait in line behind them.

answer = page("GET", "/readyz", authorization="")        Page(status=200, ...)
"""

import hmac
from dataclasses import dataclass, field

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from booking.shutdown import is_stopping
from booking.watching.exposition import CONTENT_TYPE, exposition
from booking.watching.health import OK, readiness

PATHS = ("/healthz", "/readyz", "/metrics")
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    media: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        return {
            "Content-Type": self.media,
            "Content-Length": str(len(self.body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **self.headers,
        }


def page(method: str, path: str, *, authorization: str, with_system: bool = True) -> Page:
    """The answer. /metrics is open to who sends METRICS_TOKEN as the bearer's token, and absent where that is not set."""
    if path not in PATHS or (path == "/metrics" and not settings.METRICS_TOKEN):
        return Page(404, TEXT, b"Not found.\n")
    if method not in {"GET", "HEAD"}:
        return Page(405, TEXT, b"Use GET.\n", {"Allow": "GET, HEAD"})
    if is_stopping() and path != "/metrics":
        # Whoever sends requests here is to send them elsewhere.
        return Page(503, JSON, orjson.dumps({"status": "stopping"}))
    if path == "/healthz":
        return Page(200, JSON, orjson.dumps({"status": "alive"}))
    if path == "/readyz":
        checks = readiness()
        is_ready = all(said == OK for said in checks.values())
        body = {"status": "ready" if is_ready else "not ready", "checks": checks}
        return Page(200 if is_ready else 503, JSON, orjson.dumps(body))
    if not _may_read(authorization):
        return Page(401, TEXT, b"Send the token.\n", {"WWW-Authenticate": 'Bearer realm="metrics"'})
    return Page(200, CONTENT_TYPE, exposition(with_system=with_system))


def _may_read(authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    given = token.strip().encode("utf-8", "replace")
    return scheme.lower() == "bearer" and hmac.compare_digest(given, settings.METRICS_TOKEN.encode())


def watching_page(request: HttpRequest) -> HttpResponse:
    """The same where the product is served by `booking.wsgi` alone."""
    answer = page(
        request.method or "", request.path, authorization=request.headers.get("Authorization", ""), with_system=True
    )
    return HttpResponse(answer.body, status=answer.status, headers=answer.all_headers())
