"""The demo's past payments: the card processor's emulator is given them, and a real processor has none."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.bookings.states import BookingStatus
from apps.core.money import Money
from apps.importing.demo.actions import seed_demo
from apps.importing.demo.ledger import past_payments
from apps.payments import gateway
from apps.payments.models import Bill, Charge, ChargeStatus, Refund, RefundStatus
from apps.users.models import User
from sandbox.prepare import give_past_payments
from tests.payments.steps import stripe_api

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_media(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def test_the_processor_agrees_with_the_demo_and_gives_its_payments_back() -> None:
    now = timezone.now()
    seed_demo(now=now)
    since = Charge.objects.earliest("created_at").created_at
    paid = Charge.objects.count()
    assert paid > 300
    emulator = os.environ["STRIPE_API_BASE"]
    # What other tests paid is nobody's here.
    stripe_api("DELETE", "/_config/data")

    assert give_past_payments(emulator) == paid

    result = actions.reconcile(since=since, now=now)
    assert (result.drift, result.healed, result.refunds) == ([], [], 0)
    assert result.payments >= paid
    charge = Charge.objects.order_by("-paid_at").first()
    assert charge is not None
    known = gateway.look_up(intent_id=charge.intent_id)
    assert (known.status, known.card_brand, known.card_last4) == (ChargeStatus.SUCCEEDED, "visa", "4242")

    host = User.objects.get(listings__bookings__bill=charge.bill_id)
    half = Money(charge.amount_minor // 2, charge.currency)
    actions.refund(viewer=host, payment_id=charge.pk, amount=half, reason="It rained.", now=now)
    actions.carry_out_refund(refund_id=Refund.objects.get().pk)

    assert Refund.objects.get().status == RefundStatus.SUCCEEDED
    # A second start finds everything there and changes nothing of it.
    assert give_past_payments(emulator) == 0
    again = actions.reconcile(since=since, now=timezone.now())
    assert (again.drift, again.healed, again.refunds) == ([], [], 1)


def test_with_a_real_processor_nothing_was_paid() -> None:
    seed_demo(now=timezone.now(), paid=False)
    assert (Charge.objects.count(), past_payments()) == (0, [])
    assert Booking.objects.filter(status=BookingStatus.COMPLETED).count() > 300
    assert set(Bill.objects.values_list("total_minor", "captured_minor")) == {(0, 0)}
