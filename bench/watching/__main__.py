"""What watching costs one request, in microseconds of processor time: `python -m bench.watching`. Needs no server.

Best of several rounds, so that other work on the machine does not count. METRICS_TOKEN, LOG_FORMAT and ACCESS_LOG are taken
from the environment as the product takes them.
"""

import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime

ROUNDS, CALLS = 15, 2_000
DEFAULTS = {
    "SECRET_KEY": "bench-" * 10,
    "MODE": "test",
    "DATABASE_URL": "postgresql://bench:bench@127.0.0.1:1/bench",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "STRIPE_SECRET_KEY": "sk_test_bench",
    "STRIPE_WEBHOOK_SECRET": "whsec_bench",
    "METRICS_TOKEN": "bench-0123456789",
    "METRICS_DIR": tempfile.mkdtemp(prefix="holdfast-bench-"),
    "LOG_FORMAT": "json",
}


def microseconds(call: Callable[[], object]) -> float:
    best = float("inf")
    gc.disable()
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CALLS):
            call()
        best = min(best, time.process_time() - began)
    return best / CALLS * 1e6


def main() -> None:
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ["DJANGO_SETTINGS_MODULE"] = "booking.settings"
    import django

    django.setup()
    from django.http import HttpRequest, HttpResponse
    from django.test import RequestFactory
    from django.urls import resolve

    from apps.core.correlation import Work, working_on
    from booking.watching import apps
    from booking.watching.middleware import WatchMiddleware
    from schema.core.context import Context
    from schema.core.engine import Answer, Operation
    from schema.core.watching import entered, watch

    request = RequestFactory().post("/graphql")
    operation = Operation(query="")
    now = datetime.now(UTC)

    def carry_out(operation: Operation, context: Context) -> Answer:
        context.points = 3
        return Answer({}, [], {}, executed=True)

    def named(operation: Operation, context: Context) -> Answer:
        entered(context, "listings")
        return carry_out(operation, context)

    def bare(request: HttpRequest) -> HttpResponse:
        request.resolver_match = match
        carry_out(operation, Context(now=now))
        return HttpResponse()

    def watched(request: HttpRequest) -> HttpResponse:
        request.resolver_match = match
        watch(named, operation, Context(now=now))
        return HttpResponse()

    match = resolve("/graphql")
    middleware = WatchMiddleware(watched)
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - as long as the process
    for handler in __import__("logging").getLogger().handlers:
        handler.setStream(sys.stderr)
    without, with_all = microseconds(lambda: bare(request)), microseconds(lambda: middleware(request))
    execute = lambda *_: None  # noqa: E731
    with working_on(Work(request_id="bench")):
        statement = microseconds(lambda: apps._count_statement(execute, "", (), False, {}))
        statement -= microseconds(lambda: execute("", (), False, {}))
    print(
        f"a request: {with_all - without:.1f} us ({without:.1f} without, {with_all:.1f} with); a statement: {statement:.2f} us"
    )


if __name__ == "__main__":
    main()
