"""booking(...): by id, reference, secret or scanned ticket, and to whom."""

from typing import Any

import pytest

from apps.bookings import actions
from apps.bookings.actions import Contact
from apps.bookings.models import Booking
from apps.listings.offers import BookingRequest
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.bookings.life import again, held, paid
from tests.hosting.inputs import NOW
from tests.recipes import make_event, make_guest, make_staff
from tests.schema.listings.api import ask, top_code

pytestmark = pytest.mark.django_db(transaction=True)

QUERY = """
query ($id: ID, $reference: String, $accessToken: String, $ticketCode: String) {
  booking(id: $id, reference: $reference, accessToken: $accessToken, ticketCode: $ticketCode) { reference }
}
"""


def found(viewer: User | None, **given: Any) -> bool:
    body = ask(QUERY, given, viewer=viewer)
    assert "errors" not in body, body
    return body["data"]["booking"] is not None


def ticket(booking: Booking) -> str:
    code = again(booking).ticket_code
    assert code is not None
    return code


def test_a_ticket_opens_the_booking_to_the_host_of_the_event_and_staff_alone() -> None:
    event = make_event()
    booking = paid(held(event, tickets=2))
    code = ticket(booking)
    body = ask(QUERY, {"ticketCode": f" {code.lower()} "}, viewer=event.host)
    assert body["data"]["booking"] == {"reference": booking.reference}
    assert found(make_staff(), ticketCode=code)
    for viewer in (booking.guest, make_guest(), make_event().host, None):
        assert not found(viewer, ticketCode=code)


def test_the_secret_of_a_booking_does_not_make_its_ticket_a_key() -> None:
    event = make_event(price_minor=0)
    booking = actions.hold(
        kind_code="EVENT",
        listing_id=event.pk,
        listing_field="event",
        request=BookingRequest(tickets=1),
        guest=None,
        contact=Contact(email="walker@example.org"),
        now=NOW,
    )
    assert not found(None, ticketCode=ticket(booking), accessToken=booking.access_token)
    assert found(None, reference=booking.reference.lower(), accessToken=booking.access_token)
    assert not found(make_guest(), reference=booking.reference)


def test_a_ticket_of_a_hold_or_a_canceled_booking_opens_nothing() -> None:
    event = make_event()
    pending, canceled = held(event, tickets=1), paid(held(event, tickets=1))
    code = ticket(canceled)
    assert again(pending).ticket_code is None
    actions.cancel(viewer=canceled.guest, booking_id=canceled.pk, now=NOW)
    assert not found(event.host, ticketCode=code)
    assert not found(event.host, ticketCode=f"{pending.reference}-{code.partition('-')[2]}")


@pytest.mark.parametrize("code", ["", " ", "-", "\x00", "A" * 10_000, "<b>", "é", "ABCDEF-é", "222222-\x00"])
def test_any_other_text_finds_nothing(code: str) -> None:
    staff = make_staff()
    assert not found(staff, ticketCode=code)
    assert not found(staff, reference=code)
    assert not found(staff, id=code)


def test_a_right_reference_with_a_wrong_signature_finds_nothing() -> None:
    event = make_event()
    booking = paid(held(event, tickets=1))
    for code in (booking.reference, f"{booking.reference}-", f"{booking.reference}-{'0' * 16}"):
        assert not found(event.host, ticketCode=code)


@pytest.mark.parametrize("names", [(), ("id", "reference"), ("id", "ticketCode"), ("reference", "ticketCode")])
def test_exactly_one_name_is_given(names: tuple[str, ...]) -> None:
    booking = paid(held(make_event(), tickets=1))
    every = {
        "id": to_global_id("Booking", booking.pk),
        "reference": booking.reference,
        "ticketCode": ticket(booking),
    }
    body = ask(QUERY, {name: every[name] for name in names}, viewer=booking.listing.host)
    assert top_code(body) == "BAD_USER_INPUT"


def test_by_id_each_side_and_staff_see_it_and_strangers_see_nothing() -> None:
    booking = paid(held(make_event(), tickets=1))
    for given in ({"id": to_global_id("Booking", booking.pk)}, {"reference": f" {booking.reference.lower()} "}):
        for viewer in (booking.guest, booking.listing.host, make_staff()):
            assert found(viewer, **given)
        for stranger in (make_guest(), make_event().host, None):
            assert not found(stranger, **given)
        # A booking of an account has no secret.
        assert not found(None, **given, accessToken="")
    for wrong in (
        to_global_id("Booking", booking.pk + 1),
        to_global_id("Event", booking.pk),
        to_global_id("Booking", 0),
    ):
        assert not found(booking.guest, id=wrong)
