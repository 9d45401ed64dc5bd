"""What a change charges and gives back, after whatever happened to the money before."""

from datetime import timedelta
from typing import Any

import pytest

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.errors import DomainError
from apps.core.money import Money
from apps.listings.offers import BookingRequest
from apps.payments.models import Charge
from tests.bookings.life import (
    MONTH,
    NIGHT,
    again,
    changed,
    charges,
    gave_back,
    held,
    ledger,
    longer,
    nights,
    paid,
    parked,
    stay,
    story,
    work,
)
from tests.hosting.inputs import NOW, refusals
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_staff

pytestmark = pytest.mark.django_db(transaction=True)


def quoted(booking: Booking, **wanted: Any) -> int | str:
    """The difference that the guest is quoted in minor units, or the one error."""
    quote = actions.change_quote(
        viewer=booking.guest, booking_id=booking.pk, access_token=None, change=BookingRequest(**wanted), now=NOW
    )
    if quote.errors:
        (error,) = quote.errors
        return error.code.value
    assert quote.total is not None
    return quote.total.minor


def until(booking: Booking, count: int) -> dict[str, Any]:
    assert booking.check_in is not None
    return {"check_out": booking.check_in + count * NIGHT}


def moved(booking: Booking, count: int) -> int:
    """Make the stay that many nights long: what was charged for it, or below zero what went back; as it was quoted."""
    promised = quoted(booking, **until(booking, count))
    _, captured, refunded = ledger(booking)
    longer(booking, count)
    _, captured_now, refunded_now = ledger(booking)
    difference = captured_now - captured - (refunded_now - refunded)
    assert difference == promised
    return difference


def let_card_fail(booking: Booking) -> None:
    """The card that paid is declined from now on."""
    Charge.objects.filter(bill=booking.bill_id).update(payment_method="pm_card_chargeDeclined")


def test_dearer_charges_the_difference_and_cheaper_gives_it_back() -> None:
    booking = stay(make_property(), 2)
    assert moved(booking, 5) == 30_000
    assert charges(booking) == [("SUCCEEDED", 20_000), ("SUCCEEDED", 30_000)]
    assert moved(booking, 1) == -40_000
    # The newest payment first.
    assert charges(booking) == [("PARTIALLY_REFUNDED", 20_000), ("REFUNDED", 30_000)]
    assert ledger(booking) == (10_000, 50_000, 40_000)


def test_what_the_host_gave_back_is_not_charged_again_by_a_dearer_change() -> None:
    booking = gave_back(stay(make_property(), 2), 5_000)
    assert moved(booking, 3) == 10_000
    assert ledger(booking) == (30_000, 30_000, 5_000)


def test_a_cheaper_change_gives_back_no_more_than_is_there() -> None:
    booking = gave_back(stay(make_property(), 2), 15_000)
    assert moved(booking, 1) == -5_000
    assert ledger(booking) == (10_000, 20_000, 20_000)


def test_what_the_terms_kept_of_a_cheaper_change_pays_for_nothing_later() -> None:
    booking = stay(make_property(cancellation_policy="STRICT"), 3)
    assert moved(booking, 2) == -5_000
    assert ledger(booking) == (20_000, 30_000, 5_000)
    assert moved(booking, 3) == 10_000
    assert ledger(booking) == (30_000, 40_000, 5_000)


def test_nothing_comes_back_where_the_terms_say_so_and_the_next_change_still_counts_from_there() -> None:
    booking = stay(make_property(cancellation_policy="NON_REFUNDABLE"), 3)
    assert moved(booking, 1) == 0
    assert ledger(booking) == (10_000, 30_000, 0)
    assert moved(booking, 2) == 10_000


def test_half_of_an_odd_difference_is_rounded_up() -> None:
    booking = stay(make_property(price_minor=1001, cancellation_policy="STRICT"), 2)
    assert moved(booking, 1) == -501


def test_a_declined_difference_stays_owed_and_is_paid_by_hand() -> None:
    booking = stay(make_property(), 2)
    let_card_fail(booking)
    assert longer(booking, 4).status == "CONFIRMED"
    assert [status for status, _ in charges(booking)] == ["SUCCEEDED", "FAILED"]
    assert again(booking).bill.owed == Money(20_000, "EUR")
    assert paid(booking).bill.owed == Money(0, "EUR")
    assert charges(booking)[-1] == ("SUCCEEDED", 20_000)
    nothing_owed = {"viewer": booking.guest, "booking_id": booking.pk, "payment_method": "pm_card_visa", "now": NOW}
    assert refusals(actions.pay, **nothing_owed) == {("WRONG_STATE", "booking_id")}


def test_becoming_less_dear_than_what_was_declined_charges_nothing_by_itself() -> None:
    booking = stay(make_property(), 2)
    let_card_fail(booking)
    longer(booking, 4)
    assert quoted(booking, **until(booking, 3)) == 0
    longer(booking, 3)
    assert len(charges(booking)) == 2
    assert again(booking).bill.owed == Money(10_000, "EUR")


def test_a_dearer_change_charges_along_what_was_declined_before() -> None:
    booking = stay(make_property(), 2)
    let_card_fail(booking)
    longer(booking, 4)
    assert quoted(booking, **until(booking, 5)) == 30_000
    longer(booking, 5)
    assert charges(booking)[-1] == ("FAILED", 30_000)


def test_back_to_what_is_settled_after_a_decline_neither_charges_nor_refunds() -> None:
    booking = stay(make_property(), 2)
    let_card_fail(booking)
    longer(booking, 4)
    longer(booking, 2)
    assert ledger(booking) == (20_000, 20_000, 0)
    assert again(booking).bill.owed == Money(0, "EUR")


def test_below_what_is_settled_after_a_decline_gives_back_from_there() -> None:
    booking = stay(make_property(), 2)
    let_card_fail(booking)
    longer(booking, 4)
    assert moved(booking, 1) == -10_000


def test_a_hold_that_changes_is_paid_once_at_its_new_price() -> None:
    home = make_property()
    booking = held(home, **nights(home, 2))
    assert quoted(booking, **until(booking, 3)) == 10_000
    assert quoted(booking, **until(booking, 1)) == -10_000
    longer(booking, 3)
    assert charges(booking) == []
    paid(booking)
    assert charges(booking) == [("SUCCEEDED", 30_000)]
    assert ledger(booking) == (30_000, 30_000, 0)


def test_what_is_added_is_priced_today_and_what_was_bought_keeps_its_price() -> None:
    booking = stay(make_property(), 2)
    booking.listing.price_minor = 50_000
    booking.listing.save()
    assert moved(booking, 3) == 50_000
    assert moved(booking, 2) == -50_000


def test_tickets_may_be_changed_within_what_is_left_and_their_own() -> None:
    event = make_event(tickets=4)
    booking = paid(held(event, tickets=3))
    assert changed(booking, tickets=4).tickets == 4
    assert ledger(booking) == (40_000, 40_000, 0)
    wanted = {"viewer": booking.guest, "booking_id": booking.pk, "now": NOW}
    assert refusals(actions.change, **wanted, change=BookingRequest(tickets=5)) == {("OUTSIDE_RULES", "tickets")}
    assert changed(booking, tickets=1).allocation.quantity == 1
    held(event, tickets=3)
    assert refusals(actions.change, **wanted, change=BookingRequest(tickets=2)) == {("UNAVAILABLE", "tickets")}
    assert ledger(booking) == (10_000, 40_000, 30_000)


def test_more_than_can_be_charged_is_refused_at_the_price_as_booked_and_at_todays() -> None:
    dear, cheap = (make_event(tickets=1_000_000, price_minor=price) for price in (10_000_000_000, 1))
    for event, field in ((dear, "tickets"), (cheap, "")):
        booking = held(event, tickets=1)
        event.price_minor = 10_000_000_000
        event.save()
        wanted = {"viewer": booking.guest, "booking_id": booking.pk, "now": NOW}
        before = ledger(booking)
        assert refusals(actions.change, **wanted, change=BookingRequest(tickets=1_000_000)) == {
            ("OUTSIDE_RULES", field)
        }
        assert quoted(booking, tickets=1_000_000) == "OUTSIDE_RULES"
        assert (ledger(booking), again(booking).tickets) == (before, 1)


def test_the_change_is_told_before_what_follows_from_it() -> None:
    booking = stay(make_property(), 2)
    longer(booking, 3)
    longer(booking, 1)
    assert story(booking)[-5:] == [
        ("CHANGED", "GUEST"),
        ("PAYMENT_STARTED", "SYSTEM"),
        ("PAYMENT_SUCCEEDED", "SYSTEM"),
        ("CHANGED", "GUEST"),
        ("REFUNDED", "GUEST"),
    ]


def test_the_quote_refuses_whom_and_when_the_change_refuses() -> None:
    home = make_property()
    booking = stay(home, 2)
    change = BookingRequest(**until(booking, 3))

    def refused(viewer: Any, now: Any = NOW) -> str:
        given = {"viewer": viewer, "booking_id": booking.pk, "change": change, "now": now}
        quote = actions.change_quote(access_token=None, **given)
        (error,) = quote.errors
        assert (quote.lines, quote.total, quote.is_available) == ([], None, False)
        assert refusals(actions.change, **given) == {(error.code.value, ".".join(error.field))}
        return error.code.value

    assert refused(home.host) == "NOT_ALLOWED"
    assert refused(make_guest()) == "NOT_FOUND"
    assert refused(booking.guest, now=NOW + MONTH + 3 * NIGHT) == "WRONG_STATE"
    actions.change(viewer=make_staff(), booking_id=booking.pk, change=change, now=NOW)
    change = BookingRequest(**until(booking, 4))
    # The difference is with the processor.
    assert refused(booking.guest) == "WRONG_STATE"
    work()
    assert moved(booking, 4) == 10_000


def test_a_driver_who_was_checked_in_still_chooses_when_to_leave() -> None:
    spot = make_parking_spot()
    booking = parked(spot, minutes=60)
    actions.check_in(viewer=spot.host, booking_id=booking.pk, has_id=True, now=NOW)
    later = NOW + timedelta(hours=3)
    assert changed(booking, ends_at=later).allocation.occupied.end == later
    assert charges(booking) == [("AUTHORIZED", 30_000)]


def test_a_guest_who_was_checked_in_elsewhere_changes_nothing() -> None:
    home = make_property()
    booking = stay(home, 2, first=NIGHT)
    at_the_door = booking.span.start + timedelta(hours=1)
    actions.check_in(viewer=home.host, booking_id=booking.pk, has_id=True, now=at_the_door)
    with pytest.raises(DomainError, match="CHECKED_IN"):
        longer(booking, 3, now=at_the_door)
    assert ledger(booking) == (20_000, 20_000, 0)
