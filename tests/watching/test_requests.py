"""Each request has a name, which its answer, its jobs and its errors carry; paths that are secret are in no log."""

import logging
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from apps.core import correlation, outbox
from apps.core.correlation import REQUEST_ID, Work, working_on
from apps.core.metrics import BOOKING_EVENTS, count_on_commit
from apps.core.models import OutboxMessage
from booking import celery_app
from tests.recipes import make_guest

SECRET = "0af7651916cd43dd8448eb211c80319c0af7651916cd43dd8448eb211c80319c"
ASK = {"query": "{ __typename }"}


@pytest.mark.django_db
def test_the_answer_says_the_name_of_the_request(client: Client) -> None:
    given = client.post("/graphql", ASK, "application/json", headers={"X-Request-Id": "order-4711"})
    assert given["X-Request-Id"] == "order-4711"
    made = client.post("/graphql", ASK, "application/json", headers={"X-Request-Id": "no good\tname"})
    assert correlation.SANE.fullmatch(made["X-Request-Id"])
    assert client.get("/nowhere")["X-Request-Id"] != made["X-Request-Id"]


@pytest.mark.django_db
def test_a_bug_is_answered_with_the_name_of_its_request(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("schema.views.read_request", broken)
    answer = client.post("/graphql", ASK, "application/json", headers={"X-Request-Id": "order-4711"})
    assert answer.json()["errors"][0]["extensions"] == {"code": "INTERNAL", "id": "order-4711"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/calendars/{SECRET}.ics", "/calendars/<address>.ics"),
        (f"/receipts/{SECRET}", "/receipts/<address>"),
        ("/auth/name-of-ada/callback?code=code-of-ada", "/auth/<name>/callback"),
        (f"/nowhere/{SECRET}?token={SECRET}", "none"),
        ("/graphql?query={__typename}", "/graphql"),
    ],
)
def test_the_access_log_names_pages_and_no_secrets(
    path: str, shown: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    status = client.get(path).status_code
    lines = [record for record in caplog.records if record.name == "holdfast.access"]
    assert [(line.fields["path"], line.fields["status"]) for line in lines] == [(shown, status)]  # type: ignore[attr-defined]
    assert SECRET not in caplog.text
    assert "of-ada" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_job_carries_the_name_of_its_request_and_keeps_it_while_the_broker_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[dict[str, str]] = []
    is_away = [True]

    def send_task(name: str, *, kwargs: dict[str, Any], headers: dict[str, str]) -> None:
        if is_away[0]:
            raise OSError
        sent.append(headers)

    monkeypatch.setattr(celery_app, "send_task", send_task)
    with working_on(Work(request_id="order-4711")), transaction.atomic():
        outbox.enqueue("core.forget")
    message = OutboxMessage.objects.get()
    is_away[0] = False
    with working_on(Work(request_id="sweep-1234")):
        outbox.send_waiting(now=message.created_at + 2 * outbox.SENDING)
    assert sent == [{REQUEST_ID: "order-4711"}]
    with working_on(Work(request_id="order-4712")):
        outbox.leave("core.forget")
    assert OutboxMessage.objects.get().luggage == {REQUEST_ID: "order-4712"}


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_counted() -> None:
    def count() -> float:
        labels = {"kind": "EVENT", "type": "HELD"}
        return REGISTRY.get_sample_value("holdfast_booking_events_total", labels) or 0

    before = count()
    with transaction.atomic():
        count_on_commit(BOOKING_EVENTS, "EVENT", "HELD")
        transaction.set_rollback(True)
    assert count() == before
    with transaction.atomic():
        count_on_commit(BOOKING_EVENTS, "EVENT", "HELD")
        assert count() == before
    assert count() == before + 1


@pytest.mark.django_db
def test_metrics_are_closed_without_a_token(client: Client, settings: Settings) -> None:
    make_guest()
    settings.METRICS_TOKEN = ""
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
        assert client.get("/metrics", headers=headers).status_code == 404
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.post("/healthz").status_code == 405
