"""A hold has run out and somebody else is at it: nobody is refused for that what nobody has, whatever they want it for."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from apps.accounts import actions as accounts
from apps.availability.models import Allocation, Stock
from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.db import unit_of_work
from apps.core.fetching import Fetched
from apps.hosting import actions as hosting
from apps.hosting import blocks, calendars
from apps.hosting.feeds import Busy
from apps.hosting.models import ImportedCalendar
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.payments import gateway
from apps.payments.models import Charge
from tests.bookings.life import MINUTE, again, authenticate, charges, held, nights, paid, work
from tests.concurrency.test_leaving_races import Meanwhile
from tests.concurrency.test_life_races import by_guest, outcome
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_guest, make_property

pytestmark = pytest.mark.django_db(transaction=True)

# `apps.bookings.actions` also has functions of these names.
EXPIRING = sys.modules["apps.bookings.actions.expire"]
PAYING = sys.modules["apps.bookings.actions.pay"]
LATER = NOW + 16 * MINUTE
STILL_LATER = LATER + 16 * MINUTE
EMAIL = "grace@navy.example"
Act = Callable[..., Any]


def while_it_is_swept(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], str], *, waits: bool = True, now: Any = LATER
) -> str:
    """What comes of the act when a sweep has locked run-out holds and has given nothing back yet."""
    comer = Meanwhile(monkeypatch, EXPIRING, "expire", act, waits=waits)
    actions.expire_holds(now=now)
    return comer.outcome()


def dead_beside(listing: Listing, own: dict[str, Any], dead: dict[str, Any]) -> Booking:
    """A hold that stands at LATER, of a listing where another one has run out by then."""
    held(listing, **dead)
    return held(listing, **own, now=NOW + 10 * MINUTE)


def stay_to_move() -> tuple[Booking, BookingRequest]:
    """A stay, and the nights of a dead hold that its guest would rather have."""
    home = make_property()
    wanted = nights(home, 2)
    return dead_beside(home, nights(home, 2, first=timedelta(days=60)), wanted), BookingRequest(
        check_in=wanted["check_in"], check_out=wanted["check_out"]
    )


def tickets_to_add() -> tuple[Booking, BookingRequest]:
    """One of two tickets, and the wish for the other one, which is a dead hold's."""
    return dead_beside(make_event(tickets=2), {"tickets": 1}, {"tickets": 1}), BookingRequest(tickets=2)


CHANGES = pytest.mark.parametrize("make", [stay_to_move, tickets_to_add])


def changing(booking: Booking, change: BookingRequest, *, action: Act = actions.change) -> Callable[[], str]:
    return outcome(action, now=LATER, **by_guest(booking), change=change)


@CHANGES
def test_a_change_waits_for_who_clears_the_new_place(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], tuple[Booking, BookingRequest]]
) -> None:
    booking, change = make()
    assert while_it_is_swept(monkeypatch, changing(booking, change)) == "DONE"
    after = again(booking)
    assert (after.check_in, after.tickets) == (change.check_in, change.tickets)
    assert Allocation.objects.get(is_active=True).pk == after.allocation_id
    assert list(Stock.objects.values_list("taken", flat=True)) == ([2] if change.tickets else [])


@CHANGES
def test_twin_a_change_that_does_not_wait_is_refused(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], tuple[Booking, BookingRequest]]
) -> None:
    booking, change = make()
    act = changing(booking, change, action=actions.change.__wrapped__)  # type: ignore[attr-defined]
    assert while_it_is_swept(monkeypatch, act, waits=False) == "UNAVAILABLE"
    after = again(booking)
    assert (after.check_in, after.tickets, after.status) == (booking.check_in, booking.tickets, "PENDING")
    assert Allocation.objects.get(is_active=True).pk == booking.allocation_id


# ------------------------------------------------------------------------------------ money that comes late


def paid_too_late() -> Booking:
    """Its payer answered the bank when the hold had run out, and since then somebody else's has run out there too."""
    home = make_property()
    booking = paid(held(home, **nights(home, 2)), card="pm_card_authenticationRequired")
    authenticate(Charge.objects.get())
    actions.expire_holds(now=LATER)
    held(home, **nights(home, 2), now=LATER)
    return booking


def hearing(booking: Booking) -> Callable[[], str]:
    charge = Charge.objects.get(bill=booking.bill_id)
    told = gateway.look_up(intent_id=charge.intent_id)
    return outcome(actions.settle, charge_id=charge.pk, outcome=told, now=STILL_LATER)


def test_a_late_payment_waits_for_who_clears_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    booking = paid_too_late()
    assert while_it_is_swept(monkeypatch, hearing(booking), now=STILL_LATER) == "DONE"
    work(now=STILL_LATER)
    after = again(booking)
    assert (after.status, charges(booking)) == ("CONFIRMED", [("SUCCEEDED", 20_000)])
    assert Allocation.objects.get(is_active=True).pk == after.allocation_id


@contextmanager
def cleared_as_far_as_possible(**where: Any) -> Iterator[None]:
    """A refusal is a refusal, whoever is at what is in the way."""
    EXPIRING.expire_dead_holds(**where)
    yield


def test_twin_a_late_payment_goes_back_although_the_place_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    booking = paid_too_late()
    monkeypatch.setattr(PAYING, "dead_holds_cleared", cleared_as_far_as_possible)
    assert while_it_is_swept(monkeypatch, hearing(booking), waits=False, now=STILL_LATER) == "DONE"
    work(now=STILL_LATER)
    assert (again(booking).status, charges(booking)) == ("EXPIRED", [("REFUNDED", 20_000)])
    assert not Allocation.objects.filter(is_active=True).exists()


# ------------------------------------------------------------------------------------ what the host does


def held_by_email(listing: Listing, **wanted: Any) -> Booking:
    """A hold without an account, which has run out at LATER. Who verifies the address then locks it."""
    return actions.hold(
        kind_code=listing.kind,
        listing_id=listing.pk,
        listing_field="listing",
        request=BookingRequest(**wanted),
        guest=None,
        contact=actions.Contact(email=EMAIL),
        now=NOW,
    )


def blocking() -> tuple[Listing, Callable[[], str]]:
    home = make_property(units=2)
    span = held_by_email(home, **nights(home, 2)).span
    who: dict[str, Any] = {"viewer": home.host, "listing_id": home.pk}
    return home, outcome(blocks.block_period, now=LATER, start=span.start, end=span.end, **who)


def importing() -> tuple[Listing, Callable[[], str]]:
    home = make_property(units=2)
    span = held_by_email(home, **nights(home, 2)).span
    calendar = ImportedCalendar.objects.create(
        listing=home, name="Elsewhere", url="http://127.0.0.1/a.ics", created_at=NOW, next_sync_at=NOW
    )
    said: dict[str, Any] = {"fetched": Fetched(b"", "", ""), "busy": [Busy("1", span, "")]}
    return home, outcome(calendars._carry_out, now=LATER, calendar_id=calendar.pk, **said)


def offering_less() -> tuple[Listing, Callable[[], str]]:
    event = make_event(tickets=2)
    held_by_email(event, tickets=2)
    what: dict[str, Any] = {"kind_code": "EVENT", "listing_id": event.pk, "fields": {"total_tickets": 1}}
    return event, outcome(hosting.update_listing, now=LATER, viewer=event.host, **what)


def deleting() -> tuple[Listing, Callable[[], str]]:
    home = make_property()
    held_by_email(home, **nights(home, 2))
    return home, outcome(hosting.delete_listing, now=LATER, viewer=home.host, listing_id=home.pk)


def state(listing: Listing) -> tuple[int, list[int], bool]:
    """How many places are blocked, how much stock there is, and whether the listing is gone."""
    return (
        Allocation.objects.filter(holder=0).count(),
        list(Stock.objects.values_list("capacity", flat=True)),
        Listing.objects.get(pk=listing.pk).deleted_at is not None,
    )


HOSTS = pytest.mark.parametrize(
    ("make", "module", "refusal", "before", "after"),
    [
        (blocking, blocks, "UNAVAILABLE", (0, [], False), (2, [], False)),
        # A feed is refused nothing: it takes what it can.
        (importing, calendars, "DONE", (1, [], False), (2, [], False)),
        (offering_less, hosting, "OUTSIDE_RULES", (0, [2], False), (0, [1], False)),
        (deleting, hosting, "WRONG_STATE", (0, [], False), (0, [], True)),
    ],
)
State = tuple[int, list[int], bool]


def while_the_address_is_verified(monkeypatch: pytest.MonkeyPatch, act: Callable[[], str], *, waits: bool) -> str:
    """What comes of the act when the bookings of an address are being made those of its account."""
    comer = Meanwhile(monkeypatch, accounts, "publish_all", act, waits=waits)
    unit_of_work(accounts.claim_bookings)(user=make_guest(email=EMAIL), now=LATER)
    return comer.outcome()


@HOSTS
def test_a_host_waits_for_who_is_at_a_dead_hold(
    monkeypatch: pytest.MonkeyPatch, make: Any, module: Any, refusal: str, before: State, after: State
) -> None:
    listing, act = make()
    assert while_the_address_is_verified(monkeypatch, act, waits=True) == "DONE"
    assert state(listing) == after
    assert Booking.objects.get().status == "EXPIRED"


@HOSTS
def test_twin_a_host_who_does_not_wait_is_in_the_way_of_nobody(
    monkeypatch: pytest.MonkeyPatch, make: Any, module: Any, refusal: str, before: State, after: State
) -> None:
    listing, act = make()
    monkeypatch.setattr(module, "expire_every_dead_hold", EXPIRING.expire_dead_holds)
    assert while_the_address_is_verified(monkeypatch, act, waits=False) == refusal
    assert state(listing) == before
    assert Booking.objects.get().status == "PENDING"
