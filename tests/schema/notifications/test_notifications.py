"""What people read of what they were told, and what staff send, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.models import OutboxMessage
from apps.notifications.actions import deliver, tell
from apps.notifications.models import Announcement, Notification, NotificationType
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.recipes import make_event, make_guest, make_host, make_staff
from tests.reviews.stays import book_ticket
from tests.schema.users.conftest import Api

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
LIST = """query($unread: Boolean, $first: Int, $after: String) { me { unreadNotifications
    notifications(unreadOnly: $unread, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
        edges { node { id type title body readAt createdAt booking { id } } } } } }"""
MARK = """mutation($input: MarkNotificationsReadInput!) { it: markNotificationsRead(input: $input) {
    viewer { unreadNotifications } errors { code field } } }"""
SEND = """mutation($input: SendNotificationInput!) { it: sendNotification(input: $input) {
    accepted errors { code field } } }"""


@pytest.fixture(autouse=True)
def _open_door(settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False


def told(*people: User, number: int = 1, booking_id: int | None = None) -> None:
    for index in range(number):
        tell(
            recipient_ids=[person.pk for person in people],
            type=NotificationType.BOOKING_CONFIRMED,
            title=f"Title {index}",
            body="<b>Body</b>",
            key=f"fact:{index}",
            booking_id=booking_id,
            now=NOW + timedelta(minutes=index),
        )


def ids_of(person: User) -> list[str]:
    rows = Notification.objects.filter(recipient=person).order_by("pk")
    return [to_global_id("Notification", row.pk) for row in rows]


def read(person: User, **variables: Any) -> Any:
    return Api().enter(person).data(LIST, **variables)["me"]


def test_a_person_reads_their_own_newest_first_in_pages() -> None:
    ann, bob = make_guest(), make_guest()
    told(ann, number=3)
    told(bob)
    assert Api().data("{ me { unreadNotifications } }") == {"me": None}
    page = read(ann, first=2)
    found = page["notifications"]
    assert (page["unreadNotifications"], found["totalCount"]) == (3, 3)
    assert [edge["node"]["title"] for edge in found["edges"]] == ["Title 2", "Title 1"]
    assert found["edges"][0]["node"] == {
        "id": ids_of(ann)[2], "type": "BOOKING_CONFIRMED", "title": "Title 2", "body": "<b>Body</b>", "readAt": None,
        "createdAt": "2026-11-21T09:32:00Z", "booking": None,
    }  # fmt: skip
    rest = read(ann, first=2, after=found["pageInfo"]["endCursor"])["notifications"]
    assert [edge["node"]["title"] for edge in rest["edges"]] == ["Title 0"]
    assert read(bob)["unreadNotifications"] == 1


def test_a_notification_is_a_node_for_its_reader_alone() -> None:
    ann, staff = make_guest(), make_staff()
    told(ann)
    query = "query($id: ID!) { node(id: $id) { ... on Notification { title } } }"
    (own,) = ids_of(ann)
    assert Api().enter(ann).data(query, id=own) == {"node": {"title": "Title 0"}}
    for api in (Api(), Api().enter(staff), Api().enter(make_guest())):
        assert api.data(query, id=own) == {"node": None}


def test_the_booking_is_shown_as_far_as_the_reader_sees_it() -> None:
    listing, guest, stranger = make_event(), make_guest(), make_guest()
    booking = book_ticket(listing, guest, status="CONFIRMED")
    told(guest, listing.host, stranger, booking_id=booking.pk)
    for person, seen in ((guest, True), (listing.host, True), (stranger, False)):
        shown = read(person)["notifications"]["edges"][0]["node"]["booking"]
        assert shown == ({"id": to_global_id("Booking", booking.pk)} if seen else None)


def test_the_number_of_queries_does_not_grow_with_the_rows() -> None:
    listing = make_event()

    def cost(person: User) -> int:
        api = Api().enter(person)
        with CaptureQueriesContext(connection) as seen:
            api.data(LIST, first=50)
        return len(seen)

    few, many = make_guest(), make_guest()
    told(few, number=1, booking_id=book_ticket(listing, few, status="CONFIRMED").pk)
    for index in range(12):
        tell(
            recipient_ids=[many.pk], type=NotificationType.BOOKING_CONFIRMED, title="T", body="B", key=f"k{index}",
            booking_id=book_ticket(listing, many, status="CONFIRMED").pk, now=NOW,
        )  # fmt: skip
    assert cost(few) == cost(many)


def mark(person: User, **given: Any) -> Any:
    return Api().enter(person).data(MARK, input=given)["it"]


def test_marking_read_is_all_or_nothing_and_keeps_the_first_time() -> None:
    ann, bob = make_guest(), make_guest()
    told(ann, number=3)
    told(bob)
    assert Api().code(MARK, input={}) == "UNAUTHENTICATED"
    mine, (foreign,) = ids_of(ann), ids_of(bob)
    for wrong in (foreign, "", "\x00", to_global_id("User", ann.pk), to_global_id("Notification", 2**62)):
        assert Api().enter(ann).refusals(MARK, input={"ids": [mine[0], wrong]}) == [("NOT_FOUND", ["ids"])]
    assert mark(ann, ids=[]) == {"viewer": {"unreadNotifications": 3}, "errors": []}
    assert mark(ann, ids=[mine[0], mine[0]])["viewer"] == {"unreadNotifications": 2}
    first = Notification.objects.filter(recipient=ann).order_by("pk")[0].read_at
    assert first is not None
    unread = read(ann, unread=True)["notifications"]
    assert (unread["totalCount"], len(unread["edges"])) == (2, 2)
    assert mark(ann)["viewer"] == {"unreadNotifications": 0}
    assert Notification.objects.filter(recipient=ann).order_by("pk")[0].read_at == first
    told(ann, number=4)
    assert mark(ann, ids=None)["viewer"] == {"unreadNotifications": 0}
    assert read(bob)["unreadNotifications"] == 1


def test_a_fact_is_told_once() -> None:
    ann = make_guest()
    told(ann, ann)
    told(ann)
    assert read(ann)["unreadNotifications"] == 1


def message(*people: User, **fields: Any) -> dict[str, Any]:
    return {
        "userIds": [to_global_id("User", person.pk) for person in people],
        "title": "Hello",
        "body": "News.",
        **fields,
    }


def carry_out() -> None:
    for announcement in Announcement.objects.filter(delivered_at=None):
        deliver(announcement_id=announcement.pk, now=NOW)


def test_staff_write_to_many_and_each_gets_it_once() -> None:
    staff, people = make_staff(), [make_guest() for _ in range(3)]
    given = message(*people, people[0])
    assert Api().enter(staff).data(SEND, input=given)["it"] == {"accepted": 3, "errors": []}
    assert not Notification.objects.exists()
    announcement = Announcement.objects.get()
    for _ in range(2):
        deliver(announcement_id=announcement.pk, now=NOW)
        Announcement.objects.update(delivered_at=None)
    rows = Notification.objects.order_by("recipient").values_list("recipient", "type", "title", "body")
    assert list(rows) == [(person.pk, "MESSAGE", "Hello", "News.") for person in people]


def test_only_staff_send_and_unknown_people_stop_it() -> None:
    ann, staff = make_guest(), make_staff()
    gone = make_guest(deleted_at=NOW, email="", is_active=False)
    assert Api().code(SEND, input=message(ann)) == "UNAUTHENTICATED"
    for other in (ann, make_host()):
        assert Api().enter(other).code(SEND, input=message(ann)) == "FORBIDDEN"
    api = Api().enter(staff)
    assert api.refusals(SEND, input=message()) == [("REQUIRED", ["userIds"])]
    assert api.refusals(SEND, input=message(ann, gone)) == [("NOT_FOUND", ["userIds"])]
    for wrong in ("", "\x00", to_global_id("User", 2**62), to_global_id("Booking", 1)):
        given = message(ann)
        given["userIds"].append(wrong)
        assert api.refusals(SEND, input=given) == [("NOT_FOUND", ["userIds"])]
    faults = api.refusals(SEND, input=message(ann, title=" ", body="x" * 5001))
    assert sorted(faults) == [("INVALID", ["body"]), ("REQUIRED", ["title"])]
    assert not Announcement.objects.exists()
    assert not OutboxMessage.objects.filter(task="notifications.deliver").exists()


def test_a_key_sends_once_and_nothing_else() -> None:
    ann, bob, staff = make_guest(), make_guest(), make_staff()
    api = Api().enter(staff)
    for _ in range(2):
        assert api.data(SEND, input=message(ann, bob, idempotencyKey="key-number-1"))["it"]["accepted"] == 2
    wrong = message(ann, idempotencyKey="key-number-1")
    assert api.refusals(SEND, input=wrong) == [("DUPLICATE", ["idempotencyKey"])]
    assert api.refusals(SEND, input=message(ann, idempotencyKey="short")) == [("INVALID", ["idempotencyKey"])]
    carry_out()
    assert Notification.objects.count() == 2
