"""Many hosts' clients at once: the database decides."""

from collections import Counter

import pytest
from django.db import connection

from apps.availability.models import Stock, Unit
from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.core.errors import DomainError
from apps.core.periods import Period
from apps.hosting.actions import TITLE_ONCE, archive_listing, create_listing, delete_listing, update_listing
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from tests.hosting.inputs import NOW, RIGHT
from tests.recipes import make_event, make_guest, make_host
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 32


def created(host: object, title: str) -> str:
    fields = {**RIGHT["PROPERTY"], "title": title}
    try:
        create_listing(host=host, kind_code="PROPERTY", fields=fields, now=NOW)  # type: ignore[arg-type]
    except DomainError as error:
        return error.code
    return "CREATED"


def test_of_many_alike_titles_one_wins() -> None:
    host = make_host()
    titles = ["Lake house", "LAKE HOUSE"] * (CLIENTS // 2)
    outcomes = Counter(at_once([lambda title=title: created(host, title) for title in titles]))  # type: ignore[misc]
    assert outcomes == {"CREATED": 1, "DUPLICATE": CLIENTS - 1}
    assert Unit.objects.filter(listing__host=host).count() == 1


def test_without_the_constraint_many_win() -> None:
    host = make_host()
    constraint = next(each for each in Listing._meta.constraints if each.name == TITLE_ONCE)
    with connection.schema_editor() as editor:
        editor.remove_constraint(Listing, constraint)
    try:
        outcomes = Counter(at_once([lambda: created(host, "Lake house")] * CLIENTS))
        assert outcomes == {"CREATED": CLIENTS}
    finally:
        Unit.objects.all().delete()
        connection.cursor().execute("TRUNCATE listings_listing CASCADE")
        with connection.schema_editor() as editor:
            editor.add_constraint(Listing, constraint)


def test_bookings_of_an_event_that_moves_all_end_up_at_its_time() -> None:
    event = make_event(tickets=CLIENTS)
    start = event.event.starts_at
    guests = [make_guest() for _ in range(CLIENTS - 4)]

    def book(number: int) -> str:
        hold(
            kind_code="EVENT",
            listing_id=event.pk,
            listing_field="event_id",
            request=BookingRequest(tickets=1),
            guest=guests[number],
            now=NOW,
        )
        return "BOOKED"

    def move(number: int) -> str:
        length = event.event.ends_at - start
        moved = start + length * (number + 1)
        fields = {"starts_at": moved, "ends_at": moved + length}
        update_listing(viewer=event.host, kind_code="EVENT", listing_id=event.pk, fields=fields, now=NOW)
        return "MOVED"

    calls = [lambda n=n: book(n) for n in range(len(guests))] + [lambda n=n: move(n) for n in range(4)]
    calls = calls[-4:-2] + calls[:-4] + calls[-2:]
    assert Counter(at_once(calls)) == {"BOOKED": len(guests), "MOVED": 4}
    row = Listing.objects.get(pk=event.pk).event
    period = Period(row.starts_at, row.ends_at)
    bookings = list(Booking.objects.filter(listing=event).select_related("allocation"))
    assert len(bookings) == len(guests)
    assert {booking.span for booking in bookings} == {period}
    assert {booking.allocation.occupied for booking in bookings} == {period}
    assert Stock.objects.get(pk=event.pk).taken == len(guests)


@pytest.mark.parametrize("action", [archive_listing, delete_listing])
def test_nobody_books_what_has_left_the_market(action: object) -> None:
    event = make_event(tickets=CLIENTS)
    guests = [make_guest() for _ in range(CLIENTS - 1)]

    def book(number: int) -> str:
        try:
            hold(
                kind_code="EVENT",
                listing_id=event.pk,
                listing_field="event_id",
                request=BookingRequest(tickets=1),
                guest=guests[number],
                now=NOW,
            )
        except DomainError as error:
            return error.code
        return "BOOKED"

    def leave() -> str:
        try:
            action(viewer=event.host, listing_id=event.pk, now=NOW)  # type: ignore[operator]
        except DomainError as error:
            return error.code
        return "GONE"

    outcomes = Counter(at_once([leave, *(lambda n=n: book(n) for n in range(len(guests)))]))
    listing = Listing.objects.get(pk=event.pk)
    assert Booking.objects.filter(listing=event).count() == outcomes["BOOKED"]
    if action is delete_listing:
        # Deleted with live bookings: never.
        assert (listing.deleted_at is None) == (outcomes["WRONG_STATE"] == 1)
        assert listing.deleted_at is None or outcomes["BOOKED"] == 0
    else:
        assert (listing.status, outcomes["GONE"]) == ("ARCHIVED", 1)
