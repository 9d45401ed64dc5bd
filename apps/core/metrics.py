"""What is counted of the product's own doings. `booking.watching` shows it, with what the database and the broker say.

Labels come from sets that the code or the operator bounds, never from what a client sent. Names end as Prometheus wants
them: `_total` is added to counters, times are in seconds. With METRICS_TOKEN the values of all processes of a machine are
kept in files of METRICS_DIR (`prometheus_client`'s multiprocess mode); else in this process.
"""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.db import transaction

# The settings say where values are kept, and prometheus_client asks when it is imported, once and for all.
_IS_SHARED = bool(settings.METRICS_TOKEN)

from prometheus_client import Counter, Gauge, Histogram  # noqa: E402

OPERATIONS = Counter(
    "holdfast_operations",
    "Operations answered. outcome: ok, refused (the caller's fault) or failed (ours).",
    ["operation", "outcome"],
)
OPERATION_SECONDS = Histogram(
    "holdfast_operation_seconds",
    "How long an operation took, from the parsed request to the answer.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
OPERATION_POINTS = Counter("holdfast_operation_points", "What operations cost, in points.", ["operation"])
OPERATION_STATEMENTS = Counter(
    "holdfast_operation_statements", "What the database was asked for operations.", ["operation"]
)
REQUEST_ERRORS = Counter("holdfast_request_errors", "Top-level errors, by extensions.code.", ["code"])
USER_ERRORS = Counter("holdfast_user_errors", "Inputs that were refused in a payload, by their code.", ["code"])
RESPONSES = Counter("holdfast_http_responses", "HTTP answers, by the route they came from.", ["route", "status"])
RATE_LIMIT_REFUSALS = Counter("holdfast_rate_limit_refusals", "Callers told to come later, by the limit.", ["limit"])
CACHE_READS = Counter(
    "holdfast_cache_reads",
    "Answers and fields looked for in what is kept. outcome: hit, miss, stale (something had changed), bypass (not allowed "
    "to look) or error (Redis failed).",
    ["policy", "outcome"],
)
BOOKING_EVENTS = Counter("holdfast_booking_events", "Steps in the lives of bookings.", ["kind", "type"])
CHARGE_RESULTS = Counter("holdfast_charge_results", "What the card processor said of charges.", ["status"])
REFUND_RESULTS = Counter("holdfast_refund_results", "What the card processor said of refunds.", ["status"])
OVERSOLD = Gauge(
    "holdfast_oversold",
    "What cannot be, counted once an hour. what: overlap (of allocations), stock (miscounted) or guard (a constraint missing).",
    ["what"],
    multiprocess_mode="mostrecent",
)
ROWS_FORGOTTEN = Counter("holdfast_rows_forgotten", "Rows deleted because they were kept for long enough.", ["sort"])
TASKS = Counter("holdfast_tasks", "Jobs and sweeps carried out. outcome: ok, retried or failed.", ["task", "outcome"])
TASK_SECONDS = Histogram(
    "holdfast_task_seconds",
    "How long a job or sweep took.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120),
)
TASK_LAST_SUCCESS = Gauge(
    "holdfast_task_last_success_timestamp_seconds",
    "When a job or sweep last went well.",
    ["task"],
    multiprocess_mode="max",
)
OPEN_SOCKETS = Gauge(
    "holdfast_open_sockets",
    "Connections that wait for what is pushed: websocket or events.",
    ["transport"],
    multiprocess_mode="livesum",
)
SOCKETS_REFUSED = Counter("holdfast_sockets_refused", "Connections turned away for want of room.", ["transport"])


def count_on_commit(counter: Counter, *labels: str) -> None:
    """Count it once the transaction commits: what is rolled back did not happen."""
    transaction.on_commit(partial(_count, counter, labels), robust=True)


def _count(counter: Counter, labels: tuple[str, ...]) -> None:
    counter.labels(*labels).inc()
