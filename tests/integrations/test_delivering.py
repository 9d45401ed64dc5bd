"""Messages on their way: what arrives, how often it is tried, and who is told when it is not taken."""

import time
from datetime import timedelta
from itertools import pairwise
from threading import Event
from typing import Any

import pytest

from apps.core import faults
from apps.core.errors import WrongState
from apps.core.fetching import Answer
from apps.core.retention import forget
from apps.integrations import actions, delivering, failing
from apps.integrations.delivering import GIVE_UP_AFTER, PAUSES, next_try
from apps.integrations.models import EventType, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from apps.integrations.recording import fan_out, kept
from apps.integrations.retention import RULES
from apps.notifications.models import Letter, Notification
from apps.users.models import User
from tests.integrations.receiver import Message, Receiver, is_signed, status
from tests.integrations.world import NOW, happen, listen, send, send_until
from tests.recipes import make_guest, make_host, make_property, make_staff

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def only() -> WebhookDelivery:
    return WebhookDelivery.objects.select_related("endpoint").get()


def tries() -> list[tuple[int | None, str, str]]:
    rows = WebhookAttempt.objects.order_by("pk")
    return list(rows.values_list("status_code", "answer", "error"))


def test_a_message_arrives_signed_and_once(receiver: Receiver) -> None:
    home = make_property()
    _, secret = listen(home.host, f"{receiver.url}/hook?for=me")
    happen(home, 7)
    assert send() == 1
    assert send(NOW + DAY) == 0
    (message,) = receiver.taken
    delivery = only()
    assert message.path == "/hook?for=me"
    assert message.body == {
        "type": "listing.updated",
        "timestamp": "2026-11-21T09:30:00Z",
        "version": 1,
        "event_id": delivery.event.public_id,
        "delivery_id": delivery.public_id,
        "data": {"number": 7},
    }
    assert message.headers["webhook-id"] == delivery.event.public_id
    assert message.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert message.headers["content-type"] == "application/json"
    assert is_signed(message, secret)
    assert not is_signed(message, "whsec_" + "A" * 44)
    assert (delivery.status, delivery.tries, delivery.next_try_at, delivery.delivered_at) == ("DELIVERED", 1, None, NOW)
    assert tries() == [(204, "", "")]


def test_a_host_is_told_of_their_own_and_staff_of_everything(receiver: Receiver) -> None:
    mine, theirs = make_property(), make_property()
    listen(mine.host, f"{receiver.url}/host")
    listen(make_staff(), f"{receiver.url}/staff")
    for listing, number in ((mine, 1), (theirs, 2)):
        happen(listing, number)
    send_until(NOW + DAY)
    assert [message.body["data"]["number"] for message in receiver.at("/host")] == [1]
    assert [message.body["data"]["number"] for message in receiver.at("/staff")] == [1, 2]


def test_nothing_is_written_where_nobody_wants_to_know() -> None:
    home = make_property()
    listen(make_host(), "http://127.0.0.1:9/other")
    listen(home.host, "http://127.0.0.1:9/bookings", [EventType.BOOKING_HELD])
    happen(home)
    assert WebhookEvent.objects.count() == 0
    happen(home, type_=EventType.BOOKING_HELD)
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize("role", ["GUEST", "HOST"])
def test_who_loses_the_role_is_sent_nothing_more(receiver: Receiver, role: str) -> None:
    home, staff = make_property(), make_staff()
    listen(staff, f"{receiver.url}/staff")
    happen(home, 1)
    fan_out(now=NOW)
    User.objects.filter(pk=staff.pk).update(role=role)
    happen(home, 2)
    assert send(NOW + timedelta(minutes=1)) == 0
    assert WebhookDelivery.objects.count() == 1
    assert receiver.taken == []


def test_it_is_tried_with_growing_pauses_for_three_days(receiver: Receiver) -> None:
    home = make_property()
    receiver.answers["/"] = status(500, b"oh")
    listen(home.host, f"{receiver.url}/")
    happen(home)
    moments = send_until(NOW + timedelta(days=30))
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert pauses == sorted(pauses)
    assert moments[-1] - NOW >= GIVE_UP_AFTER
    assert moments[-1] - NOW < GIVE_UP_AFTER + timedelta(hours=1)
    assert len(moments) == len(PAUSES) + 1
    assert len({message.headers["webhook-id"] for message in receiver.taken}) == 1
    assert len({message.headers["webhook-timestamp"] for message in receiver.taken}) == len(moments)
    assert (only().status, only().next_try_at) == ("FAILED", None)
    assert tries() == [(500, "oh", "")] * len(moments)
    assert sum(PAUSES, timedelta()) == GIVE_UP_AFTER == timedelta(days=3)


def test_its_owner_is_told_of_what_was_given_up_once_a_day(receiver: Receiver) -> None:
    home = make_property()
    receiver.answers["/"] = status(500)
    listen(home.host, f"{receiver.url}/?key=their-secret")
    for number in range(3):
        happen(home, number)
    send_until(NOW + timedelta(days=4))
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"FAILED"}
    (note,) = Notification.objects.filter(recipient=home.host)
    (letter,) = Letter.objects.filter(to=home.host.email)
    assert note.title == letter.data["subject"] == "Webhook not delivered"
    assert "their-secret" not in note.body + str(letter.data)


def test_an_endpoint_that_fails_for_days_is_turned_off_and_told(receiver: Receiver) -> None:
    home = make_property()
    receiver.answers["/"] = status(500)
    endpoint, _ = listen(home.host, f"{receiver.url}/")
    for number, day in enumerate((0, 4)):
        happen(home, number, now=NOW + day * DAY)
        send_until(NOW + (day + 4) * DAY, start=NOW + day * DAY)
    endpoint.refresh_from_db()
    assert endpoint.disabled_reason == "FAILING"
    assert endpoint.disabled_at is not None
    assert NOW + failing.DISABLE_AFTER <= endpoint.disabled_at < NOW + failing.DISABLE_AFTER + DAY
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"FAILED", "SKIPPED"}
    assert Notification.objects.filter(recipient=home.host, title="Webhook turned off").count() == 1
    # Once it works again, what it missed is sent.
    receiver.answers.clear()
    receiver.taken.clear()
    later = NOW + 9 * DAY
    with pytest.raises(WrongState):
        actions.replay_span(viewer=home.host, endpoint_id=endpoint.pk, start=NOW, end=later, now=later)
    actions.update_endpoint(viewer=home.host, endpoint_id=endpoint.pk, is_enabled=True, now=later)
    assert actions.replay_span(viewer=home.host, endpoint_id=endpoint.pk, start=NOW, end=later, now=later) == 2
    send_until(later + DAY, start=later)
    assert [message.body["data"]["number"] for message in receiver.taken] == [0, 1]


def test_one_success_forgives_the_failures_before(receiver: Receiver) -> None:
    home = make_property()
    listen(home.host, f"{receiver.url}/")
    for day, code in enumerate((500, 200, 500)):
        receiver.answers["/"] = status(code)
        start = NOW + day * failing.DISABLE_AFTER * 0.8
        happen(home, day, now=start)
        send(start)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.disabled_at, endpoint.failing_since) == (None, start)


def test_an_address_that_says_it_is_gone_is_sent_nothing_more(receiver: Receiver) -> None:
    home = make_property()
    receiver.answers["/"] = status(410)
    listen(home.host, f"{receiver.url}/")
    happen(home, 1)
    happen(home, 2)
    send_until(NOW + DAY)
    assert len(receiver.taken) == 1
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.disabled_reason == "GONE"
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"SKIPPED"}
    assert Notification.objects.get(recipient=home.host).title == "Webhook turned off"


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    home = make_property()
    receiver.answers["/moved"] = status(307, Location=f"{receiver.url}/elsewhere")
    listen(home.host, f"{receiver.url}/moved")
    happen(home)
    send()
    assert [message.path for message in receiver.taken] == ["/moved"]
    assert (only().status, tries()) == ("PENDING", [(307, "", "")])


def test_of_a_huge_answer_only_the_beginning_is_read_and_kept(receiver: Receiver) -> None:
    home = make_property()
    receiver.answers["/"] = status(200, b"\x00ab\xff<b>\n" + b"z" * 30_000_000)
    listen(home.host, f"{receiver.url}/")
    happen(home)
    started = time.monotonic()
    send()
    assert time.monotonic() - started < 120
    ((code, answer, _),) = tries()
    assert (code, only().status) == (200, "DELIVERED")
    assert answer.startswith("\ufffdab\ufffd<b>\nzzz")
    assert len(answer) == 500


def test_an_answer_that_repeats_the_secret_is_kept_without_it(receiver: Receiver) -> None:
    home = make_property()
    _, secret = listen(home.host, f"{receiver.url}/")
    receiver.answers["/"] = status(400, f"bad signature for {secret}".encode())
    happen(home)
    send()
    assert tries() == [(400, "bad signature for [secret]", "")]


def test_who_hangs_is_left_and_who_is_away_is_tried_again(receiver: Receiver) -> None:
    home = make_property()
    receiver.answers["/"] = receiver.hangs()
    listen(home.host, f"{receiver.url}/")
    happen(home)
    started = time.monotonic()
    send(seconds=0.5)
    assert time.monotonic() - started < 120
    assert tries() == [(None, "", "It took too long.")]
    assert only().next_try_at == NOW + PAUSES[0]
    receiver.close()
    send(NOW + PAUSES[0])
    assert tries()[1] == (None, "", "It did not answer (ConnectionRefusedError).")


def test_a_slow_endpoint_keeps_nobody_else_waiting(receiver: Receiver) -> None:
    slow, quick = make_property(), make_property()
    all_arrived = Event()
    receiver.answers["/slow"] = receiver.hangs(until=all_arrived)

    def count(handler: Any, message: Message) -> None:
        if len(receiver.at("/quick")) == 5:
            all_arrived.set()
        status(204)(handler, message)

    receiver.answers["/quick"] = count
    listen(slow.host, f"{receiver.url}/slow")
    listen(quick.host, f"{receiver.url}/quick")
    happen(slow)
    for number in range(5):
        happen(quick, number)
    send()
    # The slow one answers only once all others have been told, so it was waited for meanwhile.
    assert [message.body["data"]["number"] for message in receiver.at("/quick")] == [0, 1, 2, 3, 4]
    assert WebhookDelivery.objects.filter(status="DELIVERED", tries=1).count() == 6


def test_many_failures_in_a_row_pause_the_whole_endpoint(receiver: Receiver) -> None:
    home = make_property()
    receiver.answers["/"] = status(503)
    listen(home.host, f"{receiver.url}/")
    for number in range(20):
        happen(home, number)
    send()
    assert len(receiver.taken) == failing.FREE_FAILURES
    receiver.answers.clear()
    send(NOW + timedelta(seconds=9))
    assert len(receiver.taken) == failing.FREE_FAILURES
    send(NOW + timedelta(seconds=11))
    assert {message.body["data"]["number"] for message in receiver.taken} == set(range(20))
    assert not WebhookDelivery.objects.exclude(status="DELIVERED").exists()


def test_an_endpoint_may_ask_for_more_time_within_bounds() -> None:
    delivery = WebhookDelivery(tries=1, started_at=NOW)
    assert next_try(delivery, Answer(429, b"", 600), now=NOW) == NOW + timedelta(minutes=10)
    assert next_try(delivery, Answer(429, b"", 1), now=NOW) == NOW + PAUSES[0]
    assert next_try(delivery, Answer(429, b"", 999_999), now=NOW) == NOW + delivering.LONGEST_WISH
    assert next_try(delivery, None, now=NOW + GIVE_UP_AFTER - timedelta(seconds=1)) == NOW + GIVE_UP_AFTER
    assert next_try(delivery, None, now=NOW + GIVE_UP_AFTER) is None


class Died(BaseException):
    """The worker is gone."""


def test_a_worker_that_dies_after_sending_costs_no_message(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_property()
    listen(home.host, f"{receiver.url}/")
    happen(home)

    def die(place: str) -> None:
        if place == "webhook.sent":
            raise Died

    monkeypatch.setattr(faults, "strike", die)
    with pytest.raises(Died):
        send()
    monkeypatch.setattr(faults, "strike", None)
    assert (len(receiver.taken), only().status) == (1, "PENDING")
    # Somebody may still be sending it.
    assert send(NOW + timedelta(seconds=30)) == 0
    assert send(NOW + delivering.LEASE) == 1
    assert only().status == "DELIVERED"
    assert len({message.headers["webhook-id"] for message in receiver.taken}) == 1


def test_what_is_old_is_forgotten_and_what_is_on_its_way_is_not(receiver: Receiver) -> None:
    home = make_property()
    listen(home.host, f"{receiver.url}/")
    for number in range(3):
        happen(home, number, now=NOW + number * DAY)
    send_until(NOW + 3 * DAY, start=NOW + 3 * DAY)
    replayed = WebhookDelivery.objects.order_by("event_id").first()
    assert replayed is not None
    late = NOW + kept() + timedelta(hours=30)
    assert forget(RULES[0], now=NOW + kept()) == 0
    actions.replay_delivery(viewer=home.host, delivery_id=replayed.public_id, now=late)
    assert forget(RULES[0], now=late) == 1
    assert sorted(event.data["number"] for event in WebhookEvent.objects.all()) == [0, 2]
    send(late)
    assert forget(RULES[0], now=late) == 1
    assert WebhookAttempt.objects.count() == 1


def test_guests_cannot_be_told_of_anything() -> None:
    guest = make_guest()
    listen(guest, "http://127.0.0.1:9/")
    happen(make_property(host=guest))
    fan_out(now=NOW)
    assert WebhookDelivery.objects.count() == 0
