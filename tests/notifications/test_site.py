"""The running site tells people: beat, worker and web as processes of their own."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from apps.core.db import unit_of_work
from apps.notifications.models import Letter, Notification
from apps.users.actions.sessions import open_session
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.recipes import make_event, make_guest, make_staff
from tests.serving import Site, eventually

pytestmark = pytest.mark.django_db(transaction=True)

BOOK = "mutation($input: BookEventInput!) { bookEvent(input: $input) { booking { status } errors { code } } }"
SEND = "mutation($input: SendNotificationInput!) { sendNotification(input: $input) { accepted errors { code } } }"
READ = "{ me { unreadNotifications notifications { edges { node { type booking { reference } } } } } }"


def token(user: User) -> str:
    return unit_of_work(open_session)(user=user, user_agent="", now=datetime.now(UTC)).access_token


def test_a_booking_is_told_mailed_and_reminded_of_and_staff_are_heard(site: Site) -> None:
    event = make_event(price_minor=0, starts_at=datetime.now(UTC) + timedelta(hours=23))
    guest, staff = make_guest(), make_staff()
    client = site.client(token=token(guest))
    given = {"eventId": to_global_id("Event", event.pk), "tickets": 1}
    booked = client.data(BOOK, {"input": given})["bookEvent"]
    assert booked == {"booking": {"status": "CONFIRMED"}, "errors": []}, json.dumps(booked)
    message = {"userIds": [to_global_id("User", guest.pk)], "title": "Hello", "body": "News."}
    sent = site.client(token=token(staff)).data(SEND, {"input": message})["sendNotification"]
    assert sent == {"accepted": 1, "errors": []}
    eventually(lambda: Notification.objects.filter(recipient=guest).count() == 3, "three notifications")
    shown = client.data(READ)["me"]
    types = sorted(edge["node"]["type"] for edge in shown["notifications"]["edges"])
    assert (shown["unreadNotifications"], types) == (3, ["BOOKING_CONFIRMED", "BOOKING_REMINDER", "MESSAGE"])
    eventually(lambda: Letter.objects.filter(sent_at__isnull=False).count() == 2, "two letters on their way")
    # Booked within the last day, it needs no mail to be remembered.
    assert sorted(Letter.objects.values_list("template", flat=True)) == ["confirmed", "host_confirmed"]
