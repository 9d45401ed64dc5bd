"""What a payer is told in the answers of booking and paying themselves."""

from datetime import timedelta
from typing import Any

import pytest

from apps.listings.models import Listing
from apps.users.models import User
from tests.hosting.inputs import NOW
from tests.recipes import make_guest, make_parking_spot, make_property
from tests.schema.listings.api import ask, global_id, mutate

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = "{ id status listing { location { address } } }"
CONTACT = {"email": "walker@example.org"}


def hold_home(home: Listing, *, viewer: User | None, **given: Any) -> Any:
    check_in = NOW.date() + timedelta(days=30)
    days = {"checkIn": str(check_in), "checkOut": str(check_in + timedelta(days=2))}
    return mutate(
        "bookProperty",
        {"propertyId": global_id(home), **days, "guests": 1, **given},
        viewer=viewer,
        shows=f"booking {FIELDS} accessToken",
    )


def address_of(payload: Any) -> str:
    address: str = payload["booking"]["listing"]["location"]["address"]
    return address


@pytest.mark.parametrize(("make", "timing"), [(make_property, "NOW"), (make_parking_spot, "AT_END")])
def test_pay_booking_itself_says_that_the_payment_is_under_way(make: Any, timing: str) -> None:
    guest, listing = make_guest(), make()
    if timing == "NOW":
        booking = hold_home(listing, viewer=guest)["booking"]
    else:
        booking = mutate(
            "bookParkingSpot",
            {"parkingSpotId": global_id(listing), "startsAt": NOW.isoformat(), "minutes": 30},
            viewer=guest,
            shows="booking { id }",
        )["booking"]
    paid = mutate(
        "payBooking",
        {"bookingId": booking["id"], "paymentMethod": "pm_card_visa"},
        viewer=guest,
        shows="payment { status timing } booking { paymentStatus }",
    )
    assert paid["errors"] == []
    assert paid["payment"] == {"status": "PROCESSING", "timing": timing}
    assert paid["booking"] == {"paymentStatus": "PROCESSING"}


def test_the_secret_of_a_confirmed_booking_opens_the_address_of_a_home() -> None:
    free, dear = make_property(price_minor=0), make_property()
    confirmed = hold_home(free, viewer=None, contact=CONTACT)
    assert (confirmed["booking"]["status"], address_of(confirmed)) == ("CONFIRMED", "Prenzlauer Allee 1")
    held = hold_home(dear, viewer=None, contact=CONTACT)
    assert (held["booking"]["status"], address_of(held)) == ("PENDING", "")


def test_without_the_secret_the_address_stays_closed() -> None:
    home = make_property(price_minor=0)
    held = hold_home(home, viewer=None, contact=CONTACT)
    booking, secret = held["booking"], held["accessToken"]
    query = f"query ($id: ID, $secret: String) {{ booking(id: $id, accessToken: $secret) {FIELDS} }}"
    with_it = ask(query, {"id": booking["id"], "secret": secret}, viewer=None)["data"]
    assert address_of(with_it) == "Prenzlauer Allee 1"
    assert ask(query, {"id": booking["id"], "secret": "0" * 64}, viewer=None)["data"] == {"booking": None}
    listing = "query ($id: ID!) { listing(id: $id) { location { address } } }"
    assert ask(listing, {"id": global_id(home)}, viewer=None)["data"]["listing"]["location"]["address"] == ""
