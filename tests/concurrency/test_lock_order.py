"""Who waits for whom: the listing is locked before its bookings, by everybody."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from apps.availability import actions as ledger
from apps.availability.models import Block, Stock
from apps.bookings.actions import expire_holds, hold
from apps.bookings.models import Booking
from apps.bookings.rescheduling import move_along
from apps.core.fetching import Fetched
from apps.core.periods import Period
from apps.hosting import actions as hosting
from apps.hosting import calendars
from apps.hosting.feeds import Busy
from apps.hosting.models import ImportedCalendar
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from tests.concurrency.guards import somebody_waits
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_guest, make_property
from tests.serving import at_once, eventually

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def held_event(*, holds: int) -> Listing:
    event = make_event(tickets=64)
    for _ in range(holds):
        hold_ticket(event)
    return event


def hold_ticket(event: Listing) -> str:
    request = BookingRequest(tickets=1)
    hold(kind_code="EVENT", listing_id=event.pk, listing_field="event", request=request, guest=make_guest(), now=NOW)
    return "HELD"


def move(event: Listing, *, hours: int) -> str:
    start = event.event.starts_at + hours * HOUR
    fields = {"starts_at": start, "ends_at": start + 2 * HOUR}
    hosting.update_listing(viewer=event.host, kind_code="EVENT", listing_id=event.pk, fields=fields, now=NOW)
    return "MOVED"


def sweep() -> str:
    """Long after the holds of the test ran out."""
    expire_holds(now=NOW + HOUR)
    return "SWEPT"


def in_thread(call: Callable[[], Any]) -> Any:
    try:
        return call()
    finally:
        connection.close()


def test_a_sweep_waits_for_a_host_who_moves_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second hold that gives its ticket back writes the stock again, and so asks for the listing at its end."""
    event = held_event(holds=2)
    with ThreadPoolExecutor() as pool:
        sweeps: list[Future[str]] = []

        def move_while_a_sweep_waits(**arguments: Any) -> list[int]:
            sweeps.append(pool.submit(in_thread, sweep))
            eventually(somebody_waits, "the sweep waits for the listing")
            return move_along(**arguments)

        monkeypatch.setattr(hosting, "move_along", move_while_a_sweep_waits)
        assert move(event, hours=5) == "MOVED"
        assert [each.result() for each in sweeps] == ["SWEPT"]
    assert Counter(Booking.objects.values_list("status", flat=True)) == {"EXPIRED": 2}
    assert {booking.span.start for booking in Booking.objects.all()} == {event.event.starts_at + 5 * HOUR}
    assert Stock.objects.get(pk=event.pk).taken == 0


def test_sweeps_moves_and_new_holds_never_lock_each_other_out() -> None:
    events = [held_event(holds=5) for _ in range(3)]
    calls: list[Callable[[], str]] = []
    for event in events:
        calls += [lambda event=event, hours=hours: move(event, hours=hours) for hours in (1, 2)]  # type: ignore[misc]
        calls += [sweep, lambda event=event: hold_ticket(event), sweep]  # type: ignore[misc]
    assert Counter(at_once(calls)) == {"MOVED": 6, "SWEPT": 6, "HELD": 3}
    sweep()
    assert Counter(Booking.objects.values_list("status", flat=True)) == {"EXPIRED": 18}
    assert set(Stock.objects.values_list("taken", flat=True)) == {0}


def test_an_event_that_is_moved_back_at_once_takes_its_bookings_along(monkeypatch: pytest.MonkeyPatch) -> None:
    event = held_event(holds=1)
    with ThreadPoolExecutor() as pool:
        others: list[Future[str]] = []

        def move_while_another_waits(**arguments: Any) -> list[int]:
            if not others:
                others.append(pool.submit(in_thread, lambda: move(event, hours=0)))
                eventually(somebody_waits, "the other move waits for the listing")
            return move_along(**arguments)

        monkeypatch.setattr(hosting, "move_along", move_while_another_waits)
        move(event, hours=5)
        assert [each.result() for each in others] == ["MOVED"]
    listing = Listing.objects.get(pk=event.pk)
    assert listing.event.starts_at == Booking.objects.get().span.start == event.event.starts_at


def test_a_feed_that_is_removed_while_it_is_carried_out_blocks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_property()
    calendar = ImportedCalendar.objects.create(
        listing=home, name="Elsewhere", url="http://127.0.0.1/a.ics", created_at=NOW, next_sync_at=NOW
    )
    said = [Busy("1", Period(NOW + HOUR, NOW + 30 * HOUR), "")]

    def carry_out() -> str:
        calendars._carry_out(calendar_id=calendar.pk, fetched=Fetched(b"", "", ""), busy=said, now=NOW)
        return "DONE"

    replace = ledger.replace_blocks
    with ThreadPoolExecutor() as pool:
        others: list[Future[str]] = []

        def replace_while_another_waits(*arguments: Any, **named: Any) -> None:
            if not others:
                others.append(pool.submit(in_thread, carry_out))
                eventually(somebody_waits, "who carries it out waits for the listing")
            replace(*arguments, **named)

        monkeypatch.setattr(ledger, "replace_blocks", replace_while_another_waits)
        calendars.remove_calendar(viewer=home.host, calendar_id=calendar.pk, now=NOW)
        assert [each.result() for each in others] == ["DONE"]
    assert not ImportedCalendar.objects.exists()
    assert not Block.objects.exists()
