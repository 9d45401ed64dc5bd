"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says where to: from the request through the operation and
its SQL to the jobs that it promised. Without it nothing of OpenTelemetry is even imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponseBase

from apps.core import correlation
from booking.watching import logs
from schema.core import watching

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

SERVICE = "holdfast"
# What of the trace travels with a job.
CARRIED = ("traceparent", "tracestate")

tracer: Tracer | None = None


def start(url: str) -> None:
    """Begin to trace, once in a process. `url` is that of the collector, without the path of a signal."""
    global tracer
    if tracer is not None:
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    class WithoutLooseStatements(BatchSpanProcessor):
        """Statements that belong to no request and no job are the looking around of idle processes."""

        def on_end(self, span: ReadableSpan) -> None:
            if span.parent is not None or span.kind is not trace.SpanKind.CLIENT:
                super().on_end(span)

    name = os.environ.get("OTEL_SERVICE_NAME", "").strip() or SERVICE
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(WithoutLooseStatements(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
    trace.set_tracer_provider(provider)
    Psycopg2Instrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    CeleryInstrumentor().instrument(tracer_provider=provider)
    tracer = watching.tracer = provider.get_tracer(SERVICE)
    correlation.inject, correlation.resume = _inject, _resume
    logs.trace_id = _trace_id


def traced_request(
    request: HttpRequest,
    get_response: Callable[[HttpRequest], HttpResponseBase],
    route_of: Callable[[HttpRequest], str],
) -> HttpResponseBase:
    """The response, in a span that goes on with the trace that the caller has begun."""
    from opentelemetry import propagate, trace

    assert tracer is not None, "traces were started"
    given = {name: value for name in CARRIED if (value := request.headers.get(name))}
    with tracer.start_as_current_span("HTTP", context=propagate.extract(given), kind=trace.SpanKind.SERVER) as span:
        response = get_response(request)
        route = route_of(request)
        span.update_name(f"{request.method} {route}")
        span.set_attribute("http.request.method", str(request.method))
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", response.status_code)
        span.set_attribute("holdfast.request", correlation.request_id())
        if response.status_code >= 500:
            span.set_status(trace.StatusCode.ERROR)
        return response


def _inject(carried: dict[str, str]) -> None:
    from opentelemetry import propagate

    found: dict[str, str] = {}
    propagate.inject(found)
    carried.update({name: found[name] for name in CARRIED if name in found})


@contextmanager
def _resume(carried: Mapping[str, str]) -> Iterator[None]:
    from opentelemetry import context, propagate

    token = context.attach(propagate.extract(carried))
    try:
        yield
    finally:
        context.detach(token)


def _trace_id() -> str:
    from opentelemetry import trace

    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""
