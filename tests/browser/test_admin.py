"""The admin as staff uses it: signed in with a second factor, a booking found and opened, and nothing that the policy refuses."""

import re

from django.utils import timezone

from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.listings.offers import BookingRequest
from apps.staff import codes
from apps.staff.models import SecondFactor
from tests.browser.conftest import Browser
from tests.recipes import PASSWORD, make_event, make_guest, make_staff
from tests.serving import Site, eventually

CHOOSE = """
    document.querySelector('input.action-select').click();
    const actions = document.querySelector('select[name=action]');
    actions.value = 'refresh_selected';
    actions.dispatchEvent(new Event('change', {bubbles: true}));
"""
IS_SHOWN = "return document.querySelector(arguments[0]).checkVisibility()"


def held() -> Booking:
    """A ticket for nothing, so it is confirmed at once."""
    return hold(
        kind_code="EVENT",
        listing_id=make_event(price_minor=0).pk,
        listing_field="event_id",
        request=BookingRequest(tickets=1),
        guest=make_guest(),
        now=timezone.now(),
    )


def test_staff_signs_in_with_a_second_factor_and_finds_a_booking(site: Site, browser: Browser) -> None:
    boss, booking = make_staff(password=PASSWORD, is_superuser=True), held()
    browser.open(f"{site.url}/admin/")
    browser.type("#id_username", boss.email)
    browser.type("#id_password", PASSWORD)
    browser.click("#login-form button[type=submit]")
    eventually(lambda: browser.has("#chart-bookings"), "the dashboard opens")
    drawn = "return Chart.getChart(document.querySelector('#chart-bookings canvas'))?.data.datasets[0].data.at(-1)"
    eventually(lambda: browser.run(drawn) == 1, "the booking is in the chart")

    # The app is set up with the key that is shown, and the picture is there.
    browser.open(f"{site.url}/admin/second-factor/set-up/")
    assert browser.run("return document.querySelector('#second-factor-picture').naturalWidth") > 100
    secret = SecondFactor.objects.get(user=boss).secret
    assert browser.text("#second-factor-key") == codes.written(secret)
    step = int(timezone.now().timestamp()) // codes.STEP_SECONDS
    browser.type("#id_code", codes.code_at(secret, step - 1))
    browser.click("#second-factor-form button[type=submit]")
    eventually(lambda: browser.has("#backup-codes"), "the backup codes are shown")
    assert len(re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", browser.text("#backup-codes"))) == codes.BACKUP_CODES

    # The next time the password is not enough.
    browser.open(f"{site.url}/admin/")
    browser.run("document.querySelector('form[action=\"/admin/logout/\"]').submit()")
    eventually(lambda: not browser.has("#nav-sidebar"), "staff is signed out")
    browser.open(f"{site.url}/admin/bookings/booking/")
    browser.type("#id_username", boss.email)
    browser.type("#id_password", PASSWORD)
    browser.click("#login-form button[type=submit]")
    eventually(lambda: browser.has("#second-factor-form"), "a code is asked for")
    browser.type("#id_code", codes.code_at(secret, step))
    browser.click("#second-factor-form button[type=submit]")
    eventually(lambda: browser.has("#changelist"), "the bookings are listed")

    # Menus and filters open, an action is chosen and the search finds what there is: all that scripts do.
    browser.run(CHOOSE)
    eventually(lambda: browser.run(IS_SHOWN, "#changelist-actions button[type=submit]"), "the action can be run")
    browser.type("#searchbar", f"{booking.reference}\n")
    eventually(lambda: f"q={booking.reference}" in browser.address, "it is searched for")
    browser.click(f"#result_list a[href^='/admin/bookings/booking/{booking.pk}/']")
    eventually(lambda: browser.has("form#booking_form, #content-main"), "the booking opens")
    assert booking.reference in browser.text("#main")
    dark = "return document.documentElement.classList.contains('dark')"
    browser.run("window.dispatchEvent(new KeyboardEvent('keydown', {key: 'e', ctrlKey: true}))")
    first = browser.run(dark)
    browser.run("window.dispatchEvent(new KeyboardEvent('keydown', {key: 'e', ctrlKey: true}))")
    eventually(lambda: browser.run(dark) is not first, "the look changes")
    assert browser.complaints() == []
    # All of it came from here.
    assert {url for url in browser.requested() if not url.startswith((site.url, "data:"))} == set()


def test_what_the_policy_forbids_is_refused_and_the_policy_is_strict(site: Site, browser: Browser) -> None:
    """Neither code in an attribute nor code from a text runs, so markup that slips into a page does nothing."""
    boss = make_staff(password=PASSWORD, is_superuser=True)
    browser.open(f"{site.url}/admin/")
    browser.type("#id_username", boss.email)
    browser.type("#id_password", PASSWORD)
    browser.click("#login-form button[type=submit]")
    eventually(lambda: browser.has("#nav-sidebar"), "the admin opens")
    assert browser.complaints() == []
    browser.run(
        "document.body.insertAdjacentHTML('beforeend', `<b onclick=\"window.ran = 1\" id=x>x</b>"
        '<i x-data="{a: window.ran = 2}" x-init="window.ran = 3"></i><i x-data x-init="globalThis.ran = 4"></i>`);'
        "document.querySelector('#x').click()"
    )
    eventually(lambda: any("Content Security Policy" in text for text in browser.complaints()), "it is refused")
    assert browser.run("return window.ran ?? null") is None
