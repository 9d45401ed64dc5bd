"""Many act on one booking at the same moment: exactly one outcome, and the money adds up."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from apps.availability.models import Allocation
from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.errors import DomainError
from apps.core.money import Money
from apps.listings.offers import BookingRequest
from apps.payments.gateway import GatewayUnavailable
from apps.payments.models import Charge, Refund
from tests.bookings.life import (
    MINUTE,
    NIGHT,
    again,
    charges,
    held,
    ledger,
    nights,
    paid,
    parked,
    stay,
    story,
    work,
)
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_guest, make_parking_spot, make_property
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 16


def outcome(action: Callable[..., Any], *, now: datetime = NOW, **arguments: Any) -> Callable[[], str]:
    """A call that answers "DONE", the code of its refusal, or "AGAIN" where the processor is being asked already."""

    def call() -> str:
        try:
            action(now=now, **arguments)
        except DomainError as error:
            return str(error.code.value)
        except GatewayUnavailable:
            return "AGAIN"
        return "DONE"

    return call


def by_guest(booking: Booking) -> dict[str, Any]:
    return {"viewer": booking.guest, "booking_id": booking.pk}


def told(booking: Booking) -> Counter[str]:
    return Counter(kind for kind, _ in story(booking))


def test_of_many_cancels_one_counts() -> None:
    booking = stay(make_property(), 2)
    assert Counter(at_once([outcome(actions.cancel, **by_guest(booking))] * CLIENTS)) == {
        "DONE": 1,
        "WRONG_STATE": CLIENTS - 1,
    }
    work()
    assert (ledger(booking), charges(booking)) == ((20_000, 20_000, 20_000), [("REFUNDED", 20_000)])
    assert (told(booking)["CANCELED"], told(booking)["REFUNDED"]) == (1, 1)


def test_of_many_payments_one_is_made() -> None:
    booking = held(make_event(), tickets=1)
    pays = [outcome(actions.pay, payment_method="pm_card_visa", **by_guest(booking))] * CLIENTS
    assert Counter(at_once(pays)) == {"DONE": CLIENTS}
    charge = Charge.objects.get()
    # Many workers are told of it too.
    workers = Counter(at_once([outcome(actions.carry_out_payment, charge_id=charge.pk)] * 4))
    assert set(workers) <= {"DONE", "AGAIN"}
    work()
    assert (again(booking).status, charges(booking)) == ("CONFIRMED", [("SUCCEEDED", 10_000)])
    assert (told(booking)["PAYMENT_STARTED"], told(booking)["PAYMENT_SUCCEEDED"]) == (1, 1)
    assert Charge.objects.get().receipt_number == "2026-000001"


def test_canceling_and_paying_at_once_keeps_no_money() -> None:
    event = make_event(tickets=8)
    bookings = [held(event, tickets=1) for _ in range(8)]
    for booking in bookings:
        actions.pay(**by_guest(booking), payment_method="pm_card_visa", now=NOW)
    calls = [
        outcome(actions.carry_out_payment, charge_id=charge) for charge in Charge.objects.values_list("pk", flat=True)
    ]
    calls += [outcome(actions.cancel, **by_guest(booking)) for booking in bookings]
    assert set(at_once(calls)) == {"DONE"}
    work()
    for booking in bookings:
        assert (again(booking).status, again(booking).bill.paid.minor) == ("CANCELED", 0)
        assert charges(booking)[0][0] in ("REFUNDED", "CANCELED")
    assert not Allocation.objects.filter(is_active=True).exists()


def test_ending_and_the_sweep_at_once_charge_once() -> None:
    booking = parked(make_parking_spot(price_minor=6_000), minutes=60)
    over = NOW + 60 * MINUTE
    ends = [outcome(actions.end, now=over, **by_guest(booking))] * 6
    outcomes = Counter(at_once([*ends, *[outcome(actions.finish_due, now=over)] * 6]))
    assert outcomes["WRONG_STATE"] in (5, 6)
    assert outcomes["DONE"] == 12 - outcomes["WRONG_STATE"]
    work(now=over)
    assert (again(booking).status, charges(booking)) == ("COMPLETED", [("SUCCEEDED", 6_000)])
    assert (told(booking)["ENDED"], told(booking)["COMPLETED"]) == (1, 1)


def test_who_stays_longer_and_who_comes_next_never_share_the_spot() -> None:
    spot = make_parking_spot()
    booking = parked(spot, minutes=60)
    later = BookingRequest(ends_at=NOW + 90 * MINUTE)
    next_hour: dict[str, Any] = {
        "kind_code": spot.kind,
        "listing_id": spot.pk,
        "listing_field": "spot",
        "request": BookingRequest(starts_at=NOW + 60 * MINUTE, minutes=60),
    }
    holds = [outcome(actions.hold, **next_hour, guest=make_guest()) for _ in range(8)]
    outcomes = at_once([outcome(actions.change, **by_guest(booking), change=later), *holds])
    assert Counter(outcomes) == {"DONE": 1, "UNAVAILABLE": 8}
    taken = sorted((row.occupied.start, row.occupied.end) for row in Allocation.objects.filter(is_active=True))
    assert all(first[1] <= second[0] for first, second in pairwise(taken))


def test_refunds_at_once_never_give_back_more_than_was_paid() -> None:
    booking = stay(make_property(), 2)
    charge = Charge.objects.get()
    give: dict[str, Any] = {"viewer": booking.listing.host, "payment_id": charge.pk, "amount": Money(3_000, "EUR")}
    outcomes = Counter(at_once([outcome(actions.refund, **give)] * CLIENTS))
    assert outcomes == {"DONE": 6, "INVALID": CLIENTS - 6}
    work()
    assert ledger(booking) == (20_000, 20_000, 18_000)
    assert Counter(Refund.objects.values_list("status", flat=True)) == {"SUCCEEDED": 6}


def test_refunds_under_one_key_at_once_are_one_refund() -> None:
    booking = stay(make_property(), 2)
    charge = Charge.objects.get()
    give: dict[str, Any] = {"viewer": booking.listing.host, "payment_id": charge.pk, "amount": Money(3_000, "EUR")}
    calls = [outcome(actions.refund, **give, idempotency_key="once-for-all")] * CLIENTS
    assert Counter(at_once(calls)) == {"DONE": CLIENTS}
    assert ledger(booking) == (20_000, 20_000, 3_000)


def test_changes_at_once_are_made_one_after_the_other() -> None:
    home = make_property(units=2)
    bookings = [held(home, **nights(home, 1)) for _ in range(2)]
    assert bookings[0].check_in is not None
    wanted = [BookingRequest(check_out=bookings[0].check_in + count * NIGHT) for count in (2, 3, 4, 5)]
    calls = [outcome(actions.change, **by_guest(booking), change=change) for booking in bookings for change in wanted]
    assert Counter(at_once(calls)) == {"DONE": 8}
    for booking in bookings:
        now_booked = again(booking)
        count = (now_booked.period.upper - now_booked.period.lower + timedelta(hours=4)).days
        assert ledger(booking) == (count * 10_000, 0, 0)
        assert now_booked.allocation.occupied == now_booked.span
    assert Allocation.objects.filter(is_active=True).count() == 2


def test_dearer_changes_at_once_are_charged_one_by_one() -> None:
    booking = stay(make_property(), 1)
    assert booking.check_in is not None
    change = BookingRequest(check_out=booking.check_in + 2 * NIGHT)
    outcomes = Counter(at_once([outcome(actions.change, **by_guest(booking), change=change)] * 8))
    # While the difference is with the processor nobody else changes anything.
    assert outcomes == {"DONE": 1, "WRONG_STATE": 7}
    work()
    assert charges(booking) == [("SUCCEEDED", 10_000), ("SUCCEEDED", 10_000)]


def test_parallel_receipts_have_no_gaps() -> None:
    event = make_event()
    cards = ["pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined", "pm_card_visa"] * 3
    bookings = [held(event, tickets=1) for _ in cards]

    def paying(booking: Booking, card: str) -> Callable[[], Booking]:
        return lambda: paid(booking, card=card)

    at_once([paying(booking, card) for booking, card in zip(bookings, cards, strict=True)])
    numbers = Charge.objects.filter(status="SUCCEEDED").values_list("receipt_number", flat=True)
    assert sorted(str(number) for number in numbers) == [f"2026-{number:06d}" for number in range(1, 10)]
