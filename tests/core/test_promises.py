"""What was promised is done, whatever the broker loses: for each job there is, who finds it again."""

import ast
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.utils import timezone

from apps.bookings import actions as bookings
from apps.core import outbox, promises
from apps.core.db import unit_of_work
from apps.core.models import OutboxMessage, PromisedJob
from apps.core.promises import LONGEST_PAUSE, PATIENCE, KeptTask, enqueue_until_done, look_again
from apps.payments import cards
from apps.payments.gateway import GatewayUnavailable
from apps.payments.models import Card, Charge, Refund, WebhookEvent
from booking.queues import QUEUES
from tests.bookings.life import VISA, held
from tests.recipes import make_event, make_guest

pytestmark = pytest.mark.django_db(transaction=True)

# What is about rows that say that it was not done: the sweep of `bookings.resume` goes through those.
BY_ROWS = {
    "bookings.carry_out_payment",
    "bookings.carry_out_refund",
    "bookings.cancel_intent",
    "bookings.handle_event",
}
# Told to other processes as soon as Redis is back, by whoever could not: lost, an answer is old for a stated while longer.
BOUNDED = {"core.tell_versions"}
FORGET = "payments.forget_card"


@pytest.fixture(autouse=True)
def _tasks() -> None:
    current_app.loader.import_default_modules()


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A broker that takes every job, and loses it."""
    taken: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: taken.append(name))
    return taken


def promise(**arguments: Any) -> PromisedJob:
    unit_of_work(enqueue_until_done)(FORGET, **arguments)
    return PromisedJob.objects.latest("pk")


def run(message: OutboxMessage) -> Any:
    """As a worker does what it was sent."""
    task = current_app.tasks[message.task]
    task.push_request(**message.luggage)
    try:
        return task(**message.arguments)
    finally:
        task.pop_request()


def test_every_job_is_found_again() -> None:
    beaten = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    kept = {name for name, task in current_app.tasks.items() if isinstance(task, KeptTask)}
    assert {task for tasks in QUEUES.values() for task in tasks} == beaten | BY_ROWS | BOUNDED | kept
    assert not kept & (beaten | BY_ROWS | BOUNDED)
    # Who promises one says so, and nobody else does.
    promised: set[str] = set()
    enqueued: set[str] = set()
    for path in [*Path("apps").rglob("*.py"), *Path("schema").rglob("*.py")]:
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.args and isinstance(call.args[0], ast.Constant):
                {"enqueue": enqueued, "enqueue_until_done": promised}.get(call.func.id, set()).add(
                    str(call.args[0].value)
                )
    assert promised == kept
    assert enqueued == BY_ROWS


def test_a_card_is_forgotten_though_the_broker_lost_it(lost: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    owner = make_guest()
    card = Card.objects.create(
        user=owner, payment_method="pm_1", fingerprint="f", brand="visa", last4="4242", exp_month=1, exp_year=2030,
        created_at=now,
    )  # fmt: skip
    cards.remove_card(viewer=owner, card_id=card.payment_method)
    assert (lost, OutboxMessage.objects.count()) == ([FORGET], 0)
    assert look_again(now=now) == 0
    assert look_again(now=now + PATIENCE + timedelta(minutes=1)) == 1
    asked: list[str] = []
    answers: list[Exception | None] = [GatewayUnavailable("away"), None]

    def forget(*, payment_method: str) -> None:
        asked.append(payment_method)
        if (answer := answers.pop(0)) is not None:
            raise answer

    monkeypatch.setattr("apps.payments.gateway.forget", forget)
    message = OutboxMessage.objects.get()
    assert (message.task, message.arguments) == (FORGET, {"payment_method": "pm_1"})
    # What fails is still promised, and what was done is not done again by a copy of it.
    with pytest.raises(GatewayUnavailable):
        run(message)
    assert PromisedJob.objects.exists()
    run(message)
    assert not PromisedJob.objects.exists()
    run(message)
    assert asked == ["pm_1", "pm_1"]
    # One that was sent by a version without promises is done as ever.
    message.luggage = {}
    answers.append(None)
    run(message)
    assert len(asked) == 3


@pytest.mark.usefixtures("lost")
def test_a_promise_stands_and_falls_with_its_transaction() -> None:
    def refused() -> None:
        enqueue_until_done(FORGET, payment_method="pm_1")
        raise ValueError

    with pytest.raises(ValueError):
        unit_of_work(refused)()
    assert not PromisedJob.objects.exists()
    assert not OutboxMessage.objects.exists()


@pytest.mark.usefixtures("lost")
def test_a_worker_that_has_it_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    job = promise(payment_method="pm_1")
    PromisedJob.objects.update(look_again_at=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(cards, "forget_at_processor", lambda **_: look_again(now=timezone.now()))
    run(OutboxMessage(task=FORGET, arguments={"payment_method": "pm_1"}, luggage={promises.PROMISE: str(job.pk)}))
    assert not OutboxMessage.objects.exists()


@pytest.mark.usefixtures("lost")
def test_what_fails_for_ever_is_asked_for_less_and_less_often() -> None:
    job = promise(payment_method="pm_1")
    at = job.created_at
    pauses = []
    while PromisedJob.objects.exists():
        before, at = at, PromisedJob.objects.get().look_again_at
        pauses.append(at - before)
        assert look_again(now=at) == 1
    assert pauses[1:4] == [PATIENCE * 2, PATIENCE * 4, PATIENCE * 8]
    assert pauses[-1] == LONGEST_PAUSE
    assert KeptTask.useful_for <= at - job.created_at < KeptTask.useful_for + LONGEST_PAUSE
    assert OutboxMessage.objects.count() == len(pauses) - 1


@pytest.mark.usefixtures("lost")
@pytest.mark.parametrize("name", ["users.mail_link", "users.mail_password_reset", "users.mail_email_change_notice"])
def test_nobody_gets_a_mail_about_their_account_that_they_no_longer_wait_for(name: str) -> None:
    unit_of_work(enqueue_until_done)(name, email="ann@example.com")
    job = PromisedJob.objects.get()
    OutboxMessage.objects.all().delete()
    while PromisedJob.objects.exists():
        job = PromisedJob.objects.get()
        look_again(now=job.look_again_at)
    assert timedelta(days=1) <= job.look_again_at - job.created_at < timedelta(days=2)
    # Nothing was sent at the end.
    assert OutboxMessage.objects.count() == job.tries


@pytest.mark.usefixtures("lost")
def test_what_rows_tell_of_is_found_by_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    booking = held(make_event(tickets=5), now=now, tickets=1)
    charge = bookings.pay(viewer=booking.guest, booking_id=booking.pk, payment_method=VISA, now=now)
    Charge.objects.update(cancel_asked_at=now)
    refund = Refund.objects.create(
        charge=charge, amount_minor=5, status="PENDING", idempotency_key="r", created_at=now, updated_at=now
    )
    event = WebhookEvent.objects.create(event_id="evt_1", received_at=now)
    assert not OutboxMessage.objects.exists()
    done: dict[str, Any] = {}
    for module, name in (
        ("pay", "carry_out_payment"),
        ("processor", "carry_out_refund"),
        ("processor", "cancel_intent"),
        ("events", "handle_event"),
    ):
        # The package has actions of the same names as some of its modules.
        of = sys.modules[f"apps.bookings.actions.{module}"]
        monkeypatch.setattr(of, name, lambda now=None, _name=name, **asked: done.update({_name: asked}))
    later = now + timedelta(minutes=10)
    monkeypatch.setattr("apps.bookings.tasks.timezone.now", lambda: later)
    current_app.tasks["bookings.resume"]()
    assert done == {
        "carry_out_payment": {"charge_id": charge.pk},
        "carry_out_refund": {"refund_id": refund.pk},
        "cancel_intent": {"charge_id": charge.pk},
        "handle_event": {"event_id": event.event_id},
    }


def test_the_sweep_of_the_outbox_looks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(promises, "look_again", lambda **_: looked.append("promises"))
    monkeypatch.setattr(outbox, "send_waiting", lambda **_: looked.append("outbox"))
    current_app.tasks["core.send_outbox"]()
    assert looked == ["promises", "outbox"]
