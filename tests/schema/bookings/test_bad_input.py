"""Nonsense for every mutation of bookings and payments: the right code at the right field, and nothing written."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps

from apps.payments.models import Charge
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.bookings.life import NIGHT, held, paid
from tests.hosting.inputs import NOW
from tests.recipes import MAKE, make_event, make_guest, make_parking_spot, make_property, make_service, make_staff
from tests.schema.listings.api import ask, global_id, mutate, told, top_code

pytestmark = pytest.mark.django_db(transaction=True)

BY_TOKEN = [
    "changeBooking",
    "cancelBooking",
    "endBooking",
    "checkOutBooking",
    "markNoShow",
    "payBooking",
    "refreshPayment",
]
BOOKS = {
    "PROPERTY": ("bookProperty", "propertyId"),
    "SERVICE": ("bookService", "serviceId"),
    "EVENT": ("bookEvent", "eventId"),
    "PARKING_SPOT": ("bookParkingSpot", "parkingSpotId"),
}
CONTACT = {"email": "walker@example.org"}
SLOT = "2026-11-23T08:00:00Z"
DAYS = {"checkIn": str((NOW + 30 * NIGHT).date()), "checkOut": str((NOW + 32 * NIGHT).date()), "guests": 1}
RIGHT: dict[str, dict[str, Any]] = {
    "PROPERTY": DAYS,
    "SERVICE": {"startsAt": SLOT},
    "EVENT": {"tickets": 1},
    "PARKING_SPOT": {"minutes": 60},
}
EXTRA: dict[str, dict[str, Any]] = {"payBooking": {"paymentMethod": "pm_card_visa"}, "changeBooking": {"guests": 2}}


def rows() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in apps.get_models()}


@contextmanager
def nothing_written() -> Iterator[None]:
    before = rows()
    yield
    assert rows() == before


def book(kind: str, viewer: User | None, **given: Any) -> Any:
    name, _ = BOOKS[kind]
    return mutate(name, given, viewer=viewer, shows="booking { id } accessToken")


def act(name: str, given: dict[str, Any], viewer: User | None) -> Any:
    """The payload of an action on a booking."""
    takes = f"{name[0].upper()}{name[1:]}Input" if name in EXTRA or name == "cancelBooking" else "BookingActionInput"
    query = f"mutation($i: {takes}!) {{ it: {name}(input: $i) {{ booking {{ id }} errors {{ code field }} }} }}"
    body = ask(query, {"i": {**given, **EXTRA.get(name, {})}}, viewer=viewer)
    assert "errors" not in body, body
    return body["data"]["it"]


def wrong_ids(model: str, pk: int) -> list[str]:
    """Of nothing, of something else, and of what was never one."""
    right = to_global_id(model, pk)
    foreign = [to_global_id("Review", pk), to_global_id(model, 2**63), to_global_id(model, 0), to_global_id(model, -1)]
    return ["", " ", "\x00", "x", str(pk), right[:-1] + "\x00", "a" * 10_000, to_global_id(model, pk + 1000), *foreign]


def test_no_wrong_id_of_a_booking_is_found_by_anybody() -> None:
    booking = paid(held(make_property(), check_in=NOW.date() + 30 * NIGHT, check_out=NOW.date() + 31 * NIGHT, guests=1))
    with nothing_written():
        for name in BY_TOKEN:
            for wrong in wrong_ids("Booking", booking.pk):
                for viewer in (booking.guest, None):
                    payload = act(name, {"bookingId": wrong}, viewer)
                    assert (told(payload), payload["booking"]) == ({("NOT_FOUND", "bookingId")}, None)


def test_what_exists_and_may_not_be_seen_is_told_like_what_does_not() -> None:
    booking = paid(held(make_event(), tickets=1))
    gid = to_global_id("Booking", booking.pk)
    with nothing_written():
        for name in BY_TOKEN:
            for secret in ({}, {"accessToken": ""}, {"accessToken": "\x00"}, {"accessToken": "0" * 64}):
                for viewer in (stranger(), None):
                    payload = act(name, {"bookingId": gid, **secret}, viewer)
                    assert told(payload) == {("NOT_FOUND", "bookingId")}


def stranger() -> User:
    """An account that was there before: making one is no part of what is counted."""
    return User.objects.get(email="stranger@example.com")


@pytest.fixture(autouse=True)
def _before(transactional_db: None, settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False
    make_guest(email="stranger@example.com")


def test_no_wrong_id_of_a_payment_is_found() -> None:
    booking = paid(held(make_event(), tickets=1))
    charge = Charge.objects.get()
    with nothing_written():
        for wrong in [*wrong_ids("Payment", charge.pk), to_global_id("Booking", booking.pk)]:
            payload = mutate("refundPayment", {"paymentId": wrong}, viewer=booking.listing.host, shows="payment { id }")
            assert told(payload) == {("NOT_FOUND", "paymentId")}
        right = to_global_id("Payment", charge.pk)
        payload = mutate("refundPayment", {"paymentId": right}, viewer=stranger(), shows="payment { id }")
        assert told(payload) == {("NOT_FOUND", "paymentId")}


def test_what_needs_an_account_says_so() -> None:
    booking = paid(held(make_event(), tickets=1))
    with nothing_written():
        for name, field, model in (
            ("checkInBooking", "bookingId", "Booking"),
            ("refundPayment", "paymentId", "Payment"),
        ):
            query = f"mutation($i: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $i) {{ errors {{ code }} }} }}"
            body = ask(query, {"i": {field: to_global_id(model, booking.pk)}}, viewer=None)
            assert (top_code(body), body["data"][name]) == ("UNAUTHENTICATED", None)


@pytest.mark.parametrize("kind", BOOKS)
def test_only_a_published_listing_of_the_kind_is_booked(kind: str) -> None:
    field = BOOKS[kind][1]
    guest = stranger()
    listing = MAKE[kind]()
    draft, archived = MAKE[kind](status="DRAFT"), MAKE[kind](status="ARCHIVED")
    other = MAKE["EVENT" if kind != "EVENT" else "PROPERTY"]()
    model = {"PROPERTY": "Property", "SERVICE": "Service", "EVENT": "Event", "PARKING_SPOT": "ParkingSpot"}[kind]
    ids = [*wrong_ids(model, listing.pk), global_id(draft), global_id(archived), global_id(other)]
    with nothing_written():
        for wrong in [*ids, to_global_id(model, other.pk)]:
            assert told(book(kind, guest, **{field: wrong}, **RIGHT[kind])) == {("NOT_FOUND", field)}, wrong
        own = book(kind, listing.host, **{field: global_id(listing)}, **RIGHT[kind])
        assert told(own) == {("NOT_ALLOWED", field)}
        for status in (draft, archived):
            mine = book(kind, status.host, **{field: global_id(status)}, **RIGHT[kind])
            assert told(mine) <= {("NOT_ALLOWED", field), ("NOT_FOUND", field)}


FAR = {"checkIn": "9999-12-30", "checkOut": "9999-12-31"}
PAST = {"checkIn": "0001-01-01", "checkOut": "0001-01-02"}
YESTERDAY = {"checkIn": str((NOW - NIGHT).date()), "checkOut": str((NOW + NIGHT).date())}
WRONG: list[tuple[str, dict[str, Any], set[tuple[str, str]]]] = [
    ("PROPERTY", {"guests": 0}, {("INVALID", "guests")}),
    ("PROPERTY", {"guests": -1}, {("INVALID", "guests")}),
    ("PROPERTY", {"guests": 5}, {("OUTSIDE_RULES", "guests")}),
    ("PROPERTY", {"guests": 2**31 - 1}, {("OUTSIDE_RULES", "guests")}),
    ("PROPERTY", {"checkOut": DAYS["checkIn"]}, {("INVALID", "checkOut")}),
    ("PROPERTY", {"checkOut": "0001-01-01"}, {("INVALID", "checkOut")}),
    ("PROPERTY", {"guests": 0, "checkOut": DAYS["checkIn"]}, {("INVALID", "guests"), ("INVALID", "checkOut")}),
    ("PROPERTY", FAR, {("OUTSIDE_RULES", "checkIn")}),
    ("PROPERTY", PAST, {("OUTSIDE_RULES", "checkIn")}),
    ("PROPERTY", YESTERDAY, {("OUTSIDE_RULES", "checkIn")}),
    ("EVENT", {"tickets": 0}, {("INVALID", "tickets")}),
    ("EVENT", {"tickets": -(2**31)}, {("INVALID", "tickets")}),
    ("EVENT", {"tickets": 101}, {("OUTSIDE_RULES", "tickets")}),
    ("EVENT", {"tickets": 2**31 - 1}, {("OUTSIDE_RULES", "tickets")}),
    ("PARKING_SPOT", {"minutes": 0}, {("INVALID", "minutes")}),
    ("PARKING_SPOT", {"minutes": -1}, {("INVALID", "minutes")}),
    ("PARKING_SPOT", {"minutes": 1441}, {("OUTSIDE_RULES", "minutes")}),
    ("PARKING_SPOT", {"minutes": 2**31 - 1}, {("OUTSIDE_RULES", "minutes")}),
    ("PARKING_SPOT", {"startsAt": (NOW - timedelta(seconds=61)).isoformat()}, {("OUTSIDE_RULES", "startsAt")}),
    ("PARKING_SPOT", {"startsAt": "9999-12-31T23:59:00Z"}, {("OUTSIDE_RULES", "startsAt")}),
    ("PARKING_SPOT", {"startsAt": "0001-01-01T00:00:00Z"}, {("OUTSIDE_RULES", "startsAt")}),
    ("SERVICE", {"startsAt": "2026-11-23T08:00:01Z"}, {("OUTSIDE_RULES", "startsAt")}),
    ("SERVICE", {"startsAt": "2026-11-20T08:00:00Z"}, {("OUTSIDE_RULES", "startsAt")}),
    ("SERVICE", {"startsAt": "9999-12-31T23:59:00Z"}, {("OUTSIDE_RULES", "startsAt")}),
    ("SERVICE", {"startsAt": "0001-01-01T00:00:00Z"}, {("OUTSIDE_RULES", "startsAt")}),
]


def test_what_cannot_be_booked_is_told_at_its_field() -> None:
    listings = {kind: MAKE[kind]() for kind in BOOKS}
    guest = stranger()
    with nothing_written():
        for kind, changes, expected in WRONG:
            field = BOOKS[kind][1]
            payload = book(kind, guest, **{field: global_id(listings[kind])}, **{**RIGHT[kind], **changes})
            assert (told(payload), payload["booking"]) == (expected, None), (kind, changes)


CONTACTS: list[tuple[dict[str, Any], str]] = [
    ({"email": ""}, "contact.email"),
    ({"email": "nobody"}, "contact.email"),
    ({"email": "a@b\x00.org"}, "contact.email"),
    ({"email": "a" * 250 + "@example.org"}, "contact.email"),
    ({**CONTACT, "firstName": "x" * 151}, "contact.firstName"),
    ({**CONTACT, "lastName": "\x00"}, "contact.lastName"),
]


@pytest.mark.parametrize("kind", BOOKS)
def test_who_books_without_an_account_says_who(kind: str) -> None:
    listing = MAKE[kind]()
    given = {BOOKS[kind][1]: global_id(listing), **RIGHT[kind]}
    with nothing_written():
        assert told(book(kind, None, **given)) == {("REQUIRED", "contact")}
        for contact, field in CONTACTS:
            payload = book(kind, None, **given, contact=contact)
            assert {at for _, at in told(payload)} == {field}
            assert {code for code, _ in told(payload)} <= {"INVALID", "REQUIRED"}
        for key in ("", "x" * 7, "x" * 201, "12345678\x00"):
            payload = book(kind, None, **given, contact=CONTACT, idempotencyKey=key)
            assert told(payload) == {("INVALID", "idempotencyKey")}, key
    payload = book(kind, None, **given, contact={**CONTACT, "firstName": "<b>O'Hara; DROP TABLE</b>"})
    assert payload["errors"] == []
    assert len(payload["accessToken"]) >= 32


NONSENSE: dict[str, tuple[dict[str, Any], set[tuple[str, str]]]] = {
    "PROPERTY": ({"checkOut": DAYS["checkIn"], "guests": 0}, {("INVALID", "checkOut"), ("INVALID", "guests")}),
    "EVENT": ({"tickets": 0}, {("INVALID", "tickets")}),
    "PARKING_SPOT": ({"minutes": 0}, {("INVALID", "minutes")}),
    "SERVICE": ({}, set()),
}


@pytest.mark.parametrize("kind", BOOKS)
def test_everything_that_is_wrong_with_the_input_is_told_at_once(kind: str) -> None:
    listing = MAKE[kind]()
    changes, wrong = NONSENSE[kind]
    given = {BOOKS[kind][1]: global_id(listing), **RIGHT[kind], **changes}
    long = {"email": "nobody", "firstName": "x" * 151, "lastName": "\x00"}
    told_of_contact = {("INVALID", f"contact.{name}") for name in long}
    with nothing_written():
        payload = book(kind, None, **given, contact=long, idempotencyKey="short")
        assert told(payload) == wrong | told_of_contact | {("INVALID", "idempotencyKey")}
        assert told(book(kind, None, **given)) == wrong | {("REQUIRED", "contact")}
        # Nobody else's name is asked for of an account.
        payload = book(kind, stranger(), **given, contact=long, idempotencyKey="short")
        assert told(payload) == wrong | {("INVALID", "idempotencyKey")}


def test_everything_that_is_wrong_with_a_refund_is_told_at_once() -> None:
    booking = paid(held(make_event(), tickets=1))
    given = {"paymentId": to_global_id("Payment", Charge.objects.get().pk), "reason": "\x00", "idempotencyKey": "short"}
    with nothing_written():
        payload = mutate("refundPayment", given, viewer=booking.listing.host, shows="payment { id }")
        assert told(payload) == {("INVALID", "reason"), ("INVALID", "idempotencyKey")}


def test_a_quote_tells_the_first_of_its_errors() -> None:
    home = make_property()
    same_day = "2026-12-01"
    for arguments, error in (
        ({}, ("REQUIRED", ["checkIn"])),
        ({"checkIn": same_day, "checkOut": same_day}, ("INVALID", ["checkOut"])),
        ({"tickets": 1, "startsAt": SLOT}, ("INVALID", ["startsAt"])),
    ):
        query = (
            "query($id: ID!, $checkIn: Date, $checkOut: Date, $tickets: Int, $startsAt: DateTime) {"
            " quote(listingId: $id, checkIn: $checkIn, checkOut: $checkOut, tickets: $tickets, startsAt: $startsAt)"
            " { available lines { label } total { amount } errors { code field } } }"
        )
        quote = ask(query, {"id": global_id(home), **arguments}, viewer=None)["data"]["quote"]
        (told_error,) = quote.pop("errors")
        assert (told_error["code"], told_error["field"]) == error
        assert quote == {"available": False, "lines": [], "total": None}


def test_numbers_and_dates_that_are_none_never_reach_the_booking() -> None:
    listing = make_event()
    query = "mutation($i: BookEventInput!) { bookEvent(input: $i) { booking { id } } }"
    with nothing_written():
        for tickets in (2**31, 2**63, 1.5, "1", True):
            body = ask(query, {"i": {"eventId": global_id(listing), "tickets": tickets}}, viewer=stranger())
            assert top_code(body) == "BAD_USER_INPUT"


def test_a_change_of_nothing_of_another_kind_or_of_nonsense_changes_nothing() -> None:
    home, event, spot, service = make_property(), make_event(), make_parking_spot(), make_service()
    guest = stranger()
    days: dict[str, Any] = {"check_in": NOW.date() + 30 * NIGHT, "check_out": NOW.date() + 31 * NIGHT, "guests": 1}
    nights = held(home, guest=guest, **days)
    ticket = held(event, guest=guest, tickets=1)
    parking = held(spot, guest=guest, starts_at=NOW, minutes=60)
    slot = NOW.replace(day=23, hour=8, minute=0)
    appointment = held(service, guest=guest, starts_at=slot)
    cases: list[tuple[Any, dict[str, Any], set[tuple[str, str]]]] = [
        (nights, {}, {("REQUIRED", "")}),
        (nights, {"tickets": 1}, {("INVALID", "tickets")}),
        (nights, {"startsAt": SLOT, "endsAt": SLOT}, {("INVALID", "startsAt"), ("INVALID", "endsAt")}),
        (nights, {"guests": 5}, {("OUTSIDE_RULES", "guests")}),
        (nights, {"guests": 0}, {("INVALID", "guests")}),
        (nights, {"checkOut": str(days["check_in"])}, {("INVALID", "checkOut")}),
        (ticket, {"guests": 1}, {("INVALID", "guests")}),
        (ticket, {"tickets": 0}, {("INVALID", "tickets")}),
        (ticket, {"tickets": 101}, {("OUTSIDE_RULES", "tickets")}),
        (parking, {"checkIn": "2026-12-01"}, {("INVALID", "checkIn")}),
        (parking, {"endsAt": NOW.isoformat()}, {("OUTSIDE_RULES", "endsAt")}),
        (parking, {"endsAt": "9999-12-31T23:59:59Z"}, {("OUTSIDE_RULES", "endsAt")}),
        (appointment, {"endsAt": SLOT}, {("INVALID", "endsAt")}),
        (appointment, {"startsAt": "2026-11-23T08:00:01Z"}, {("OUTSIDE_RULES", "startsAt")}),
    ]
    staff = make_staff()
    with nothing_written():
        for booking, wanted, expected in cases:
            given = {"bookingId": to_global_id("Booking", booking.pk), **wanted}
            for viewer in (guest, staff):
                payload = mutate("changeBooking", given, viewer=viewer, shows="booking { id }")
                assert told(payload) == expected, (wanted, told(payload))
