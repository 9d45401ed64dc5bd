"""A letter that was written down as facts is put into words when it leaves, once."""

from datetime import datetime

import pytest
from django.test import Client

from apps.bookings.models import Booking
from apps.listings.models import Listing
from apps.notifications.letters import render, words_of
from apps.notifications.mailing import FIRST_PAUSE, send_due
from apps.notifications.models import Letter
from tests.notifications.test_facts import NOW, confirm, stay
from tests.notifications.test_mailing import Postbox, plain, postbox
from tests.recipes import make_guest, make_property, make_staff

__all__ = ["postbox"]

pytestmark = pytest.mark.django_db


def kept_until(booking: Booking) -> str:
    assert isinstance(booking.expires_at, datetime)
    return booking.expires_at.isoformat()


def test_a_hold_writes_down_what_its_letter_is_made_of() -> None:
    guest = make_guest()
    booking = stay(make_property(), guest)
    letter = Letter.objects.get()
    assert letter.data == {"facts": {"until": kept_until(booking)}, "reader": guest.pk}
    stay(make_property(), None)
    assert Letter.objects.exclude(pk=letter.pk).get().data["reader"] is None


def test_it_says_until_when_also_where_it_was_confirmed_before_it_left(postbox: Postbox) -> None:
    home, guest = make_property(), make_guest()
    booking = confirm(stay(home, guest))
    assert Booking.objects.get().expires_at is None
    send_due(now=NOW)
    held, _ = postbox.to(guest.email)
    text = plain(held)
    assert (
        "We keep it for you until Sat 21 Nov 2026, 10:45 CET (Europe/Berlin). Pay until then and it is yours." in text
    )
    assert ("The price is 200.00 EUR." in text, f"Reference: {booking.reference}" in text) == (True, True)


def test_later_tries_and_staff_say_what_the_first_said(postbox: Postbox) -> None:
    home = make_property()
    stay(home, None)
    postbox.answers = ["451 Later"]
    assert send_due(now=NOW) == 0
    first = Letter.objects.get()
    assert first.data["subject"] == f"Held for you: {home.title}"
    Listing.objects.update(title="Somewhere else")
    assert words_of(first) == first.data
    assert send_due(now=NOW + FIRST_PAUSE) == 1
    (message,) = postbox.to("ann@example.com")
    assert message["Subject"] == f"Held for you: {home.title}"
    assert Letter.objects.get().data == first.data


def test_staff_reads_it_before_it_leaves() -> None:
    booking = stay(make_property(), None)
    letter = Letter.objects.get()
    client = Client()
    client.force_login(make_staff(is_superuser=True), backend="apps.users.backends.StaffRoleBackend")
    page = client.get(f"/admin/notifications/letter/{letter.pk}/change/").content.decode()
    assert ("We keep it for you until" in page, booking.reference in page, "?token=" in page) == (True, True, False)
    assert "?token=" in render(letter).text
    assert Letter.objects.get().data == letter.data


def test_without_its_booking_it_does_not_leave_and_says_why(postbox: Postbox) -> None:
    stay(make_property(), None)
    Letter.objects.update(booking=None)
    assert send_due(now=NOW) == 0
    letter = Letter.objects.get()
    assert (letter.tries, letter.sent_at, letter.next_try_at) == (1, None, NOW + FIRST_PAUSE)
    assert letter.last_error == f"ValueError: the booking of letter {letter.pk} is gone"
    assert postbox.taken == []
