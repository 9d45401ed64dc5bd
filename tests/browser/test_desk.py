"""The staff's desk in a real browser: a booking is found and canceled, and its story tells of the refund."""

from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from apps.payments.models import Refund
from tests.bookings.life import again, held, nights, paid
from tests.browser.conftest import Browser
from tests.payments.steps import jobs_kept
from tests.recipes import PASSWORD, make_property, make_staff
from tests.serving import Site, eventually

pytestmark = pytest.mark.django_db(transaction=True)


def test_from_finding_a_booking_to_its_refund(browser: Browser, site: Site) -> None:
    now = timezone.now()
    clerk = make_staff(is_superuser=True, password=PASSWORD)
    home = make_property(title="The House of the Heron")
    # The site's own worker is not to pay beside us.
    with jobs_kept():
        booking = paid(held(home, now=now, **nights(home, 2, now=now)), now=now)
    front = "{0.scheme}://{0.netloc}/admin/".format(urlsplit(site.url))
    browser.open(f"{front}login/?next=/admin/bookings/booking/?q={booking.reference.lower()}")
    browser.type("input[name=username]", clerk.email)
    browser.type("input[name=password]", PASSWORD)
    browser.click("form button[type=submit]")
    eventually(lambda: browser.has("#result_list"), "the list of bookings is there")
    browser.click("#result_list tbody tr a")
    eventually(lambda: browser.has("#story"), "the story is there")
    assert "The House of the Heron" in browser.text("#summary")

    browser.click(f'a[href="/admin/act/bookings/booking/{booking.pk}/cancel/"]')
    eventually(lambda: browser.has("#how"), "the page asks how much goes back")
    browser.click("input[name=back][value=other]")
    browser.type("input[name=amount]", "150")
    browser.type("input[name=reason]", "The heron is back.")
    browser.click("#how button[type=submit]")
    eventually(lambda: browser.has("#confirm"), "the page says what will happen")
    assert "150.00 EUR goes back, and 50.00 EUR is kept." in browser.text("#foresight")
    assert again(booking).status == "CONFIRMED"
    browser.click("#confirm button[type=submit]")
    eventually(lambda: browser.has("#timeline"), "the story is there again")
    eventually(lambda: Refund.objects.filter(status="SUCCEEDED").exists(), "the worker has given it back")
    browser.open(browser.address)
    told = browser.text("#timeline")
    for text in ("Canceled · our staff", "The heron is back.", "Refund of 150.00 EUR: gone back", clerk.email):
        assert text in told, told
    assert "150.00 EUR" in browser.text("#bill")
    assert browser.complaints() == []
