"""`manage.py reconcile` against the emulator: what was lost comes back, what cannot be explained is said."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from apps.bookings.actions import Reconciliation, cancel, carry_out_refund, pay, reconcile, refund
from apps.bookings.models import Booking
from apps.core.money import Money
from apps.payments import gateway
from apps.payments.gateway import lists, refunds
from apps.payments.models import Bill, Charge, ReceiptCounter, Refund
from tests.payments.steps import booked, jobs_kept, paid, stripe_api
from tests.recipes import make_guest, make_property, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC).replace(microsecond=0)
SINCE = NOW - timedelta(hours=1)


@pytest.fixture(autouse=True)
def _empty_processor() -> Iterator[None]:
    """Nothing of other tests lies at Stripe."""
    stripe_api("DELETE", "/_config/data")
    yield
    stripe_api("DELETE", "/_config/data")


def a_payment(price_minor: int = 10_000) -> Charge:
    guest = make_guest()
    return paid(booked(make_property(price_minor=price_minor), guest=guest, now=NOW), now=NOW)


def run() -> Reconciliation:
    return reconcile(since=SINCE, now=datetime.now(UTC))


def counts() -> tuple[int, int]:
    result = run()
    return len(result.healed), len(result.drift)


def test_ledgers_that_agree_show_no_drift() -> None:
    charges = [a_payment() for _ in range(3)]
    with jobs_kept():
        refund(viewer=make_staff(), payment_id=charges[0].pk, amount=Money(5, "EUR"), now=NOW)
    carry_out_refund(refund_id=Refund.objects.get().pk)
    result = run()
    assert (result.payments, result.refunds, result.healed, result.drift) == (3, 1, [], [])
    out = io.StringIO()
    call_command("reconcile", "--since", "2020-01-01", stdout=out)
    assert out.getvalue() == "3 payments and 1 refunds since 2020-01-01 00:00 UTC: 0 healed, drift 0.\n"


def test_a_payment_whose_answer_and_webhook_were_lost_is_healed() -> None:
    guest = make_guest()
    booking = booked(make_property(), guest=guest, now=NOW)
    with jobs_kept():
        charge = pay(viewer=guest, booking_id=booking.pk, payment_method="pm_card_visa", now=NOW)
    made = stripe_api(
        "POST", "/v1/payment_intents", amount=charge.amount_minor, currency="eur", payment_method="pm_card_visa",
        confirm="true", **{"metadata[holdfast_charge]": charge.pk, "allowed_payment_method_types[]": "card"},
    )  # fmt: skip
    assert counts() == (1, 0)
    charge.refresh_from_db()
    booking.refresh_from_db()
    assert (charge.status, charge.intent_id, booking.status) == ("SUCCEEDED", made["id"], "CONFIRMED")
    assert counts() == (0, 0)


def test_a_canceled_payment_that_stripe_still_waits_for_is_canceled_there() -> None:
    guest = make_guest()
    booking = booked(make_property(), guest=guest, now=NOW)
    charge = paid(booking, now=NOW, card="pm_card_authenticationRequired")
    with jobs_kept():
        cancel(viewer=guest, booking_id=booking.pk, now=NOW)
    assert counts() == (1, 0)
    assert stripe_api("GET", f"/v1/payment_intents/{charge.intent_id}")["status"] == "canceled"
    assert counts() == (0, 0)


def test_a_refund_that_is_missing_here_is_taken_over() -> None:
    charge = a_payment()
    stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=77)
    assert counts() == (1, 0)
    assert Bill.objects.get(pk=charge.bill_id).refunded_minor == 77
    assert counts() == (0, 0)


def test_a_refund_that_is_missing_there_is_drift() -> None:
    charge = a_payment()
    with jobs_kept():
        refund(viewer=make_staff(), payment_id=charge.pk, amount=Money(5, "EUR"), now=NOW)
    Refund.objects.update(status="SUCCEEDED", processor_id="re_never", created_at=datetime.now(UTC))
    result = run()
    assert result.drift == [f"refund {Refund.objects.get().pk} of charge {charge.pk} is unknown to the processor"]


def test_a_charge_that_is_missing_here_is_drift() -> None:
    method = {
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "currency": "eur",
        "allowed_payment_method_types[]": "card",
    }
    unknown = stripe_api("POST", "/v1/payment_intents", amount=1_000, **method)
    lost = stripe_api("POST", "/v1/payment_intents", amount=2_000, **method, **{"metadata[holdfast_charge]": 10**12})
    result = run()
    assert sorted(result.drift) == sorted(
        [
            f"{unknown['id']} of 10.00 EUR was paid and is no charge of ours",
            f"{lost['id']} of 20.00 EUR was paid and is no charge of ours",
        ]
    )
    assert result.payments == 2


def test_a_charge_that_is_missing_there_is_drift() -> None:
    charge = a_payment()
    Charge.objects.filter(pk=charge.pk).update(intent_id="pi_never")
    result = run()
    assert len(result.drift) == 2
    assert f"charge {charge.pk} of 200.00 EUR is not paid with the processor" in result.drift
    assert any("was paid beside pi_never" in line for line in result.drift)


def test_other_amounts_are_drift() -> None:
    charge, other = a_payment(), a_payment()
    Charge.objects.filter(pk=charge.pk).update(amount_minor=19_999)
    with jobs_kept():
        refund(viewer=make_staff(), payment_id=other.pk, amount=Money(5, "EUR"), now=NOW)
    carry_out_refund(refund_id=Refund.objects.get().pk)
    Refund.objects.update(amount_minor=6)
    result = run()
    assert (
        f"{charge.intent_id} (charge {charge.pk}) was paid with 200.00 EUR and is written down as 199.99 EUR"
        in result.drift
    )
    assert any("is 0.05 EUR with the processor and 6 minor units with us" in line for line in result.drift)
    assert {f"bill {each.bill_id} is not the sum of its charges and refunds" for each in (charge, other)} < set(
        result.drift
    )


def test_a_customer_who_was_charged_twice_is_drift() -> None:
    charge = a_payment()
    second = stripe_api(
        "POST", "/v1/payment_intents", amount=20_000, currency="eur", payment_method="pm_card_visa", confirm="true",
        **{"metadata[holdfast_charge]": charge.pk, "allowed_payment_method_types[]": "card"},
    )  # fmt: skip
    (line,) = run().drift
    assert line == f"{second['id']} (charge {charge.pk}) of 200.00 EUR was paid beside {charge.intent_id}"


def test_a_missing_receipt_is_drift() -> None:
    a_payment()
    ReceiptCounter.objects.update(last=3)
    assert run().drift == [f"2 receipt numbers of {NOW.year} are missing"]


def test_every_page_of_the_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE", 2)
    monkeypatch.setattr(refunds, "PAGE", 2)
    charges = [a_payment() for _ in range(5)]
    for charge in charges:
        stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=10)
    result = run()
    assert (result.payments, result.refunds, len(result.healed), result.drift) == (5, 5, 5, [])


def test_the_command_ends_with_1_for_drift_and_2_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    charge = a_payment()
    Bill.objects.filter(pk=charge.bill_id).update(captured_minor=1, refunded_minor=0)
    out = io.StringIO()
    with pytest.raises(CommandError) as drift:
        call_command("reconcile", stdout=out)
    assert drift.value.returncode == 1
    assert out.getvalue().splitlines()[0] == f"DRIFT: bill {charge.bill_id} is not the sum of its charges and refunds"
    assert out.getvalue().endswith("0 healed, drift 1.\n")

    def away(_since: datetime) -> Iterator[gateway.Payment]:
        raise gateway.GatewayUnavailable("away")

    monkeypatch.setattr(gateway, "payments_since", away)
    with pytest.raises(CommandError) as unanswered:
        call_command("reconcile")
    assert unanswered.value.returncode == 2
    with pytest.raises(CommandError):
        call_command("reconcile", "--since", "yesterday")
    assert Booking.objects.get(bill=charge.bill_id).status == "CONFIRMED"
