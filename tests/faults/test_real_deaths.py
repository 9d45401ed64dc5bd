"""A worker that is killed by the kernel, as a process and not in a test's imagination, in the middle of moving money."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app
from django.db import connection

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.models import OutboxMessage
from apps.payments.models import Charge
from tests.payments.steps import booked, jobs_kept, stripe_api
from tests.recipes import make_guest, make_property
from tests.serving import ROOT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

NOW = datetime.now(UTC).replace(microsecond=0)
DIES_WITHIN_SECONDS = 600


@pytest.fixture(autouse=True)
def _empty_processor() -> Iterator[None]:
    stripe_api("DELETE", "/_config/data")
    yield
    stripe_api("DELETE", "/_config/data")


def death_of_a_worker(*, at: str, over: OutboxMessage) -> int:
    """How a worker ended that was given the job and the fault point to die at."""
    queue = f"deaths-{uuid.uuid4().hex}"
    current_app.send_task(over.task, kwargs=over.arguments, queue=queue)
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict)
    worker = subprocess.Popen(
        [
            sys.executable, "-m", "celery", "-A", "booking", "worker", "--queues", queue, "--pool", "solo",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        ],
        cwd=ROOT, env={**os.environ, "DATABASE_URL": url, "FAULTS": at},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return worker.wait(DIES_WITHIN_SECONDS)
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.parametrize(
    "point",
    [
        # The card is charged, and nobody here knows it.
        "charge.asked",
        # Everything is written down, and the transaction never ends.
        "settle.written",
    ],
)
def test_a_payment_survives_the_worker_that_is_killed_over_it(point: str) -> None:
    guest = make_guest()
    booking = booked(make_property(), guest=guest, now=NOW)
    with jobs_kept() as jobs:
        actions.pay(viewer=guest, booking_id=booking.pk, payment_method="pm_card_visa", now=NOW)
    (job,) = jobs

    assert death_of_a_worker(at=point, over=job) == -signal.SIGKILL

    (intent,) = stripe_api("GET", "/v1/payment_intents")["data"]
    assert intent["status"] == "succeeded"
    charge = Charge.objects.get()
    assert (charge.status, charge.intent_id) == ("PROCESSING", "")
    assert Booking.objects.get().status == "PENDING"

    assert actions.resume_payments(now=datetime.now(UTC) + timedelta(minutes=1)) == 1

    (intent,) = stripe_api("GET", "/v1/payment_intents")["data"]
    charge.refresh_from_db()
    assert (charge.status, charge.intent_id) == ("SUCCEEDED", intent["id"])
    assert intent["amount_received"] == charge.amount_minor
    assert Booking.objects.get().status == "CONFIRMED"
