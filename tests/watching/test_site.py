"""The running product is watched from outside: probes, metrics, logs, traces and reports, of real processes."""

import gzip
import json
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from apps.payments.models import Charge
from booking.queues import QUEUES
from schema.core.ids import to_global_id
from tests.live.clients import greeted, run
from tests.recipes import PASSWORD, make_event, make_guest
from tests.serving import eventually
from tests.watching.conftest import THREADS, TOKEN, Watched, get

pytestmark = pytest.mark.django_db(transaction=True)

SIGN_IN = "mutation($e: String!, $p: String!) { tokenAuth(email: $e, password: $p) { token refreshToken } }"
BOOK = "mutation($input: BookEventInput!) { bookEvent(input: $input) { booking { id } errors { code } } }"
PAY = "mutation($input: PayBookingInput!) { payBooking(input: $input) { payment { status } errors { code } } }"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SUCCEEDED = 'holdfast_charge_results_total{status="SUCCEEDED"}'


def send(watched: Watched, query: str, variables: dict[str, Any], **headers: str) -> tuple[dict[str, Any], Any]:
    """The body and the headers of the answer."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    named = {"Content-Type": "application/json", **{key.replace("_", "-"): text for key, text in headers.items()}}
    with urllib.request.urlopen(
        urllib.request.Request(f"{watched.site.url}/graphql", body, named), timeout=300
    ) as answer:
        return json.load(answer), answer.headers


def metrics(url: str) -> dict[str, float]:
    """Each sample, by how it is written."""
    status, text = get(f"{url}/metrics", Authorization=f"Bearer {TOKEN}")
    assert status == 200, text
    return {
        sample.name
        + ("{" + ",".join(f'{key}="{each}"' for key, each in sorted(sample.labels.items())) + "}")
        * bool(sample.labels): (sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def entries(watched: Watched, name: str) -> list[dict[str, Any]]:
    """The log of our own processes: the server's own lines are no JSON."""
    return [json.loads(line) for line in watched.log(name).splitlines() if line.startswith("{")]


def spans(watched: Watched) -> list[Any]:
    found = []
    for message in watched.collector.at("/v1/traces"):
        raw = gzip.decompress(message.raw) if message.headers.get("content-encoding") == "gzip" else message.raw
        for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
            found += [span for scope in resource.scope_spans for span in scope.spans]
    return found


def test_a_payment_leaves_metrics_logs_and_one_trace_and_nobodys_data(watched: Watched) -> None:
    event = make_event(price_minor=1500, starts_at=datetime.now(UTC) + timedelta(days=9))
    guest = make_guest(
        password=PASSWORD, email="ada.secretive@example.org", first_name="Adalberta", last_name="Lovelacey"
    )
    before = metrics(watched.site.url)
    signed_in, _ = send(watched, SIGN_IN, {"e": guest.email, "p": PASSWORD})
    token = signed_in["data"]["tokenAuth"]["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    given = {"eventId": to_global_id("Event", event.pk), "tickets": 1, "idempotencyKey": "key-of-ada-1"}
    booked, _ = send(watched, BOOK, {"input": given}, **bearer)
    pay = {"bookingId": booked["data"]["bookEvent"]["booking"]["id"], "paymentMethod": "pm_card_visa"}
    traced = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X_Request_Id": "order-4711.a"}
    paid, headers = send(watched, PAY, {"input": pay}, **bearer, **traced)
    assert paid["data"]["payBooking"]["errors"] == []
    assert headers["X-Request-Id"] == "order-4711.a"
    eventually(lambda: Charge.objects.filter(status="SUCCEEDED").exists(), "the payment went through")

    # Metrics: of all processes of the machine, whichever is asked, and the ledgers' at the web server alone.
    eventually(lambda: metrics(watched.site.url).get(SUCCEEDED), "the charge is counted")
    now = metrics(watched.site.url)
    grown = {name: value - before.get(name, 0) for name, value in now.items()}
    assert grown['holdfast_operations_total{operation="payBooking",outcome="ok"}'] == 1
    assert grown['holdfast_operation_seconds_count{operation="payBooking"}'] == 1
    assert grown['holdfast_operation_statements_total{operation="payBooking"}'] > 3
    assert grown['holdfast_http_responses_total{route="/graphql",status="200"}'] >= 3
    assert grown['holdfast_booking_events_total{kind="EVENT",type="CONFIRMED"}'] == 1
    assert grown[SUCCEEDED] == 1
    assert now["holdfast_outbox_oldest_seconds"] < 60
    assert (now['holdfast_part_up{part="database"}'], now['holdfast_part_up{part="queues"}']) == (1, 1)
    assert {f'holdfast_queue_depth{{queue="{queue}"}}' for queue in QUEUES} <= set(now)
    worker = metrics(watched.worker)
    assert worker['holdfast_tasks_total{outcome="ok",task="bookings.carry_out_payment"}'] >= 1
    assert "holdfast_outbox_oldest_seconds" not in worker

    # Logs: the request by its name in every process that worked for it.
    lines = entries(watched, "web") + entries(watched, "worker")
    access = [line for line in lines if line["logger"] == "holdfast.access" and line.get("request") == "order-4711.a"]
    assert [(line["method"], line["path"], line["status"], line["operation"]) for line in access] == [
        ("POST", "/graphql", 200, "payBooking")
    ]
    assert access[0]["user"] == guest.pk
    assert access[0]["trace"] == TRACE
    assert access[0]["ms"] > 0
    jobs = [line for line in entries(watched, "worker") if line.get("request") == "order-4711.a"]
    assert "bookings.carry_out_payment" in {line["operation"] for line in jobs}
    assert {line["trace"] for line in jobs} == {TRACE}
    said = watched.log("web") + watched.log("worker") + watched.log("beat")
    for secret in (guest.email, "Adalberta", "Lovelacey", PASSWORD, token, "key-of-ada", "pm_card_visa", TOKEN):
        assert secret not in said, secret

    # Traces: one, whole, from the caller's span through ours to the worker's.
    def in_trace() -> list[Any]:
        return [span for span in spans(watched) if span.trace_id.hex() == TRACE]

    eventually(lambda: any("carry_out" in span.name and span.kind == 5 for span in in_trace()), "the worker's span")
    time.sleep(0.5)  # the rest of the worker's batch
    mine = in_trace()
    known = {span.span_id.hex() for span in mine} | {CALLER}
    assert [span.name for span in mine if span.parent_span_id.hex() not in known] == []
    names = [span.name for span in mine]
    assert "POST /graphql" in names
    assert "graphql payBooking" in names
    by_id = {span.span_id: span for span in mine}

    def above(span: Any) -> list[str]:
        return [span.name, *above(by_id[span.parent_span_id])] if span.parent_span_id in by_id else [span.name]

    statements = [above(span) for span in mine if span.name.startswith("UPDATE")]
    worked = [path for path in statements if "run/bookings.carry_out_payment" in path]
    assert worked, names
    assert worked[0][-2:] == ["graphql payBooking", "POST /graphql"], worked[0]
    assert guest.email not in str(mine)


def test_only_who_has_the_token_reads_metrics(watched: Watched) -> None:
    for url in (watched.site.url, watched.worker):
        assert get(f"{url}/metrics")[0] == 401
        assert get(f"{url}/metrics", Authorization=f"Bearer {TOKEN}x")[0] == 401
        assert get(f"{url}/metrics", Authorization=f"Basic {TOKEN}")[0] == 401
        assert get(f"{url}/metrics", Authorization="Bearer \xfc")[0] == 401
        assert get(f"{url}/metrics", Authorization=f"bearer {TOKEN}")[0] == 200
        assert get(f"{url}/healthz") == (200, '{"status":"alive"}')


def test_open_sockets_are_counted_until_they_close(watched: Watched) -> None:
    name = 'holdfast_open_sockets{transport="websocket"}'

    async def test() -> None:
        async with greeted(watched.site.url):
            assert metrics(watched.site.url)[name] == 1

    run(test())
    eventually(lambda: metrics(watched.site.url)[name] == 0, "the socket is gone")


def test_readiness_says_what_is_missing_and_liveness_hangs_on_nothing(watched: Watched) -> None:
    well = dict.fromkeys(["database", "migrations", "redis", "broker"], "ok")

    def ready(url: str) -> tuple[int, dict[str, str], float]:
        began = time.monotonic()
        status, body = get(f"{url}/readyz")
        for secret in ("127.0.0.1", "holdfast", "watch", str(watched.database.port), str(watched.redis.port)):
            assert secret not in body
        return status, json.loads(body)["checks"], time.monotonic() - began

    urls = (watched.site.url, watched.worker)
    for url in urls:
        assert ready(url)[:2] == (200, well)
    watched.database.cut()
    try:
        for url in urls:
            assert ready(url)[:2] == (503, {**well, "database": "away", "migrations": "away"})
            assert get(f"{url}/healthz")[0] == 200
        assert metrics(watched.site.url)['holdfast_part_up{part="database"}'] == 0
    finally:
        watched.database.mend()
    # Nothing is refused and nothing answered: a lost network.
    watched.database.freeze()
    asking = [
        threading.Thread(
            target=get, args=(f"{watched.site.url}/graphql?query={{listings{{totalCount}}}}",), daemon=True
        )
        for _ in range(2 * THREADS)
    ]
    try:
        # Every thread that serves requests waits for the database, and more requests wait for a thread.
        for each in asking:
            each.start()
        time.sleep(0.5)
        for url in urls:
            status, checks, seconds = ready(url)
            assert (status, checks) == (503, {**well, "database": "no answer", "migrations": "no answer"})
            assert seconds < 15, seconds
            assert get(f"{url}/healthz")[0] == 200
        assert any(each.is_alive() for each in asking)
    finally:
        watched.database.thaw()
    for each in asking:
        each.join(300)
    for url in urls:
        eventually(lambda url=url: ready(url)[0] == 200, "it is ready again")  # type: ignore[misc]
    # Celery may give up a worker whose broker is gone in the middle of a job: whoever runs it starts it again.
    watched.kill_redis()
    try:
        assert ready(watched.site.url)[:2] == (503, {**well, "redis": "away", "broker": "away"})
        assert get(f"{watched.site.url}/healthz")[0] == 200
        assert metrics(watched.site.url)['holdfast_part_up{part="queues"}'] == 0
    finally:
        watched.start_redis()
    eventually(lambda: ready(watched.site.url)[0] == 200, "Redis is back")


def test_a_bug_is_reported_without_what_came_with_the_request(watched: Watched) -> None:
    asked = {
        "Authorization": "Bearer abc.def.ghi-of-ada",
        "Cookie": "sessionid=cookie-of-ada",
        "X_Request_Id": "broken-4712",
        "User_Agent": "agent-of-ada",
    }
    watched.database.cut()
    try:
        answer, _ = send(
            watched, 'query AdaAsks { booking(id: "secret-of-ada") { id } listings { totalCount } }', {}, **asked
        )
    finally:
        watched.database.mend()
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"INTERNAL"}
    assert {error["extensions"]["id"].partition("_")[0] for error in answer["errors"]} <= {
        "broken-4712",
        "broken-4712-2",
    }

    def reports() -> list[str]:
        return [
            (gzip.decompress(each.raw) if each.headers.get("content-encoding") == "gzip" else each.raw).decode()
            for each in watched.collector.at("/api/7/envelope/")
        ]

    found = eventually(lambda: [each for each in reports() if "broken-4712" in each], "it is reported")[0]
    assert "OperationalError" in found
    for secret in ("of-ada", "AdaAsks", "cookie", "agent"):
        assert secret not in found, secret
