"""Outside calendars that block a listing: what hosts and others get, and what a worker makes of them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from apps.availability.models import BLOCK_HOLDER, Allocation, Block, Unit
from apps.bookings.actions import cancel, hold
from apps.bookings.models import Booking
from apps.core.errors import Unavailable
from apps.hosting.calendars import EVERY, sync_due
from apps.hosting.listing_feed import feed_of
from apps.hosting.models import ImportedCalendar
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.notifications.models import Letter, Notification
from schema.core.ids import to_global_id
from tests.notifications.test_facts import confirm
from tests.recipes import make_event, make_guest, make_host, make_property, make_staff
from tests.schema.listings.api import ask, global_id, mutate, told, top_code

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SHOWS = "listing { calendars { id name url lastSyncedAt lastError } }"
CALENDARS = "query($id: ID!) { listing(id: $id) { calendars { id name lastError } } }"


class Neighbour:
    """Another house with a feed. `events` are (uid, check-in day, check-out day) of December."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int, int]] = []
        self.answer: tuple[int, bytes] | None = None
        self.mark = ""
        self.answered: list[int] = []
        house = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = house.answer or (200, house.feed())
                if house.mark and self.headers["If-None-Match"] == house.mark:
                    status, body = 304, b""
                house.answered.append(status)
                self.send_response(status)
                if house.mark:
                    self.send_header("ETag", house.mark)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/feed.ics"

    def feed(self) -> bytes:
        events = "".join(
            f"BEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:Taken <{uid}>\r\nDTSTART;VALUE=DATE:202612{first:02}\r\n"
            f"DTEND;VALUE=DATE:202612{last:02}\r\nEND:VEVENT\r\n"
            for uid, first, last in self.events
        )
        return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{events}END:VCALENDAR\r\n".encode()


@pytest.fixture
def neighbour() -> Iterator[Neighbour]:
    house = Neighbour()
    Thread(target=house.server.serve_forever, daemon=True).start()
    yield house
    house.server.shutdown()
    house.server.server_close()


def add(home: Listing, url: str, name: str = "Airbnb", viewer: Any = None) -> Any:
    given = {"listingId": global_id(home), "name": name, "url": url}
    return mutate("importCalendar", given, viewer=viewer or home.host, shows=SHOWS, now=NOW)


def stay(home: Listing, first: int, last: int) -> Booking:
    asked = BookingRequest(check_in=date(2026, 12, first), check_out=date(2026, 12, last), guests=1)
    return hold(
        kind_code="PROPERTY", listing_id=home.pk, listing_field="id", request=asked, guest=make_guest(), now=NOW
    )


def blocked(home: Listing) -> list[tuple[str, str, str]]:
    rows = Block.objects.filter(listing=home).order_by("period", "pk")
    return [(f"{row.period.lower:%d.%H}", f"{row.period.upper:%d.%H}", row.source) for row in rows]


def taken(home: Listing) -> list[list[tuple[str, str]]]:
    """What blocks take of each unit."""
    units = Unit.objects.filter(listing=home).order_by("number")
    rows = {unit.pk: unit.allocations.filter(holder=BLOCK_HOLDER).order_by("period") for unit in units}
    return [[(f"{row.period.lower:%d.%H}", f"{row.period.upper:%d.%H}") for row in found] for found in rows.values()]


def test_a_feed_is_fetched_by_the_worker_and_blocks_its_nights(neighbour: Neighbour) -> None:
    home = make_property(units=2)
    neighbour.events = [("a", 1, 3), ("b", 5, 6)]
    payload = add(home, neighbour.url)
    assert payload["errors"] == []
    (shown,) = payload["listing"]["calendars"]
    assert {**shown, "id": ""} == {
        "id": "", "name": "Airbnb", "url": neighbour.url, "lastSyncedAt": None, "lastError": None,
    }  # fmt: skip
    assert blocked(home) == []
    assert sync_due(now=NOW) == 1
    assert sync_due(now=NOW + EVERY - timedelta(seconds=1)) == 0
    # From check-in to check-out on the listing's wall, an hour ahead of UTC.
    assert blocked(home) == [("01.14", "03.10", "Airbnb"), ("05.14", "06.10", "Airbnb")]
    assert Allocation.objects.filter(listing=home, is_active=True).count() == 4
    with pytest.raises(Unavailable):
        stay(home, 2, 3)
    stay(home, 3, 5)
    calendar = ImportedCalendar.objects.get()
    assert (calendar.last_synced_at, calendar.last_error, calendar.next_sync_at) == (NOW, "", NOW + EVERY)


def test_the_next_reading_moves_adds_and_frees(neighbour: Neighbour) -> None:
    home = make_property()
    neighbour.events = [("a", 1, 3), ("b", 5, 6)]
    add(home, neighbour.url)
    sync_due(now=NOW)
    (kept,) = Block.objects.filter(period__startswith=datetime(2026, 12, 5, 14, tzinfo=UTC))
    neighbour.events = [("a", 2, 4), ("b", 5, 6), ("c", 8, 9)]
    assert sync_due(now=NOW + EVERY) == 1
    assert blocked(home) == [("02.14", "04.10", "Airbnb"), ("05.14", "06.10", "Airbnb"), ("08.14", "09.10", "Airbnb")]
    assert Block.objects.filter(pk=kept.pk).exists()
    neighbour.events = []
    sync_due(now=NOW + 2 * EVERY)
    assert blocked(home) == []
    assert not Allocation.objects.filter(listing=home).exists()


@pytest.mark.parametrize("answer", [(500, b""), (200, b"<html>"), (302, b""), (200, b"x" * (2 * 1024 * 1024 + 1))])
def test_a_broken_feed_leaves_the_last_good_state(neighbour: Neighbour, answer: tuple[int, bytes]) -> None:
    home = make_property()
    neighbour.events = [("a", 1, 3)]
    add(home, neighbour.url)
    sync_due(now=NOW)
    neighbour.answer = answer
    assert sync_due(now=NOW + EVERY) == 1
    assert blocked(home) == [("01.14", "03.10", "Airbnb")]
    calendar = ImportedCalendar.objects.get()
    assert (calendar.last_synced_at, calendar.last_error == "") == (NOW, False)
    body = ask(CALENDARS, {"id": global_id(home)}, viewer=home.host)
    assert body["data"]["listing"]["calendars"][0]["lastError"] == calendar.last_error
    # Broken again and again, it is asked after 15, 30, 60 minutes ...
    assert [sync_due(now=NOW + number * EVERY) for number in range(2, 9)] == [1, 0, 1, 0, 0, 0, 1]
    neighbour.answer = None
    later = NOW + 16 * EVERY
    assert sync_due(now=later) == 1
    calendar.refresh_from_db()
    assert (calendar.last_synced_at, calendar.last_error, calendar.next_sync_at) == (later, "", later + EVERY)


def test_a_booking_stands_and_the_host_is_told_once(neighbour: Neighbour) -> None:
    home = make_property()
    booking = confirm(stay(home, 2, 3))
    Notification.objects.all().delete()
    neighbour.events = [("a", 1, 5)]
    add(home, neighbour.url)
    for number in range(3):
        assert sync_due(now=NOW + number * EVERY) == 1
    assert blocked(home) == [("01.14", "05.10", "Airbnb")]
    assert taken(home) == [[("01.14", "02.14"), ("03.10", "05.10")]]
    assert Booking.objects.get(pk=booking.pk).status == "CONFIRMED"
    assert Allocation.objects.get(pk=booking.allocation_id).is_active
    (note,) = Notification.objects.all()
    assert (note.recipient, note.type, note.booking_id) == (home.host, "CALENDAR_CONFLICT", booking.pk)
    assert booking.reference in note.body
    assert Letter.objects.filter(to=home.host.email, template="calendar_conflict").count() == 1
    cancel(viewer=home.host, booking_id=booking.pk, reason="", now=NOW)
    sync_due(now=NOW + 3 * EVERY)
    assert taken(home) == [[("01.14", "05.10")]]


def test_units_that_are_not_booked_are_blocked_beside_one_that_is(neighbour: Neighbour) -> None:
    home = make_property(units=3)
    confirm(stay(home, 2, 3))
    neighbour.events = [("a", 1, 5)]
    add(home, neighbour.url)
    sync_due(now=NOW)
    assert taken(home) == [[("01.14", "02.14"), ("03.10", "05.10")], [("01.14", "05.10")], [("01.14", "05.10")]]
    with pytest.raises(Unavailable):
        stay(home, 2, 3)
    # A block of the host's own, and one unit more, leave it so.
    period = {"listingId": global_id(home), "start": "2026-12-10T00:00:00Z", "end": "2026-12-11T00:00:00Z"}
    assert mutate("blockPeriod", period, viewer=home.host, now=NOW)["errors"] == []
    given = {"id": global_id(home), "units": 4}
    assert mutate("updateProperty", given, viewer=home.host, now=NOW)["errors"] == []
    assert [len(unit) for unit in taken(home)] == [3, 2, 2, 2]
    over = {"listingId": global_id(home), "start": "2026-12-02T00:00:00Z", "end": "2026-12-04T00:00:00Z"}
    assert told(mutate("blockPeriod", over, viewer=home.host, now=NOW)) == {("UNAVAILABLE", "start")}


def test_a_feed_that_has_not_changed_is_not_sent_again_and_what_came_free_is_blocked(neighbour: Neighbour) -> None:
    home = make_property()
    booking = confirm(stay(home, 2, 3))
    neighbour.events, neighbour.mark = [("a", 1, 5)], '"v1"'
    add(home, neighbour.url)
    sync_due(now=NOW)
    cancel(viewer=home.host, booking_id=booking.pk, reason="", now=NOW)
    assert taken(home) == [[("01.14", "02.14"), ("03.10", "05.10")]]
    sync_due(now=NOW + EVERY)
    assert neighbour.answered == [200, 304]
    assert taken(home) == [[("01.14", "05.10")]]
    calendar = ImportedCalendar.objects.get()
    assert (calendar.last_synced_at, calendar.read_at, calendar.last_error) == (NOW + EVERY, NOW, "")
    # What repeats goes on, so that once a day it is read anew.
    sync_due(now=NOW + timedelta(days=1))
    assert neighbour.answered == [200, 304, 200]
    neighbour.mark, neighbour.events = '"v2"', []
    sync_due(now=NOW + timedelta(days=1) + EVERY)
    assert (neighbour.answered[-1], blocked(home)) == (200, [])


def test_what_our_own_feed_said_comes_back_as_nothing(neighbour: Neighbour) -> None:
    home, other = make_property(), make_property()
    booking, elsewhere = confirm(stay(home, 2, 3)), confirm(stay(other, 8, 9))
    feed = feed_of(home, now=NOW)
    neighbour.answer = (200, feed.replace(b"END:VCALENDAR", feed_of(other, now=NOW).partition(b"BEGIN:VEVENT")[2].join(
        [b"BEGIN:VEVENT", b""]
    )))  # fmt: skip
    Notification.objects.all().delete()
    add(home, neighbour.url)
    sync_due(now=NOW)
    assert (booking.reference != elsewhere.reference, blocked(home)) == (True, [("08.14", "09.10", "Airbnb")])
    assert not Notification.objects.exists()


def test_a_hosts_unblocking_leaves_what_a_calendar_blocks(neighbour: Neighbour) -> None:
    home = make_property()
    neighbour.events = [("a", 1, 3)]
    add(home, neighbour.url)
    sync_due(now=NOW)
    period = {"listingId": global_id(home), "start": "2026-12-02T00:00:00Z", "end": "2026-12-20T00:00:00Z"}
    assert mutate("blockPeriod", period, viewer=home.host, now=NOW)["errors"] == []
    wider = {**period, "start": "2026-11-25T00:00:00Z"}
    assert mutate("unblockPeriod", wider, viewer=home.host, now=NOW)["errors"] == []
    assert blocked(home) == [("01.14", "03.10", "Airbnb")]


def test_removing_a_calendar_frees_what_it_blocked_and_nothing_else(neighbour: Neighbour) -> None:
    home = make_property()
    neighbour.events = [("a", 1, 3)]
    add(home, neighbour.url)
    add(home, neighbour.url, name="Google")
    assert sync_due(now=NOW) == 2
    airbnb, google = ImportedCalendar.objects.order_by("pk")
    given = {"calendarId": to_global_id("Calendar", airbnb.pk)}
    other = make_host()
    assert told(mutate("removeCalendar", given, viewer=other, now=NOW)) == {("NOT_ALLOWED", "calendarId")}
    for nothing in ("", "\x00", to_global_id("Calendar", 2**62), global_id(home)):
        wrong = mutate("removeCalendar", {"calendarId": nothing}, viewer=home.host, now=NOW)
        assert told(wrong) == {("NOT_FOUND", "calendarId")}
    assert len(blocked(home)) == 2
    payload = mutate("removeCalendar", given, viewer=home.host, shows=SHOWS, now=NOW)
    assert [each["name"] for each in payload["listing"]["calendars"]] == ["Google"]
    assert blocked(home) == [("01.14", "03.10", "Google")]
    assert Allocation.objects.filter(listing=home, is_active=True).count() == 1
    last = {"calendarId": to_global_id("Calendar", google.pk)}
    assert mutate("removeCalendar", last, viewer=make_staff(), now=NOW)["errors"] == []
    assert (blocked(home), Allocation.objects.filter(listing=home).exists()) == ([], False)
    assert sync_due(now=NOW + EVERY) == 0


def test_calendars_are_for_host_and_staff(neighbour: Neighbour) -> None:
    home, hidden = make_property(), make_property(status="DRAFT")
    add(home, neighbour.url)
    seen = {}
    for name, viewer in {"host": home.host, "staff": make_staff(), "guest": make_guest(), "nobody": None}.items():
        body = ask(CALENDARS, {"id": global_id(home)}, viewer=viewer)
        seen[name] = len(body["data"]["listing"]["calendars"])
    assert seen == {"host": 1, "staff": 1, "guest": 0, "nobody": 0}
    given = {"listingId": global_id(home), "name": "Mine", "url": neighbour.url}
    query = "mutation($input: ImportCalendarInput!) { importCalendar(input: $input) { errors { code } } }"
    assert top_code(ask(query, {"input": given}, viewer=None)) == "UNAUTHENTICATED"
    assert top_code(ask(query, {"input": given}, viewer=make_guest())) == "FORBIDDEN"
    other = make_host()
    assert told(mutate("importCalendar", given, viewer=other)) == {("NOT_ALLOWED", "listingId")}
    unseen = {**given, "listingId": global_id(hidden)}
    assert told(mutate("importCalendar", unseen, viewer=other)) == {("NOT_FOUND", "listingId")}
    assert ImportedCalendar.objects.count() == 1


def test_a_wrong_address_or_name_is_refused_at_once(neighbour: Neighbour) -> None:
    home = make_property()
    for url in (
        "ftp://example.com/x", "http://10.0.0.1/x", "http://169.254.169.254/latest", "https://u:p@example.com/x",
        "http://[::ffff:192.168.0.1]/x", "webcal://example.com/x", "nothing",
    ):  # fmt: skip
        assert told(add(home, url)) == {("INVALID", "url")}, url
    assert told(add(home, " ", name="\t")) == {("REQUIRED", "name"), ("REQUIRED", "url")}
    assert told(add(home, neighbour.url, name="host")) == {("INVALID", "name")}
    assert told(add(home, neighbour.url, name="x" * 151)) == {("INVALID", "name")}
    assert add(home, neighbour.url)["errors"] == []
    assert told(add(home, neighbour.url)) == {("DUPLICATE", "name")}
    event = make_event()
    assert told(add(event, neighbour.url)) == {("NOT_ALLOWED", "listingId")}
    assert ImportedCalendar.objects.count() == 1


def test_production_does_not_fetch_from_its_own_machine(neighbour: Neighbour, settings: Any) -> None:
    home = make_property()
    add(home, neighbour.url)
    settings.MODE = "production"
    assert told(add(home, neighbour.url, name="Other")) == {("INVALID", "url")}
    neighbour.events = [("a", 1, 3)]
    sync_due(now=NOW)
    calendar = ImportedCalendar.objects.get()
    assert (calendar.last_synced_at, calendar.last_error) == (None, "The address is not on the public internet.")
    assert blocked(home) == []
