"""Where a home is, told while it is booked and to whom it was: by account or by secret."""

from datetime import timedelta
from typing import Any

import pytest

from apps.bookings import actions
from apps.bookings.actions import Contact
from apps.bookings.models import Booking
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.bookings.life import NIGHT, again, nights, work
from tests.hosting.inputs import NOW
from tests.recipes import make_guest, make_property
from tests.schema.listings.api import ask, global_id, mutate

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "Prenzlauer Allee 1"
PLACE = "listing { location { address city } }"
LATER = NOW + 40 * NIGHT


def booked(home: Listing, guest: User | None) -> Booking:
    contact = None if guest else Contact(email="walker@example.org")
    return actions.hold(
        kind_code="PROPERTY",
        listing_id=home.pk,
        listing_field="property",
        request=BookingRequest(**nights(home, 1)),
        guest=guest,
        contact=contact,
        now=NOW,
    )


def told(booking: Booking) -> str:
    """The address that the booking itself tells its guest."""
    query = f"query ($id: ID, $secret: String) {{ booking(id: $id, accessToken: $secret) {{ {PLACE} }} }}"
    given = {"id": to_global_id("Booking", booking.pk), "secret": booking.access_token}
    place: Any = ask(query, given, viewer=booking.guest)["data"]["booking"]["listing"]["location"]
    assert place["city"] == "Berlin"
    return str(place["address"])


def told_by_listing(home: Listing, viewer: User | None) -> str:
    query = "query ($id: ID!) { listing(id: $id) { location { address } } }"
    return str(ask(query, {"id": global_id(home)}, viewer=viewer)["data"]["listing"]["location"]["address"])


def pay(booking: Booking) -> None:
    actions.pay(
        viewer=booking.guest,
        booking_id=booking.pk,
        access_token=booking.access_token,
        payment_method="pm_card_visa",
        now=NOW,
    )
    work()


@pytest.mark.parametrize("has_account", [True, False])
def test_from_the_payment_on_until_a_cancel(has_account: bool) -> None:
    home = make_property()
    booking = booked(home, make_guest() if has_account else None)
    assert told(booking) == ""
    pay(booking)
    assert told(again(booking)) == ADDRESS
    actions.cancel(viewer=booking.guest, booking_id=booking.pk, access_token=booking.access_token, now=NOW)
    assert told(again(booking)) == ""
    assert told_by_listing(home, booking.guest) == ""


@pytest.mark.parametrize("has_account", [True, False])
def test_during_the_stay_and_after_it(has_account: bool) -> None:
    home = make_property()
    booking = booked(home, make_guest() if has_account else None)
    pay(booking)
    here = booking.span.start + timedelta(hours=1)
    actions.check_in(viewer=home.host, booking_id=booking.pk, has_id=True, now=here)
    assert told(again(booking)) == ADDRESS
    actions.check_out(viewer=home.host, booking_id=booking.pk, now=here + timedelta(hours=1))
    assert (again(booking).status, told(again(booking))) == ("COMPLETED", ADDRESS)


@pytest.mark.parametrize("has_account", [True, False])
def test_who_never_came_is_told_no_more(has_account: bool) -> None:
    home = make_property()
    booking = booked(home, make_guest() if has_account else None)
    pay(booking)
    actions.mark_no_show(viewer=home.host, booking_id=booking.pk, now=booking.span.start + timedelta(hours=1))
    assert told(again(booking)) == ""


def test_an_action_by_secret_tells_it_too_and_by_account_the_listing_does() -> None:
    home = make_property(units=2)
    anonymous, own = booked(home, None), booked(home, make_guest())
    for booking in (anonymous, own):
        pay(booking)
    days = {"checkOut": str(NOW.date() + 32 * NIGHT)}
    changed = mutate(
        "changeBooking",
        {"bookingId": to_global_id("Booking", anonymous.pk), "accessToken": anonymous.access_token, **days},
        viewer=None,
        shows=f"booking {{ {PLACE} }}",
    )
    assert changed["errors"] == []
    assert changed["booking"]["listing"]["location"]["address"] == ADDRESS
    assert told_by_listing(home, own.guest) == ADDRESS
    assert told_by_listing(home, None) == ""
    assert told_by_listing(home, make_guest()) == ""
    assert told_by_listing(home, home.host) == ADDRESS
