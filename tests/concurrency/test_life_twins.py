"""What happens to bookings when a guard is taken away: the races of `test_life_races`, lost."""

from collections import Counter

import pytest

from apps.availability.models import Allocation
from apps.bookings import actions
from apps.listings.offers import BookingRequest
from apps.payments.models import Bill, Charge, Refund
from tests.bookings.life import MINUTE, NIGHT, again, charges, held, ledger, nights, parked, stay
from tests.concurrency.guards import overtaken, unguarded, without
from tests.concurrency.test_life_races import by_guest, giving_back, next_drivers, outcome, told
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_parking_spot, make_property

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_lock_and_swap_every_cancel_counts() -> None:
    home = make_property()
    booking = held(home, **nights(home, 2))
    assert Counter(unguarded([outcome(actions.cancel, **by_guest(booking))] * 8, without_swap=True)) == {"DONE": 8}
    assert told(booking)["CANCELED"] == 8


def test_without_the_lock_the_swap_still_lets_one_cancel_through() -> None:
    home = make_property()
    booking = held(home, **nights(home, 2))
    assert Counter(unguarded([outcome(actions.cancel, **by_guest(booking))] * 8)) == {"DONE": 1, "WRONG_STATE": 7}


def test_without_guards_a_payment_confirms_what_was_canceled() -> None:
    booking = held(make_event(), tickets=1)
    charge = actions.pay(**by_guest(booking), payment_method="pm_card_visa", now=NOW)
    settles = outcome(actions.carry_out_payment, charge_id=charge.pk)
    cancels = outcome(actions.cancel, **by_guest(booking))
    assert overtaken(settles, cancels, table="payments_card") == ("DONE", "DONE")
    after = again(booking)
    assert (after.status, after.allocation.is_active, after.bill.paid.minor) == ("CONFIRMED", False, 10_000)


def test_without_guards_a_parking_ends_twice() -> None:
    booking = parked(make_parking_spot(price_minor=6_000), minutes=60)
    over = NOW + 60 * MINUTE
    sweeps = outcome(actions.finish_due, now=over)
    assert overtaken(outcome(actions.end, now=over, **by_guest(booking)), sweeps) == ("DONE", "DONE")
    assert (told(booking)["ENDED"], told(booking)["COMPLETED"]) == (2, 2)


def test_without_the_constraint_the_spot_is_shared() -> None:
    spot = make_parking_spot()
    booking = parked(spot, minutes=60)
    stays = outcome(actions.change, **by_guest(booking), change=BookingRequest(ends_at=NOW + 90 * MINUTE))
    with without(("availability_allocation", "allocation_never_overlaps")):
        outcomes = unguarded([stays, *next_drivers(spot, 7)], table="availability_allocation", is_written=True)
        assert Counter(outcomes) == {"DONE": 8}


def test_without_guards_more_goes_back_than_was_paid() -> None:
    booking = stay(make_property(), 2)
    with without(
        ("payments_charge", "charge_never_over_refunded"),
        ("payments_bill", "bill_never_over_refunded"),
    ):
        assert Counter(unguarded([giving_back(booking, 3_000)] * 8)) == {"DONE": 8}
        assert sum(Refund.objects.values_list("amount_minor", flat=True)) == 24_000 > Bill.objects.get().captured_minor


def test_without_the_lock_the_database_still_keeps_refunds_below_what_was_paid() -> None:
    booking = stay(make_property(), 2)
    outcomes = Counter(unguarded([giving_back(booking, 3_000)] * 8))
    assert outcomes == {"DONE": 6, "IntegrityError": 2}


def test_without_the_lock_a_changed_booking_keeps_two_places() -> None:
    home = make_property(units=2)
    booking = held(home, **nights(home, 1))
    assert booking.check_in is not None
    longer = [
        outcome(actions.change, **by_guest(booking), change=BookingRequest(check_out=booking.check_in + count * NIGHT))
        for count in (2, 5)
    ]
    assert overtaken(*longer) == ("DONE", "DONE")
    assert Allocation.objects.filter(is_active=True).count() == 2


def test_without_the_lock_a_canceled_booking_keeps_a_place() -> None:
    home = make_property()
    booking = held(home, **nights(home, 1))
    assert booking.check_in is not None
    change = BookingRequest(check_out=booking.check_in + 3 * NIGHT)
    changes = outcome(actions.change, **by_guest(booking), change=change)
    assert overtaken(changes, outcome(actions.cancel, **by_guest(booking))) == ("DONE", "DONE")
    assert (again(booking).status, again(booking).allocation.is_active) == ("CANCELED", True)


def test_without_the_lock_a_hold_runs_out_while_it_is_paid() -> None:
    booking = held(make_event(), tickets=1)
    assert booking.expires_at is not None
    pays = outcome(actions.pay, payment_method="pm_card_visa", **by_guest(booking))
    assert overtaken(pays, outcome(actions.expire_holds, now=booking.expires_at)) == ("DONE", "DONE")
    assert (again(booking).status, charges(booking)) == ("EXPIRED", [("PROCESSING", 10_000)])


def test_without_the_lock_webhook_and_worker_count_one_payment_twice() -> None:
    booking = held(make_event(), tickets=1)
    charge = actions.pay(**by_guest(booking), payment_method="pm_card_visa", now=NOW)
    work = outcome(actions.carry_out_payment, charge_id=charge.pk)
    assert overtaken(work, work, table="payments_card") == ("DONE", "DONE")
    # And what seems to be too much is given back: the guest has the place for nothing.
    assert ledger(booking) == (10_000, 20_000, 10_000)


def test_without_the_unique_index_many_payments_are_made() -> None:
    booking = held(make_event(), tickets=1)
    pays = [outcome(actions.pay, payment_method="pm_card_visa", **by_guest(booking))] * 8
    with without(("payments_charge", "charge_one_open")):
        assert Counter(unguarded(pays)) == {"DONE": 8}
        assert Charge.objects.count() == 8


def test_without_the_lock_the_database_still_allows_one_payment() -> None:
    booking = held(make_event(), tickets=1)
    pays = [outcome(actions.pay, payment_method="pm_card_visa", **by_guest(booking))] * 8
    assert Counter(unguarded(pays)) == {"DONE": 1, "IntegrityError": 7}
    assert Charge.objects.count() == 1
