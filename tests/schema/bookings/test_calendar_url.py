"""A person's bookings in their calendar program."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from icalendar import Calendar

from apps.bookings.feeds import feed_address
from apps.bookings.models import Booking
from tests.notifications.test_facts import confirm, stay
from tests.recipes import PASSWORD, make_event, make_guest, make_property
from tests.reviews.stays import book_ticket
from tests.schema.users.conftest import Api

pytestmark = pytest.mark.django_db

CHANGE = """mutation($input: ChangePasswordInput!) { changePassword(input: $input) { token errors { code } } }"""


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False
    settings.PUBLIC_URL = "https://book.example"


def path_of(api: Api) -> str:
    url: str = api.data("{ me { calendarUrl } }")["me"]["calendarUrl"]
    assert url.startswith("https://book.example/calendars/")
    return url.removeprefix("https://book.example")


def events(path: str) -> dict[str, Any]:
    answer = Client().get(path)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/calendar")
    assert answer["Cache-Control"] == "private, no-store"
    calendar: Any = Calendar.from_ical(answer.content)
    return {str(event["uid"]): event for event in calendar.walk("VEVENT")}


def test_each_live_booking_is_one_event_and_nobody_elses() -> None:
    guest, other = make_guest(), make_guest()
    home = make_property(title="Lake, mountain; more")
    booking = confirm(stay(home, guest))
    event = make_event()
    held = book_ticket(event, guest, status="PENDING")
    in_use = book_ticket(event, guest, status="CHECKED_IN")
    for status in ("CANCELED", "EXPIRED", "COMPLETED", "NO_SHOW"):
        book_ticket(event, guest, status=status)
    book_ticket(event, other, status="CONFIRMED")
    found = events(path_of(Api().enter(guest)))
    assert set(found) == {f"{each.reference}@book.example" for each in (booking, held, in_use)}
    shown = found[f"{booking.reference}@book.example"]
    assert shown["summary"] == f"Lake, mountain; more ({booking.reference})"
    assert shown["dtstart"].dt == datetime(2026, 12, 1, 14, tzinfo=UTC)
    assert shown["dtend"].dt == datetime(2026, 12, 3, 10, tzinfo=UTC)
    assert (shown["status"], shown["location"]) == ("CONFIRMED", "Prenzlauer Allee 1, Berlin, Germany")
    assert found[f"{held.reference}@book.example"]["status"] == "TENTATIVE"


def test_a_hold_does_not_tell_where_a_home_is() -> None:
    guest = make_guest()
    booking = stay(make_property(), guest)
    (shown,) = events(path_of(Api().enter(guest))).values()
    assert shown["location"] == "Berlin, Germany"
    assert Booking.objects.get(pk=booking.pk).status == "PENDING"


def test_another_password_makes_another_address() -> None:
    guest = make_guest(password=PASSWORD)
    api = Api()
    api.sign_in(guest)
    old = path_of(api)
    answer = api.data(CHANGE, input={"currentPassword": PASSWORD, "newPassword": "another-Password-2"})
    api.token = answer["changePassword"]["token"]
    new = path_of(api)
    assert old != new
    assert (Client().get(old).status_code, Client().get(new).status_code) == (404, 200)


def test_another_address_can_be_had_without_another_password() -> None:
    api, other = Api().enter(make_guest()), Api().enter(make_guest())
    old, others = path_of(api), path_of(other)
    rotate = "mutation { rotateCalendarUrl(input: {}) { viewer { calendarUrl } errors { code } } }"
    for _ in range(2):
        answer = api.data(rotate)["rotateCalendarUrl"]
        new = path_of(api)
        assert answer == {"viewer": {"calendarUrl": f"https://book.example{new}"}, "errors": []}
        assert [Client().get(path).status_code for path in (old, new, others)] == [404, 200, 200]
        old = new


def test_an_address_that_was_never_given_out_opens_nothing() -> None:
    ann, bob = make_guest(), make_guest()
    right = feed_address(ann)
    secret = right.partition("-")[2]
    assert Client().get(f"/calendars/{right}.ics").status_code == 200
    for wrong in (f"{bob.pk}-{secret}", f"{ann.pk}-{'0' * 64}", f"0{right}", right[:-1], right.upper(), "1", "x" * 200):
        assert Client().get(f"/calendars/{wrong}.ics").status_code == 404
    assert Client().post(f"/calendars/{right}.ics").status_code in (403, 405)
    ann.is_active = False
    ann.save()
    assert Client().get(f"/calendars/{right}.ics").status_code == 404
    assert Api().data("{ me { calendarUrl } }") == {"me": None}
