"""After any number of faults each customer has paid what the ledger says, once, and every payment has its booking."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from apps.bookings.models import Booking
from apps.core.models import OutboxMessage
from apps.payments.models import OPEN_STATUSES, Charge, Refund, WebhookEvent
from tests.faults.tally import TOTAL, Tally, struck
from tests.faults.world import World
from tests.payments.steps import stripe_api

pytestmark = pytest.mark.django_db(transaction=True)

RUNS = int(os.environ.get("FAULT_RUNS", "12"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
BATCH = 12


@pytest.fixture(autouse=True)
def _empty_processor() -> Iterator[None]:
    stripe_api("DELETE", "/_config/data")
    yield
    stripe_api("DELETE", "/_config/faults")
    stripe_api("DELETE", "/_config/data")


def everything(kind: str) -> list[Any]:
    """Every object of a kind at Stripe, page by page."""
    found: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = stripe_api("GET", f"/v1/{kind}", limit=100, **after)
        found += page["data"]
        if not page["has_more"]:
            return found
        after = {"starting_after": page["data"][-1]["id"]}


@pytest.mark.parametrize("batch", range((RUNS + BATCH - 1) // BATCH))
def test_the_money_is_right_when_the_dust_has_settled(batch: int, capsys: pytest.CaptureFixture[str]) -> None:
    before = struck()
    world = World(SEED * 1_000_003 + batch)
    stories = min(BATCH, RUNS - batch * BATCH)
    world.tell(stories)
    found = world.settle()

    assert found.drift == []
    assert_each_customer_was_charged_once()
    for booking in Booking.objects.select_related("bill", "listing").order_by("pk"):
        assert_nothing_is_unpaid_or_lost(booking)
    assert_nothing_is_left_to_do()
    outside = Refund.objects.filter(idempotency_key__startswith="outside-").count()
    assert outside <= world.faults["refund outside"]
    # It went through trouble, or it would have proved nothing.
    statuses = Counter(Booking.objects.values_list("status", flat=True))
    assert world.kills.total() >= stories // 3
    assert world.faults.total() >= stories
    assert len(statuses) > 1
    assert Charge.objects.exclude(receipt_number=None).exists()
    survived = Tally(
        runs=stories,
        points=world.met.total(),
        healed=len(found.healed),
        drift=len(found.drift),
        kills=world.kills,
        faults=world.faults,
        stripe=struck() - before,
        statuses=statuses,
    )
    TOTAL.add(survived)
    if "FAULT_RUNS" in os.environ:
        with capsys.disabled():
            print(f"\nseed {SEED}, batch {batch + 1}: {survived}", flush=True)  # noqa: T201


def assert_each_customer_was_charged_once() -> None:
    """What Stripe took and gave back is what our charges say, charge by charge."""
    taken: dict[int, list[int]] = defaultdict(list)
    number_of = {}
    for intent in everything("payment_intents"):
        number_of[intent["id"]] = int(intent["metadata"]["holdfast_charge"])
        if intent["status"] == "succeeded":
            taken[number_of[intent["id"]]].append(intent["amount_received"])
    given_back: Counter[int] = Counter()
    for refund in everything("refunds"):
        if refund["status"] != "failed":
            given_back[number_of[refund["payment_intent"]]] += refund["amount"]
    captured = {charge.pk: [charge.amount_minor] for charge in Charge.objects.exclude(receipt_number=None)}
    assert dict(taken) == captured
    for charge in Charge.objects.all():
        assert given_back[charge.pk] == charge.refunded_minor, charge.pk
    total = sum(sum(amounts) for amounts in taken.values()) - sum(given_back.values())
    assert total == sum(booking.bill.paid.minor for booking in Booking.objects.select_related("bill"))


def assert_nothing_is_unpaid_or_lost(booking: Booking) -> None:
    bill = booking.bill
    charges = list(Charge.objects.filter(bill=bill).order_by("pk"))
    refused = any(charge.status == "FAILED" for charge in charges)
    match booking.status:
        case "COMPLETED" | "CONFIRMED":
            if bill.timing == "NOW":
                assert bill.captured_minor > 0, f"{booking} stands and was never paid"
            assert bill.owed.minor == 0 or refused, f"{booking} owes {bill.owed} and nobody was asked"
            assert bill.settled_minor <= bill.total_minor
        case "EXPIRED" | "CANCELED":
            assert bill.paid.minor == 0, f"{booking} is {booking.status} and {bill.paid} were kept"
        case other:
            raise AssertionError(f"{booking} is still {other}")
    assert sum(line.amount_minor for line in booking.lines.all()) == bill.total_minor


def assert_nothing_is_left_to_do() -> None:
    # Only a payer may still be asked to authenticate, for a booking that is over.
    assert set(Charge.objects.filter(status__in=OPEN_STATUSES).values_list("status", flat=True)) <= {"REQUIRES_ACTION"}
    assert not Refund.objects.filter(status="PENDING").exists()
    assert not WebhookEvent.objects.filter(handled_at=None).exists()
    assert not OutboxMessage.objects.exists()
