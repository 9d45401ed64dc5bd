"""Where the links of mails about bookings lead."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.bookings.models import Booking
from apps.notifications.letters import render
from apps.notifications.models import Letter
from tests.notifications.test_facts import book, confirm, stay
from tests.recipes import make_event, make_guest, make_property

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False
    settings.PUBLIC_URL = "https://book.example"


def link_of(booking: Booking, template: str) -> str:
    text = render(Letter.objects.get(booking=booking, template=template)).text
    return text.partition("Your booking: https://book.example")[2].split()[0]


def test_the_link_of_a_mail_shows_the_booking_as_it_is() -> None:
    booking = stay(make_property(title="<b>Lake</b>"), None)
    path = link_of(booking, "held")
    page = Client().get(path)
    shown = page.content.decode()
    assert (page.status_code, "Held, not confirmed yet" in shown, "Prenzlauer" in shown) == (200, True, False)
    assert (page["Cache-Control"], page["Referrer-Policy"]) == ("private, no-store", "no-referrer")
    assert ("&lt;b&gt;Lake&lt;/b&gt;" in shown, "<b>" in shown, "200.00 EUR" in shown) == (True, False, True)
    confirm(booking)
    shown = Client().get(path).content.decode()
    assert ("Confirmed" in shown, "Prenzlauer Allee 1" in shown) == (True, True)
    assert Client().post(path).status_code in (403, 405)


def test_a_ticket_is_shown_as_a_picture() -> None:
    booking = confirm(book(make_event(), None, tickets=2))
    assert (
        f'<img src="/tickets/{booking.ticket_code}.svg"' in Client().get(link_of(booking, "confirmed")).content.decode()
    )


def test_without_the_right_token_there_is_nothing_and_always_the_same() -> None:
    own, other = stay(make_property(), None), stay(make_property(), None)
    accounts = stay(make_property(), make_guest())
    answers = [
        Client().get(f"/bookings/{path}")
        for path in (
            own.reference,
            f"{own.reference}?token={'0' * 64}",
            f"{own.reference}?token={other.access_token}",
            f"{accounts.reference}?token={own.access_token}",
            accounts.reference,
            "ZZZZZZZZZZ?token=x",
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    # But for what lets the page's own style in, which is another one each time.
    assert len({re.sub(rb'nonce="[^"]+"', b"", answer.content) for answer in answers}) == 1
