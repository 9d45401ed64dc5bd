"""`moneyTrail`: what staff are told of a booking's money."""

import json
from typing import Any

import pytest

from apps.bookings.actions import carry_out_refund, refund
from apps.bookings.models import Booking
from apps.core.money import Money
from apps.notifications.models import Letter
from apps.payments.models import Refund
from schema.core.ids import to_global_id
from tests.hosting.inputs import NOW
from tests.payments.steps import booked, deliver, events_of, handle_all, jobs_kept, paid
from tests.recipes import make_guest, make_host, make_property, make_staff
from tests.schema.listings.api import ask, top_code

pytestmark = pytest.mark.django_db(transaction=True)

QUERY = "query ($id: ID!) { moneyTrail(bookingId: $id) }"


def trail(booking: Booking, *, viewer: Any) -> Any:
    return ask(QUERY, {"id": to_global_id("Booking", booking.pk)}, viewer=viewer)


def without_mails(booking: Booking, *, viewer: Any) -> list[Any]:
    return [each for each in trail(booking, viewer=viewer)["data"]["moneyTrail"] if each["kind"] != "MAIL"]


def test_staff_see_every_charge_refund_dispute_and_webhook_and_no_secret() -> None:
    host, staff = make_host(), make_staff()
    home = make_property(host=host, units=2)
    booking = booked(home, guest=make_guest(), now=NOW)
    paid(booking, now=NOW, card="pm_card_chargeDeclined")
    waiting = paid(booking, now=NOW, card="pm_card_authenticationRequired")
    assert waiting.client_secret
    secrets = {waiting.client_secret, waiting.next_action_url}
    other = booked(home, guest=make_guest(), now=NOW)
    charge = paid(other, now=NOW, card="pm_card_createDispute")
    for event in events_of(charge.intent_id, "payment_intent.succeeded", "charge.dispute.created"):
        deliver(event)
    handle_all(now=NOW)

    entries = without_mails(booking, viewer=staff)
    assert [(each["kind"], each["status"], each["amountMinor"]) for each in entries] == [
        ("CHARGE", "FAILED", 20_000),
        ("CHARGE", "REQUIRES_ACTION", 20_000),
    ]
    assert not any(secret in json.dumps(entries) for secret in secrets)
    assert entries[1]["processorIds"] == [waiting.intent_id]
    assert entries[1]["id"] == to_global_id("Payment", waiting.pk)

    disputed = without_mails(other, viewer=staff)
    kinds = sorted((each["kind"], each["status"]) for each in disputed)
    assert kinds == [
        ("CHARGE", "SUCCEEDED"),
        ("DISPUTE", "needs_response"),
        ("WEBHOOK", "HANDLED"),
        ("WEBHOOK", "HANDLED"),
    ]
    assert {each["currency"] for each in disputed if each["kind"] != "WEBHOOK"} == {"EUR"}


def test_a_refund_is_in_it_with_the_hosts_reason() -> None:
    host = make_host()
    booking = booked(make_property(host=host), guest=make_guest(), now=NOW)
    charge = paid(booking, now=NOW)
    with jobs_kept():
        refund(viewer=host, payment_id=charge.pk, amount=Money(150, "EUR"), reason="The heating was out.", now=NOW)
    carry_out_refund(refund_id=Refund.objects.get().pk)
    (entry,) = [each for each in trail(booking, viewer=make_staff())["data"]["moneyTrail"] if each["kind"] == "REFUND"]
    assert (entry["status"], entry["amountMinor"], entry["currency"], entry["details"]) == (
        "SUCCEEDED", 150, "EUR", "The heating was out.",
    )  # fmt: skip
    assert entry["processorIds"][0].startswith("re_")


def test_the_mails_about_it_are_in_it() -> None:
    booking = booked(make_property(), guest=make_guest(), now=NOW)
    Letter.objects.filter(booking=booking).delete()
    Letter.objects.create(key="k1", to="a@example.com", template="t1", booking=booking, created_at=NOW, sent_at=NOW)
    Letter.objects.create(key="k2", to="b@example.com", template="t2", booking=booking, created_at=NOW, failed_at=NOW)
    entries = trail(booking, viewer=make_staff())["data"]["moneyTrail"]
    assert [(each["kind"], each["status"], each["details"]) for each in entries] == [
        ("MAIL", "SENT", "t1"),
        ("MAIL", "FAILED", "t2"),
    ]
    assert "example.com" not in json.dumps(entries)


def test_only_staff_and_only_of_what_exists() -> None:
    host, guest = make_host(), make_guest()
    booking = booked(make_property(host=host), guest=guest, now=NOW)
    assert without_mails(booking, viewer=make_staff()) == []
    assert top_code(trail(booking, viewer=guest)) == "FORBIDDEN"
    assert top_code(trail(booking, viewer=host)) == "FORBIDDEN"
    assert top_code(trail(booking, viewer=None)) == "UNAUTHENTICATED"
    for wrong in (to_global_id("Booking", 10**9), to_global_id("Payment", booking.pk), "nonsense"):
        assert top_code(ask(QUERY, {"id": wrong}, viewer=make_staff())) == "NOT_FOUND"
