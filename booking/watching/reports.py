"""Reports of errors to Sentry, where SENTRY_DSN says where to: the trace and the ids, nothing that came with the request."""

from typing import Any

from apps.core import correlation
from booking.watching.logs import redacted


def start(dsn: str, *, environment: str) -> None:
    """Begin to report. Without a DSN nothing of Sentry is even imported."""
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.integrations.django import DjangoIntegration

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_enabling_integrations=False,
        integrations=[
            DjangoIntegration(middleware_spans=False, signals_spans=False),
            CeleryIntegration(propagate_traces=False),
        ],
        before_send=without_people,
    )


def without_people(event: Any, _hint: Any) -> Any:
    """What may be told of an error: of its request only the method, of its people only their number here."""
    request = event.pop("request", None) or {}
    for key in ("user", "server_name", "breadcrumbs", "modules", "extra"):
        event.pop(key, None)
    event.get("contexts", {}).pop("celery-job", None)
    if "method" in request:
        event["request"] = {"method": request["method"]}
    event = _redacted(event)
    present = correlation.current()
    if present is not None:
        event["tags"] = {
            **(event.get("tags") or {}),
            "request": present.request_id,
            "operation": present.operation or "none",
        }
        if present.user_id is not None:
            event["user"] = {"id": str(present.user_id)}
    # Addresses of pages name what is secret.
    event.pop("transaction", None)
    return event


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: _redacted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each) for each in value]
    return value
