"""Many workers, one message. Each guarantee has a twin that shows the race once its guard is gone."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from apps.integrations import actions, delivering, recording
from apps.integrations.delivering import Claim, claim_due, settle
from apps.integrations.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from apps.integrations.recording import fan_out
from apps.integrations.sender import send_due
from tests.concurrency.guards import unguarded
from tests.integrations.receiver import Receiver
from tests.integrations.world import NOW, happen, listen, send
from tests.recipes import make_property, make_staff
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 32
EVENTS = 8


def world(receiver: Receiver, *, endpoints: int = 2) -> None:
    home = make_property()
    for number in range(endpoints):
        listen(home.host, f"{receiver.url}/{number}")
    for number in range(EVENTS):
        happen(home, number)


def one_worker() -> int:
    """What a sender does, without the politeness of waiting for its turn."""
    sent = 0
    fan_out(now=NOW)
    while claims := claim_due(now=NOW, room=4):
        for claim in claims:
            settle(claim, delivering.send(claim, seconds=30), now=NOW)
            sent += 1
    return sent


def all_sent(receiver: Receiver) -> list[str]:
    return sorted(message.body["delivery_id"] for message in receiver.taken)


def test_many_workers_make_and_send_each_message_once(receiver: Receiver) -> None:
    world(receiver)
    sent = sum(at_once([one_worker] * WORKERS))
    # Who finds all endpoints taken goes home; what came in meanwhile is left to whoever holds them.
    sent += one_worker()
    assert sent == 2 * EVENTS
    assert WebhookDelivery.objects.count() == 2 * EVENTS
    assert all_sent(receiver) == sorted(WebhookDelivery.objects.values_list("public_id", flat=True))
    for number in range(2):
        assert [message.body["data"]["number"] for message in receiver.at(f"/{number}")] == list(range(EVENTS))


def test_without_the_locks_a_message_is_sent_twice(receiver: Receiver) -> None:
    world(receiver, endpoints=1)
    fan_out(now=NOW)
    claims = unguarded([lambda: claim_due(now=NOW, room=1)] * WORKERS)
    found = [claim.delivery_id for each in claims if not isinstance(each, str) for claim in each]
    assert (len(found), len(set(found))) == (WORKERS, 1)


def test_the_locks_let_one_of_many_claim_an_endpoint(receiver: Receiver) -> None:
    world(receiver, endpoints=1)
    fan_out(now=NOW)
    assert sum(len(claims) for claims in at_once([lambda: claim_due(now=NOW, room=1)] * WORKERS)) == 1


def make_again() -> int:
    """Make the deliveries of all events as if nobody had yet."""
    with connection.cursor() as cursor:
        ids = list(WebhookEvent.objects.values_list("pk", flat=True))
        cursor.execute(recording.FAN_OUT, {"events": ids, "now": NOW, "since": NOW - recording.kept()})
        return int(cursor.rowcount)


def test_the_database_refuses_a_second_delivery_of_an_event(receiver: Receiver) -> None:
    world(receiver)
    assert sum(at_once([make_again] * WORKERS)) == 2 * EVENTS
    assert WebhookDelivery.objects.count() == 2 * EVENTS


def test_without_the_constraint_there_are_second_deliveries(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(receiver)
    monkeypatch.setattr(recording, "FAN_OUT", recording.FAN_OUT.partition("ON CONFLICT")[0])
    drop = "ALTER TABLE integrations_webhookdelivery DROP CONSTRAINT webhook_delivery_once"
    add = drop.replace("DROP", "ADD") + " UNIQUE (endpoint_id, event_id)"
    with connection.cursor() as cursor:
        cursor.execute(drop)
    try:
        at_once([make_again] * 4)
        assert WebhookDelivery.objects.count() > 2 * EVENTS
    finally:
        WebhookDelivery.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute(add)


def test_a_sender_that_is_sending_is_left_alone(receiver: Receiver) -> None:
    world(receiver, endpoints=1)
    is_asked, go_on = threading.Event(), threading.Event()
    hold = receiver.hangs(until=go_on)

    def answer(handler: Any, message: Any) -> None:
        is_asked.set()
        hold(handler, message)

    receiver.answers["/0"] = answer

    def second() -> int:
        assert is_asked.wait(300)
        try:
            return send_due(clock=lambda: NOW)
        finally:
            go_on.set()

    assert at_once([lambda: send_due(clock=lambda: NOW, seconds=60), second]) == [EVENTS, 0]


def test_an_endpoint_that_goes_while_it_is_sent_to_leaves_nothing(receiver: Receiver) -> None:
    world(receiver, endpoints=1)
    fan_out(now=NOW)
    (claim,) = claim_due(now=NOW, room=1)
    owner = claim.endpoint.owner
    actions.delete_endpoint(viewer=owner, endpoint_id=claim.endpoint.pk, now=NOW)
    settle(claim, delivering.send(claim, seconds=30), now=NOW)
    assert (WebhookEndpoint.objects.count(), WebhookDelivery.objects.count(), WebhookAttempt.objects.count()) == (
        0,
        0,
        0,
    )
    assert fan_out(now=NOW) == 0


def test_endpoints_come_and_go_while_messages_are_made_and_sent(receiver: Receiver) -> None:
    staff = make_staff()
    homes = [make_property() for _ in range(3)]

    def busy(number: int) -> Callable[[], None]:
        def work() -> None:
            for step in range(6):
                if number % 4 == 0:
                    endpoint, _ = listen(staff, f"{receiver.url}/{number}")
                    happen(homes[step % 3], step)
                    actions.delete_endpoint(viewer=staff, endpoint_id=endpoint.pk, now=NOW)
                elif number % 4 == 1:
                    happen(homes[step % 3], step)
                elif number % 4 == 2:
                    with transaction.atomic():
                        actions.drop_endpoints(owner=homes[step % 3].host)
                else:
                    listen(homes[step % 3].host, f"{receiver.url}/host")
                    one_worker()

        return work

    at_once([busy(number) for number in range(8)])
    # Nobody was refused or deadlocked, and nothing hangs in the air.
    assert not WebhookDelivery.objects.exclude(endpoint__in=WebhookEndpoint.objects.all()).exists()
    send(NOW + timedelta(minutes=5))
    assert not WebhookDelivery.objects.filter(status="PENDING").exists()
    assert not WebhookEvent.objects.filter(fanned_out_at=None).exists()


def test_a_late_answer_does_not_free_an_endpoint_that_somebody_else_holds(receiver: Receiver) -> None:
    world(receiver, endpoints=1)
    fan_out(now=NOW)
    (late,) = claim_due(now=NOW, room=1)
    later = NOW + delivering.LEASE
    (held,) = claim_due(now=later, room=1)
    assert isinstance(held, Claim)
    settle(late, delivering.send(late, seconds=30), now=later)
    assert claim_due(now=later, room=1) == []
    settle(held, delivering.send(held, seconds=30), now=later)
    assert WebhookDelivery.objects.filter(status="DELIVERED").count() == 1
    assert WebhookAttempt.objects.count() == 2
    assert len(claim_due(now=later, room=1)) == 1
