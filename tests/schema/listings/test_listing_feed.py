"""When a listing is taken, for its host's calendar program and for other houses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from icalendar import Calendar

from apps.availability.actions import block, replace_blocks
from apps.core.db import unit_of_work
from apps.core.periods import Period
from apps.listings.models import Listing
from apps.users.models import User
from tests.notifications.test_facts import confirm
from tests.recipes import make_event, make_guest, make_host, make_parking_spot, make_property, make_staff
from tests.reviews.stays import book_ticket
from tests.schema.listings.api import ask, global_id, mutate, told, top_code
from tests.schema.listings.test_calendars import stay

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
URL = "query($id: ID!) { listing(id: $id) { calendarUrl } }"


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.PUBLIC_URL = "https://book.example"


def path_of(listing: Listing, viewer: User | None = None) -> str:
    url = ask(URL, {"id": global_id(listing)}, viewer=viewer or listing.host)["data"]["listing"]["calendarUrl"]
    assert url.startswith("https://book.example/calendars/listings/")
    return str(url.removeprefix("https://book.example"))


def events(listing: Listing) -> list[tuple[str, str, str, str, str]]:
    answer = Client().get(path_of(listing))
    assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-store")
    assert answer["Content-Type"].startswith("text/calendar")
    calendar: Any = Calendar.from_ical(answer.content)
    assert b"Ada" not in answer.content
    return [
        (f"{each['dtstart'].dt:%d.%H}", f"{each['dtend'].dt:%d.%H}", each["summary"], each["status"], each["transp"])
        for each in calendar.walk("VEVENT")
    ]


def test_a_home_says_when_it_is_booked_or_blocked_and_by_nobody_of_whom() -> None:
    home = make_property()
    firm, held = confirm(stay(home, 2, 3)), stay(home, 5, 6)
    days = [Period(datetime(2026, 12, day, tzinfo=UTC), datetime(2026, 12, day + 1, tzinfo=UTC)) for day in (10, 20)]
    unit_of_work(block)(home.pk, days[0], reason="Paint", source="HOST", now=NOW)
    unit_of_work(replace_blocks)(home.pk, [(days[1], "theirs")], source="Airbnb", now=NOW)
    assert events(home) == [
        ("02.14", "03.10", f"Booked ({firm.reference})", "CONFIRMED", "OPAQUE"),
        ("05.14", "06.10", f"Booked ({held.reference})", "TENTATIVE", "OPAQUE"),
        ("10.00", "11.00", "Not available", "CONFIRMED", "OPAQUE"),
    ]


def test_of_several_units_the_last_one_takes_the_time() -> None:
    home = make_property(units=2)
    confirm(stay(home, 2, 4))
    assert [each[4] for each in events(home)] == ["TRANSPARENT"]
    confirm(stay(home, 3, 5))
    assert [each for each in events(home) if each[4] == "OPAQUE"] == [
        ("03.14", "04.10", "Fully booked", "CONFIRMED", "OPAQUE")
    ]


def test_what_takes_place_once_is_one_event_with_what_is_sold() -> None:
    event = make_event(tickets=5, starts_at=datetime.now(UTC) + timedelta(days=3))
    for _ in range(2):
        book_ticket(event, make_guest(), status="CONFIRMED")
    assert [each[2] for each in events(event)] == [f"{event.title} (2 of 5 sold)"]
    assert events(make_parking_spot()) == []


def test_the_address_is_for_host_and_staff_and_opens_that_listing_alone() -> None:
    home, other = make_property(), make_property()
    path = path_of(home)
    assert path == path_of(home, make_staff())
    for viewer in (None, make_guest(), other.host):
        assert ask(URL, {"id": global_id(home)}, viewer=viewer)["data"]["listing"]["calendarUrl"] is None
    secret = path.removesuffix(".ics").rpartition("-")[2]
    for wrong in (f"{other.pk}-{secret}", f"{home.pk}-{'0' * 64}", f"{home.pk}", "x" * 100, f"0{home.pk}-{secret}"):
        assert Client().get(f"/calendars/listings/{wrong}.ics").status_code == 404
    assert Client().get(path).status_code == 200
    Listing.objects.filter(pk=home.pk).update(deleted_at=NOW)
    assert Client().get(path).status_code == 404


def test_another_address_closes_the_one_before() -> None:
    home, other = make_property(), make_host()
    paths = [path_of(home)]
    given = {"listingId": global_id(home)}
    assert told(mutate("rotateListingCalendarUrl", given, viewer=other)) == {("NOT_ALLOWED", "listingId")}
    query = "mutation($input: RotateListingCalendarUrlInput!) { rotateListingCalendarUrl(input: $input) { errors { code } } }"
    assert top_code(ask(query, {"input": given}, viewer=make_guest())) == "FORBIDDEN"
    assert path_of(home) == paths[0]
    for viewer in (home.host, make_staff()):
        assert mutate("rotateListingCalendarUrl", given, viewer=viewer)["errors"] == []
        paths.append(path_of(home))
    assert [Client().get(path).status_code for path in paths] == [404, 404, 200]
