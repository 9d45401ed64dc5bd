"""Many act on one booking at the same moment: exactly one outcome, and the money adds up.

`test_life_twins` loses these races without their guards.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from apps.availability.models import Allocation, Stock
from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.errors import DomainError
from apps.core.money import Money
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.payments.gateway import GatewayUnavailable
from apps.payments.models import Charge, Refund, WebhookEvent
from tests.bookings.life import (
    MINUTE,
    NIGHT,
    again,
    authenticate,
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

CLIENTS = 32


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


def next_drivers(spot: Listing, count: int) -> list[Callable[[], str]]:
    """So many drivers who want the hour after the first."""
    next_hour: dict[str, Any] = {
        "kind_code": spot.kind,
        "listing_id": spot.pk,
        "listing_field": "spot",
        "request": BookingRequest(starts_at=NOW + 60 * MINUTE, minutes=60),
    }
    return [outcome(actions.hold, **next_hour, guest=make_guest()) for _ in range(count)]


def giving_back(booking: Booking, minor: int, **more: Any) -> Callable[[], str]:
    """The host gives that much of the only payment back."""
    amount = Money(minor, booking.currency)
    payment = Charge.objects.get(bill=booking.bill_id).pk
    return outcome(actions.refund, viewer=booking.listing.host, payment_id=payment, amount=amount, **more)


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
    pays = [outcome(actions.pay, payment_method="pm_card_visa", **by_guest(booking))] * 64
    assert Counter(at_once(pays)) == {"DONE": 64}
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
    # All of it twice, and of two cancels of a booking one counts. Whose payment Stripe is carrying out for the other asks later.
    outcomes = at_once([*calls, *calls])
    cancels = outcomes[8:16] + outcomes[24:]
    assert Counter(cancels) == {"DONE": 8, "WRONG_STATE": 8}
    assert set(outcomes[:8] + outcomes[16:24]) <= {"DONE", "AGAIN"}
    work()
    for booking in bookings:
        assert (again(booking).status, again(booking).bill.paid.minor) == ("CANCELED", 0)
        assert charges(booking)[0][0] in ("REFUNDED", "CANCELED")
    assert not Allocation.objects.filter(is_active=True).exists()


def test_ending_and_the_sweep_at_once_charge_once() -> None:
    booking = parked(make_parking_spot(price_minor=6_000), minutes=60)
    over = NOW + 60 * MINUTE
    ends = [outcome(actions.end, now=over, **by_guest(booking))] * 16
    outcomes = Counter(at_once([*ends, *[outcome(actions.finish_due, now=over)] * 16]))
    assert outcomes["WRONG_STATE"] in (15, 16)
    assert outcomes["DONE"] == 32 - outcomes["WRONG_STATE"]
    work(now=over)
    assert (again(booking).status, charges(booking)) == ("COMPLETED", [("SUCCEEDED", 6_000)])
    assert (told(booking)["ENDED"], told(booking)["COMPLETED"]) == (1, 1)


def test_who_stays_longer_and_who_comes_next_never_share_the_spot() -> None:
    spot = make_parking_spot()
    booking = parked(spot, minutes=60)
    later = BookingRequest(ends_at=NOW + 90 * MINUTE)
    stays = outcome(actions.change, **by_guest(booking), change=later)
    outcomes = at_once([stays, *next_drivers(spot, CLIENTS - 1)])
    assert Counter(outcomes) == {"DONE": 1, "UNAVAILABLE": CLIENTS - 1}
    taken = sorted((row.occupied.start, row.occupied.end) for row in Allocation.objects.filter(is_active=True))
    assert all(first[1] <= second[0] for first, second in pairwise(taken))


def test_refunds_at_once_never_give_back_more_than_was_paid() -> None:
    booking = stay(make_property(), 2)
    outcomes = Counter(at_once([giving_back(booking, 3_000)] * CLIENTS))
    assert outcomes == {"DONE": 6, "INVALID": CLIENTS - 6}
    work()
    assert ledger(booking) == (20_000, 20_000, 18_000)
    assert Counter(Refund.objects.values_list("status", flat=True)) == {"SUCCEEDED": 6}


def test_refunds_under_one_key_at_once_are_one_refund() -> None:
    booking = stay(make_property(), 2)
    calls = [giving_back(booking, 3_000, idempotency_key="once-for-all")] * CLIENTS
    assert Counter(at_once(calls)) == {"DONE": CLIENTS}
    assert ledger(booking) == (20_000, 20_000, 3_000)


def test_changes_at_once_are_made_one_after_the_other() -> None:
    home = make_property(units=2)
    bookings = [held(home, **nights(home, 1)) for _ in range(2)]
    assert bookings[0].check_in is not None
    wanted = [BookingRequest(check_out=bookings[0].check_in + count * NIGHT) for count in range(2, 10)]
    calls = [outcome(actions.change, **by_guest(booking), change=change) for booking in bookings for change in wanted]
    assert Counter(at_once(calls)) == {"DONE": 16}
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
    outcomes = Counter(at_once([outcome(actions.change, **by_guest(booking), change=change)] * CLIENTS))
    # While the difference is with the processor nobody else changes anything.
    assert outcomes == {"DONE": 1, "WRONG_STATE": CLIENTS - 1}
    work()
    assert charges(booking) == [("SUCCEEDED", 10_000), ("SUCCEEDED", 10_000)]


def test_changing_and_canceling_at_once_leaves_no_place_taken() -> None:
    home = make_property(units=8)
    bookings = [held(home, **nights(home, 1)) for _ in range(8)]
    assert bookings[0].check_in is not None
    change = BookingRequest(check_out=bookings[0].check_in + 3 * NIGHT)
    changes = [outcome(actions.change, **by_guest(booking), change=change) for booking in bookings]
    cancels = [outcome(actions.cancel, **by_guest(booking)) for booking in bookings]
    outcomes = at_once([*changes, *cancels, *changes, *cancels])
    # Of the cancels of each booking one counts, and after it nothing is changed any more.
    assert Counter([*outcomes[8:16], *outcomes[24:]]) == {"DONE": 8, "WRONG_STATE": 8}
    assert set(outcomes[:8] + outcomes[16:24]) <= {"DONE", "WRONG_STATE"}
    for booking in bookings:
        assert (again(booking).status, told(booking)["CANCELED"]) == ("CANCELED", 1)
    assert not Allocation.objects.filter(is_active=True).exists()


def test_paying_while_the_hold_runs_out_keeps_the_place_or_takes_no_money() -> None:
    event = make_event(tickets=16)
    bookings = [held(event, tickets=1) for _ in range(16)]
    over = bookings[-1].expires_at
    assert over is not None
    pays = [outcome(actions.pay, payment_method="pm_card_visa", **by_guest(booking)) for booking in bookings]
    answers = at_once([*pays, *[outcome(actions.expire_holds, now=over)] * 16])
    assert set(answers[16:]) == {"DONE"}
    work(now=over)
    for booking, answer in zip(bookings, answers[:16], strict=True):
        after = again(booking)
        kept = ("CONFIRMED", True, [("SUCCEEDED", 10_000)])
        gone: tuple[str, bool, list[tuple[str, int]]] = ("EXPIRED", False, [])
        wanted = {"DONE": kept, "HOLD_EXPIRED": gone}[answer]
        assert (after.status, after.allocation.is_active, charges(booking)) == wanted
    assert Stock.objects.get().taken == answers[:16].count("DONE")


def test_webhooks_workers_and_sweeps_at_once_settle_once() -> None:
    booking = paid(held(make_event(), tickets=1), card="pm_card_authenticationRequired")
    charge = Charge.objects.get()
    authenticate(charge)
    Charge.objects.update(updated_at=NOW)
    told_of: dict[str, Any] = {"type": "payment_intent.succeeded", "object_id": charge.intent_id, "received_at": NOW}
    events = [WebhookEvent.objects.create(event_id=name, **told_of) for name in ("evt_1", "evt_2")]
    later = NOW + 2 * MINUTE
    calls = [outcome(actions.carry_out_payment, charge_id=charge.pk)] * 8
    calls += [outcome(actions.handle_event, event_id=each.event_id) for each in events] * 4
    calls += [outcome(actions.resume_payments, now=later)] * 8
    calls += [outcome(actions.refresh, **by_guest(booking))] * 8
    assert Counter(at_once(calls)) == {"DONE": CLIENTS}
    assert (again(booking).status, ledger(booking)) == ("CONFIRMED", (10_000, 10_000, 0))
    assert (told(booking)["PAYMENT_SUCCEEDED"], told(booking)["CONFIRMED"]) == (1, 1)


def test_a_ticket_admits_once() -> None:
    event = make_event(starts_at=NOW + 60 * MINUTE)
    booking = paid(held(event, tickets=2))
    scan = outcome(actions.check_in, viewer=event.host, has_id=False, ticket_code=booking.ticket_code)
    assert Counter(at_once([scan] * CLIENTS)) == {"DONE": 1, "WRONG_STATE": CLIENTS - 1}
    assert (again(booking).status, told(booking)["CHECKED_IN"]) == ("CHECKED_IN", 1)
