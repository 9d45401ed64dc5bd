"""What comes in by Stripe's webhooks: kept once, answered at once, carried out from what Stripe says when asked."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.bookings.actions import carry_out_refund, handle_event, refund, resume_events
from apps.bookings.models import Booking, BookingEvent
from apps.core.money import Money
from apps.payments import gateway
from apps.payments.models import Bill, Charge, Dispute, Refund, WebhookEvent
from tests.payments.steps import booked, deliver, events_of, handle_all, jobs_kept, paid, stripe_api
from tests.recipes import make_guest, make_property, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC).replace(microsecond=0)


def a_payment(card: str = "pm_card_visa") -> Charge:
    charge = paid(booked(make_property(price_minor=10_000), guest=make_guest(), now=NOW), now=NOW, card=card)
    assert (charge.status, charge.amount_minor) == ("SUCCEEDED", 20_000)
    return charge


def sums(charge: Charge) -> tuple[str, int, int, int]:
    fresh = Charge.objects.get(pk=charge.pk)
    bill = Bill.objects.get(pk=charge.bill_id)
    return fresh.status, fresh.refunded_minor, bill.captured_minor, bill.refunded_minor


def test_a_refund_made_in_the_dashboard_appears_in_our_ledger_once() -> None:
    charge = a_payment()
    made = stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=5_000)
    told = events_of(charge.intent_id, "charge.refunded", "refund.created")
    assert len(told) == 2
    for event in [*told, *reversed(told)]:
        assert deliver(event).status_code == 200
        handle_all(now=NOW)
    (kept,) = Refund.objects.filter(charge=charge)
    assert (kept.processor_id, kept.amount_minor, kept.status) == (made["id"], 5_000, "SUCCEEDED")
    assert sums(charge) == ("PARTIALLY_REFUNDED", 5_000, 20_000, 5_000)
    (event,) = BookingEvent.objects.filter(booking__bill=charge.bill_id, type="REFUNDED")
    assert (event.actor, event.data) == ("SYSTEM", {"amountMinor": 5_000, "currency": "EUR"})
    assert Booking.objects.get(bill=charge.bill_id).status == "CONFIRMED"

    stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id)
    deliver(events_of(charge.intent_id, "charge.refunded")[-1])
    handle_all(now=NOW)
    assert sums(charge) == ("REFUNDED", 20_000, 20_000, 20_000)


def test_our_own_refund_is_not_counted_again_by_its_webhook() -> None:
    charge = a_payment()
    with jobs_kept() as jobs:
        refund(viewer=make_staff(), payment_id=charge.pk, amount=Money(700, "EUR"), now=NOW)
    (own,) = Refund.objects.all()
    # Stripe has made it, and the worker died before it wrote down under which name.
    gateway.refund(
        intent_id=charge.intent_id, amount=Money(700, "EUR"), refund_id=own.pk, idempotency_key=own.idempotency_key
    )
    deliver(events_of(charge.intent_id, "charge.refunded")[0])
    handle_all(now=NOW)
    carry_out_refund(refund_id=jobs[0].arguments["refund_id"])
    own.refresh_from_db()
    assert (own.status, own.processor_id[:3]) == ("SUCCEEDED", "re_")
    assert sums(charge) == ("PARTIALLY_REFUNDED", 700, 20_000, 700)
    assert len(stripe_api("GET", "/v1/refunds", payment_intent=charge.intent_id)["data"]) == 1


def test_ours_gives_way_where_the_dashboard_was_quicker() -> None:
    charge = a_payment()
    with jobs_kept():
        refund(viewer=make_staff(), payment_id=charge.pk, amount=Money(15_000, "EUR"), now=NOW)
    stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=8_000)
    deliver(events_of(charge.intent_id, "charge.refunded")[0])
    handle_all(now=NOW)
    assert sorted(Refund.objects.values_list("amount_minor", "status")) == [(8_000, "SUCCEEDED"), (15_000, "FAILED")]
    assert sums(charge) == ("PARTIALLY_REFUNDED", 8_000, 20_000, 8_000)


def test_a_refund_that_comes_back_is_no_longer_counted() -> None:
    charge = a_payment("pm_card_refundFail")
    with jobs_kept():
        refund(viewer=make_staff(), payment_id=charge.pk, now=NOW)
    (own,) = Refund.objects.all()
    carry_out_refund(refund_id=own.pk)
    assert sums(charge) == ("REFUNDED", 20_000, 20_000, 20_000)
    failed: list[object] = []
    until = datetime.now(UTC) + timedelta(seconds=10)
    while not failed and datetime.now(UTC) < until:
        failed = events_of(charge.intent_id, "refund.failed")
    deliver(failed[0])
    handle_all(now=NOW)
    assert sums(charge) == ("SUCCEEDED", 0, 20_000, 0)


def test_a_refund_whose_payment_is_news_to_us_is_settled_with_it() -> None:
    charge = a_payment()
    before = Charge.objects.filter(pk=charge.pk)
    # As if the answer to the payment had been lost.
    before.update(status="PROCESSING", paid_at=None, receipt_number=None)
    Bill.objects.filter(pk=charge.bill_id).update(captured_minor=0, settled_minor=0)
    stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=1)
    deliver(events_of(charge.intent_id, "charge.refunded")[0])
    handle_all(now=NOW)
    assert sums(charge) == ("PARTIALLY_REFUNDED", 1, 20_000, 1)


def test_a_dispute_is_kept_as_it_stands_and_moves_no_sums() -> None:
    charge = a_payment("pm_card_createDispute")
    created = events_of(charge.intent_id, "charge.dispute.created")
    assert len(created) == 1
    deliver(created[0])
    handle_all(now=NOW)
    (kept,) = Dispute.objects.all()
    assert (kept.charge_id, kept.status, kept.reason, kept.amount_minor) == (
        charge.pk, "needs_response", "fraudulent", 20_000,
    )  # fmt: skip
    stripe_api("POST", f"/v1/disputes/{kept.processor_id}/close")
    (closed,) = events_of(charge.intent_id, "charge.dispute.closed")
    # The first message once more, after the end: what counts is what Stripe says now.
    for event in (closed, created[0] | {"id": "evt_again"}):
        deliver(event)
        handle_all(now=NOW)
    assert [dispute.status for dispute in Dispute.objects.all()] == ["lost"]
    assert sums(charge) == ("SUCCEEDED", 0, 20_000, 0)


def test_unknown_events_are_kept_and_ignored() -> None:
    charge = a_payment()
    for number, kind in enumerate(("customer.created", "invoice.paid", "something.new.entirely", "payout.failed")):
        event = {
            "id": f"evt_{number}",
            "object": "event",
            "type": kind,
            "data": {"object": {"id": "x_1", "object": "x"}},
        }
        assert deliver(event).status_code == 200
    handle_all(now=NOW)
    assert WebhookEvent.objects.filter(handled_at=NOW).count() == 4
    assert sums(charge) == ("SUCCEEDED", 0, 20_000, 0)


def test_what_is_not_ours_is_ignored() -> None:
    method = {"payment_method": "pm_card_visa", "confirm": "true", "currency": "eur"}
    intent = stripe_api(
        "POST", "/v1/payment_intents", amount=1_000, **method, **{"allowed_payment_method_types[]": "card"}
    )
    stripe_api("POST", "/v1/refunds", payment_intent=intent["id"])
    told = events_of(intent["id"], "payment_intent.succeeded", "charge.refunded", "refund.created")
    assert len(told) == 3
    for event in told:
        deliver(event)
    handle_all(now=NOW)
    assert (Charge.objects.count(), Refund.objects.count()) == (0, 0)


def test_an_event_is_kept_once_and_asks_nobody_while_stripe_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    charge = a_payment()
    (event,) = events_of(charge.intent_id, "payment_intent.succeeded")
    monkeypatch.setattr(gateway, "look_up", lambda **_: pytest.fail("the processor was asked"))
    with jobs_kept() as jobs, CaptureQueriesContext(connection) as queries:
        answers = [deliver(event).status_code for _ in range(3)]
    assert answers == [200, 200, 200]
    assert [job.task for job in jobs] == ["bookings.handle_event"]
    assert WebhookEvent.objects.count() == 1
    # Begin, insert, read back, outbox, commit, delete: nothing that grows.
    assert len(queries) <= 3 * 8


@pytest.mark.parametrize("size", [512 * 1024 + 1, 3_000_000])
def test_too_large_a_body_is_refused(size: int) -> None:
    assert deliver(b"{" + b" " * size).status_code == 413
    assert deliver(b'{"id": 1}').status_code == 400
    assert deliver({"id": "evt_1", "type": "x"}, secret="whsec_wrong").status_code == 400
    assert WebhookEvent.objects.count() == 0


def test_an_event_whose_worker_died_is_handled_by_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    charge = a_payment()
    stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=300)
    with jobs_kept():
        deliver(events_of(charge.intent_id, "charge.refunded")[0])
    kept = WebhookEvent.objects.get()

    def away(**_: object) -> None:
        raise gateway.GatewayUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(gateway, "refunds_of", away)
        with pytest.raises(gateway.GatewayUnavailable):
            handle_event(event_id=kept.event_id, now=NOW)
    kept.refresh_from_db()
    assert kept.handled_at is None
    later = kept.received_at + timedelta(minutes=1)
    assert resume_events(now=later) == 1
    assert sums(charge) == ("PARTIALLY_REFUNDED", 300, 20_000, 300)
    assert resume_events(now=later) == 0
