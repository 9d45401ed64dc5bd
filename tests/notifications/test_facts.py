"""Who is told what of a booking, when and how often."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from apps.bookings import actions
from apps.bookings.actions import Contact, cancel, change, complete_ended, hold, remind_due
from apps.bookings.models import Booking
from apps.bookings.rescheduling import move_along
from apps.bookings.states import Actor, BookingStatus
from apps.core.periods import Period
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.notifications.letters import render
from apps.notifications.models import Letter, Notification, Reminder
from apps.payments.models import Charge
from apps.users.models import User
from tests.recipes import make_event, make_guest, make_parking_spot, make_property

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
Told = dict[str, int]


def told(person: User) -> Told:
    return dict(Counter(Notification.objects.filter(recipient=person).values_list("type", flat=True)))


def mailed(address: str) -> Told:
    return dict(Counter(Letter.objects.filter(to=address).values_list("template", flat=True)))


def book(listing: Listing, guest: User | None, *, now: datetime = NOW, **asked: Any) -> Booking:
    return hold(
        kind_code=listing.kind,
        listing_id=listing.pk,
        listing_field="listing_id",
        request=BookingRequest(**asked),
        guest=guest,
        contact=None if guest else Contact(email="ann@example.com", first_name="Ann"),
        now=now,
    )


def stay(listing: Listing, guest: User | None, *, now: datetime = NOW) -> Booking:
    return book(listing, guest, now=now, check_in=date(2026, 12, 1), check_out=date(2026, 12, 3), guests=2)


def confirm(booking: Booking, *, now: datetime = NOW) -> Booking:
    """As a successful payment would."""
    with transaction.atomic():
        booking.move_to(BookingStatus.CONFIRMED, now=now, actor=Actor.SYSTEM)
        booking.allocation.__class__.objects.filter(pk=booking.allocation_id).update(held_until=None)
    return Booking.objects.get(pk=booking.pk)


def test_a_hold_is_mailed_to_its_guest_and_told_to_nobody_else() -> None:
    home, guest = make_property(), make_guest()
    stay(home, guest)
    assert (told(guest), told(home.host)) == ({}, {})
    letter = Letter.objects.get()
    assert (letter.to, letter.template) == (guest.email, "held")
    text = render(letter).text
    assert "until Sat 21 Nov 2026, 10:45 CET (Europe/Berlin)" in text
    assert "\nThe price is 200.00 EUR.\n" in text
    assert "Prenzlauer" not in text


def test_a_confirmation_is_told_to_guest_and_host_once() -> None:
    home, guest = make_property(), make_guest()
    booking = confirm(stay(home, guest))
    assert told(guest) == told(home.host) == {"BOOKING_CONFIRMED": 1}
    assert mailed(guest.email) == {"held": 1, "confirmed": 1}
    assert mailed(home.host.email) == {"host_confirmed": 1}
    note = Notification.objects.get(recipient=guest)
    assert note.booking_id == booking.pk
    assert note.title == f"Confirmed: {home.title}"
    assert note.body == (
        f"Your booking {booking.reference} is confirmed: "
        "Tue 1 Dec 2026, 15:00 to Thu 3 Dec 2026, 11:00 CET (Europe/Berlin)."
    )
    letter = Letter.objects.get(template="confirmed")
    assert ["Where", "Prenzlauer Allee 1, Berlin, Germany"] in letter.data["details"]
    assert ["Guest", f"Ada {guest.last_name}"] in Letter.objects.get(template="host_confirmed").data["details"]


def test_a_fact_that_is_rolled_back_is_told_to_nobody() -> None:
    home, guest = make_property(), make_guest()
    booking = stay(home, guest)
    with transaction.atomic():
        booking.move_to(BookingStatus.CONFIRMED, now=NOW, actor=Actor.SYSTEM)
        assert Notification.objects.count() == 2
        transaction.set_rollback(True)
    assert not Notification.objects.exists()
    assert list(Letter.objects.values_list("template", flat=True)) == ["held"]


def test_without_an_account_there_is_a_mail_with_the_bookings_secret() -> None:
    home = make_property()
    booking = confirm(stay(home, None))
    assert mailed("ann@example.com") == {"held": 1, "confirmed": 1}
    assert told(home.host) == {"BOOKING_CONFIRMED": 1}
    letter = Letter.objects.get(template="confirmed")
    assert booking.access_token is not None
    assert booking.access_token not in str(letter.data)


@pytest.mark.parametrize("side", ["guest", "host"])
def test_a_cancelation_is_told_to_both_whoever_did_it(side: str) -> None:
    home, guest = make_property(), make_guest()
    booking = confirm(stay(home, guest))
    Notification.objects.all().delete()
    viewer = guest if side == "guest" else home.host
    cancel(viewer=viewer, booking_id=booking.pk, reason="<i>Ill</i>", now=NOW)
    assert told(guest) == told(home.host) == {"BOOKING_CANCELED": 1}
    assert all(f"by the {side}" in note.body for note in Notification.objects.all())
    assert all("<i>Ill</i>" in note.body for note in Notification.objects.all())
    letter = Letter.objects.get(template="canceled")
    assert letter.data["entry"]["is_canceled"] is True
    assert "Prenzlauer" not in str(letter.data)


def test_a_change_is_told_to_both() -> None:
    home, guest = make_property(), make_guest()
    booking = confirm(stay(home, guest))
    wanted = BookingRequest(check_out=date(2026, 12, 4))
    change(viewer=guest, booking_id=booking.pk, change=wanted, now=NOW)
    assert told(guest) == {"BOOKING_CONFIRMED": 1, "BOOKING_CHANGED": 1} == told(home.host)
    note = Notification.objects.get(recipient=guest, type="BOOKING_CHANGED")
    assert "to Fri 4 Dec 2026, 11:00 CET" in note.body
    letter = Letter.objects.get(template="changed")
    assert "\nThe new price is 300.00 EUR.\n" in render(letter).text
    first = Letter.objects.get(template="confirmed").data["entry"]
    assert (letter.data["entry"]["uid"], letter.data["entry"]["sequence"] > first["sequence"]) == (first["uid"], True)


def test_a_moved_event_is_told_to_everybody_who_holds_a_ticket() -> None:
    event = make_event(starts_at=NOW + timedelta(days=10), time_zone="America/New_York")
    guests = [make_guest() for _ in range(3)]
    for guest in guests:
        confirm(book(event, guest, tickets=1))
    later = Period(NOW + timedelta(days=12), NOW + timedelta(days=12, hours=2))
    with transaction.atomic():
        move_along(listing_id=event.pk, period=later, actor=Actor.HOST, now=NOW)
    for guest in guests:
        assert told(guest) == {"BOOKING_CONFIRMED": 1, "BOOKING_CHANGED": 1}
        note = Notification.objects.get(recipient=guest, type="BOOKING_CHANGED")
        assert "It is now Thu 3 Dec 2026, 04:30 to 06:30 EST (America/New_York)." in note.body
        (letter,) = Letter.objects.filter(to=guest.email, template="changed")
        assert "cancel and get everything back" in letter.data["paragraphs"][1]


def test_the_host_is_told_of_a_move_once_however_many_hold_tickets() -> None:
    event = make_event(starts_at=NOW + timedelta(days=10), time_zone="America/New_York")
    for _ in range(3):
        confirm(book(event, make_guest(), tickets=1))
    for days in (12, 14):
        later = Period(NOW + timedelta(days=days), NOW + timedelta(days=days, hours=2))
        with transaction.atomic():
            move_along(listing_id=event.pk, period=later, actor=Actor.HOST, now=NOW)
    assert told(event.host) == {"BOOKING_CONFIRMED": 3, "BOOKING_CHANGED": 2}
    assert mailed(event.host.email) == {"host_confirmed": 3, "host_moved": 2}
    note = Notification.objects.filter(recipient=event.host, type="BOOKING_CHANGED").first()
    assert note is not None
    assert note.body == (
        "It now takes place Thu 3 Dec 2026, 04:30 to 06:30 EST (America/New_York). "
        "3 bookings moved along; the guests were told."
    )


def test_the_end_is_told_to_the_guest_with_an_invitation_that_comes_once() -> None:
    event, guest = make_event(starts_at=NOW + timedelta(days=1)), make_guest()
    confirm(book(event, guest, tickets=1))
    confirm(book(event, guest, tickets=1))
    confirm(book(event, None, tickets=1))
    assert complete_ended(now=NOW + timedelta(days=2)) == 3
    assert complete_ended(now=NOW + timedelta(days=2)) == 0
    assert told(guest) == {"BOOKING_CONFIRMED": 2, "BOOKING_ENDED": 2}
    assert told(event.host) == {"BOOKING_CONFIRMED": 3}
    # Only accounts review.
    assert mailed("ann@example.com") == {"held": 1, "confirmed": 1}
    letter = Letter.objects.get(template="review_invitation")
    assert (letter.to, letter.data["subject"]) == (guest.email, f"How was it? {event.title}")
    assert "review" in render(letter).text


def test_parking_that_ends_says_what_it_costs() -> None:
    spot, guest = make_parking_spot(price_minor=333), make_guest()
    booking = confirm(book(spot, guest, starts_at=NOW, minutes=60))
    Charge.objects.create(
        bill=booking.bill, payer=guest, timing="AT_END", status="AUTHORIZED", amount_minor=333, currency="EUR",
        payment_method="pm_card_visa", idempotency_key="k", card_last4="4242", created_at=NOW, card_saved_at=NOW,
        customer_id="cus_1",
    )  # fmt: skip
    actions.end(viewer=guest, booking_id=booking.pk, now=NOW + timedelta(minutes=30))
    note = Notification.objects.get(recipient=guest, type="BOOKING_ENDED")
    assert note.body == "Sat 21 Nov 2026, 10:30 to 11:00 CET (Europe/Berlin): 1.67 EUR."
    assert "ended" not in mailed(guest.email)


def test_a_reminder_comes_a_day_before_and_once() -> None:
    event, guest = make_event(starts_at=NOW + timedelta(days=3)), make_guest()
    booking = confirm(book(event, guest, tickets=1))
    pending = book(event, make_guest(), tickets=1)
    start = NOW + timedelta(days=3)
    assert remind_due(now=start - timedelta(hours=24, seconds=1)) == 0
    assert remind_due(now=start - timedelta(hours=24)) == 1
    assert remind_due(now=start - timedelta(hours=1)) == 0
    assert told(guest) == {"BOOKING_CONFIRMED": 1, "BOOKING_REMINDER": 1}
    assert mailed(guest.email)["reminder"] == 1
    assert told(event.host) == {"BOOKING_CONFIRMED": 1}
    assert list(Reminder.objects.values_list("booking", "moment")) == [(booking.pk, start)]
    assert pending.guest is not None
    assert told(pending.guest) == {}


def test_a_booking_that_was_moved_is_reminded_of_again() -> None:
    event, guest = make_event(starts_at=NOW + timedelta(days=2)), make_guest()
    confirm(book(event, guest, tickets=1))
    assert remind_due(now=NOW + timedelta(days=1)) == 1
    later = Period(NOW + timedelta(days=5), NOW + timedelta(days=5, hours=2))
    with transaction.atomic():
        move_along(listing_id=event.pk, period=later, actor=Actor.HOST, now=NOW)
    assert remind_due(now=NOW + timedelta(days=1)) == 0
    assert remind_due(now=NOW + timedelta(days=4)) == 1
    assert (told(guest)["BOOKING_REMINDER"], mailed(guest.email)["reminder"]) == (2, 2)


def test_what_was_just_booked_or_moved_is_not_mailed_of_again() -> None:
    event, guest = make_event(starts_at=NOW + timedelta(hours=20)), make_guest()
    confirm(book(event, guest, tickets=1))
    assert remind_due(now=NOW) == 1
    assert (told(guest)["BOOKING_REMINDER"], "reminder" in mailed(guest.email)) == (1, False)
    sooner = Period(NOW + timedelta(hours=22), NOW + timedelta(hours=23))
    with transaction.atomic():
        move_along(listing_id=event.pk, period=sooner, actor=Actor.HOST, now=NOW)
    assert remind_due(now=NOW) == 1
    assert (told(guest)["BOOKING_REMINDER"], "reminder" in mailed(guest.email)) == (2, False)


def test_who_parks_is_reminded_ten_minutes_before_the_end() -> None:
    spot, guest = make_parking_spot(), make_guest()
    confirm(book(spot, guest, starts_at=NOW, minutes=60))
    assert remind_due(now=NOW + timedelta(minutes=49, seconds=59)) == 0
    assert remind_due(now=NOW + timedelta(minutes=50)) == 1
    assert remind_due(now=NOW + timedelta(minutes=55)) == 0
    note = Notification.objects.get(recipient=guest, type="BOOKING_REMINDER")
    assert note.body == "It ends on Sat 21 Nov 2026, 11:30 CET (Europe/Berlin)."
