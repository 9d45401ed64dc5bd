"""Letters on a real mail server: what they say, and that there is one of each however often it is tried."""

import email
import email.policy
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.test import Client
from icalendar import Calendar

from apps.bookings.actions import cancel
from apps.bookings.models import Booking
from apps.core import faults, mail
from apps.notifications import mailing
from apps.notifications.mailing import FIRST_PAUSE, LEASE, MOST_TRIES, send_due, try_again
from apps.notifications.models import Letter
from tests.notifications.test_facts import NOW, confirm, stay
from tests.recipes import make_guest, make_property, make_staff
from tests.serving import at_once


class Postbox:
    """Keeps what it takes; `answers` are given to the first recipients instead of 250."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.answers: list[str] = []

    async def handle_RCPT(  # noqa: N802 - as the server calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.taken.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 Kept"

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.taken if message["To"] == address]


@pytest.fixture
def postbox(settings: Any) -> Iterator[Postbox]:
    box = Postbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.PUBLIC_URL = "https://book.example"
    settings.MAIL_DIR = None
    yield box
    controller.stop()


def send_all(now: datetime = NOW) -> int:
    return send_due(now=now)


def plain(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def calendar_of(message: EmailMessage) -> tuple[Any, Any]:
    """The calendar that goes with a mail, and its only event."""
    (attached,) = message.iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("text/calendar", "booking.ics")
    calendar: Any = Calendar.from_ical(attached.get_content())
    assert attached["Content-Type"].params["method"] == calendar["method"]
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def subjects(messages: list[EmailMessage]) -> list[str]:
    return [str(message["Subject"]) for message in messages]


@pytest.mark.django_db
def test_a_confirmation_arrives_as_text_as_html_and_with_an_entry_for_the_calendar(postbox: Postbox) -> None:
    home = make_property(title="Lake & <b>mountain</b>\u00e9", price_minor=123_456)
    guest = make_guest(first_name="Zo\u00eb")
    booking = confirm(stay(home, guest))
    assert send_all() == 3
    assert send_all() == 0
    held, confirmed = postbox.to(guest.email)
    (copy,) = postbox.to(home.host.email)
    assert subjects([held, confirmed, copy]) == [
        f"Held for you: {home.title}",
        f"Confirmed: {home.title}",
        f"Booked: {home.title}",
    ]
    text = plain(confirmed)
    assert text.startswith("Hello Zo\u00eb,\n")
    assert "When: Tue 1 Dec 2026, 15:00 to Thu 3 Dec 2026, 11:00 CET (Europe/Berlin)\n" in text
    assert "The price is 2,469.12 EUR." in text
    assert f"Your booking: https://book.example/bookings/{booking.reference}\n" in text
    assert "token" not in text
    shown = html(confirmed)
    assert "Lake &amp; &lt;b&gt;mountain&lt;/b&gt;\u00e9" in shown
    assert "<b>mountain" not in shown
    _, event = calendar_of(confirmed)
    assert event["uid"] == f"{booking.reference}@book.example"
    assert event["dtstart"].dt == datetime(2026, 12, 1, 14, tzinfo=UTC)
    assert event["dtend"].dt == datetime(2026, 12, 3, 10, tzinfo=UTC)
    assert event["summary"] == f"{home.title} ({booking.reference})"
    assert event["location"] == "Prenzlauer Allee 1, Berlin, Germany"
    assert [part.get_filename() for part in held.iter_attachments()] == []
    assert event["organizer"] == "mailto:no-reply@localhost"


@pytest.mark.django_db
def test_a_cancelation_takes_the_entry_off_the_calendar(postbox: Postbox) -> None:
    home, guest = make_property(), make_guest()
    booking = confirm(stay(home, guest))
    cancel(viewer=guest, booking_id=booking.pk, reason="", now=NOW + timedelta(hours=1))
    send_all(NOW + timedelta(hours=1))
    confirmed, canceled = postbox.to(guest.email)[1:]
    events = []
    for message in (confirmed, canceled):
        calendar, event = calendar_of(message)
        events.append((calendar["method"], event["uid"], int(event["sequence"]), event["status"]))
    uid = f"{booking.reference}@book.example"
    (_, _, first, _), (_, _, second, _) = events
    assert events == [("PUBLISH", uid, first, "CONFIRMED"), ("CANCEL", uid, second, "CANCELLED")]
    assert second > first


@pytest.mark.django_db
def test_without_an_account_the_link_opens_the_booking(postbox: Postbox) -> None:
    booking = confirm(stay(make_property(), None))
    send_all()
    (_, confirmed) = postbox.to("ann@example.com")
    link = f"https://book.example/bookings/{booking.reference}?token={booking.access_token}"
    assert link in plain(confirmed)
    assert f'href="{link}"' in html(confirmed)


@pytest.mark.django_db
def test_each_mail_is_kept_in_the_folder_too(postbox: Postbox, settings: Any, tmp_path: Path) -> None:
    settings.MAIL_DIR = tmp_path
    stay(make_property(), None)
    postbox.answers = ["451 Later"]
    assert send_all() == 0
    assert list(tmp_path.iterdir()) == []
    assert send_all(NOW + FIRST_PAUSE) == 1
    (kept,) = tmp_path.glob("*.eml")
    assert "Held for you" in kept.read_text()


@pytest.mark.django_db
def test_what_did_not_leave_is_tried_again_with_growing_pauses_and_one_message_id(postbox: Postbox) -> None:
    stay(make_property(), None)
    postbox.answers = ["451 Later", "451 Later"]
    now = NOW
    for number in (1, 2):
        assert send_all(now) == 0
        letter = Letter.objects.get()
        assert (letter.tries, letter.next_try_at) == (number, now + FIRST_PAUSE * 2 ** (number - 1))
        assert letter.last_error.startswith("SMTPRecipientsRefused")
        assert letter.next_try_at is not None
        assert send_all(letter.next_try_at - timedelta(seconds=1)) == 0
        now = letter.next_try_at
    assert send_all(now) == 1
    letter = Letter.objects.get()
    assert (letter.tries, letter.sent_at, letter.next_try_at, letter.last_error) == (3, now, None, "")
    (message,) = postbox.taken
    first_id = str(message["Message-ID"])
    Letter.objects.update(sent_at=None, next_try_at=now)
    send_all(now)
    assert [str(each["Message-ID"]) for each in postbox.taken] == [first_id] * 2


@pytest.mark.django_db
def test_a_letter_that_is_refused_for_good_is_given_up_and_shown_to_staff(postbox: Postbox) -> None:
    stay(make_property(), None)
    stay(make_property(), make_guest())
    postbox.answers = ["550 No such mailbox"]
    assert send_all() == 1
    dead = Letter.objects.get(failed_at__isnull=False)
    assert (dead.to, dead.tries, dead.next_try_at) == ("ann@example.com", 1, None)
    assert send_all(NOW + timedelta(days=30)) == 0
    client = Client()
    client.force_login(make_staff(is_superuser=True), backend="apps.users.backends.StaffRoleBackend")
    page = client.get("/admin/notifications/letter/?state=failed").content.decode()
    assert ("ann@example.com" in page, "550" in page) == (True, True)
    assert set(re.findall(r"/letter/(\d+)/change/", page)) == {str(dead.pk)}
    detail = client.get(f"/admin/notifications/letter/{dead.pk}/change/").content.decode()
    assert ("Held for you" in detail or "We keep it" in detail, "?token=" in detail) == (True, False)
    client.post("/admin/notifications/letter/", {"action": "send_again", "_selected_action": [dead.pk]})
    dead.refresh_from_db()
    assert (dead.failed_at, dead.tries) == (None, 0)
    assert send_all(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert try_again(letter_id=dead.pk, now=NOW) is False


@pytest.mark.django_db
def test_a_server_that_is_away_costs_one_try_a_sweep_and_no_letter(postbox: Postbox, settings: Any) -> None:
    for _ in range(3):
        stay(make_property(), None)
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert send_all() == 0
    assert sorted(Letter.objects.values_list("tries", flat=True)) == [0, 0, 1]
    settings.EMAIL_PORT = port
    assert send_all(NOW + FIRST_PAUSE) == 3
    assert len(postbox.taken) == 3


@pytest.mark.django_db
def test_after_the_last_try_it_is_given_up(postbox: Postbox) -> None:
    stay(make_property(), None)
    postbox.answers = ["451 Later"] * MOST_TRIES
    now = NOW
    for _ in range(MOST_TRIES):
        assert send_all(now) == 0
        now = Letter.objects.get().next_try_at or now
    letter = Letter.objects.get()
    assert (letter.tries, letter.failed_at is not None) == (MOST_TRIES, True)
    assert now - NOW > timedelta(hours=24)
    assert postbox.taken == []


@pytest.mark.django_db
def test_a_letter_that_cannot_be_written_does_not_stop_the_others(postbox: Postbox) -> None:
    stay(make_property(), None)
    Letter.objects.update(data={})
    stay(make_property(), None)
    assert send_all() == 1
    assert sorted(Letter.objects.values_list("last_error", flat=True)) == ["", "KeyError: 'subject'"]


@pytest.mark.django_db
def test_a_line_break_in_a_title_or_a_name_is_neither_a_header_nor_a_line(postbox: Postbox) -> None:
    home = make_property(title="Lake\nBcc: victim@example.com")
    guest = make_guest(first_name="Zo\u00eb\r\nBcc: victim@example.com", last_name="<i>P</i>\u202e")
    confirm(stay(home, guest))
    send_all()
    (_, confirmed), (copy,) = postbox.to(guest.email), postbox.to(home.host.email)
    assert (confirmed["Bcc"], str(confirmed["Subject"])) == (None, "Confirmed: Lake Bcc: victim@example.com")
    assert plain(confirmed).startswith("Hello Zo\u00eb Bcc: victim@example.com,\n")
    assert "\nWhat: Lake Bcc: victim@example.com\n" in plain(copy)
    assert "\nGuest: Zo\u00eb Bcc: victim@example.com <i>P</i>\n" in plain(copy)
    assert "&lt;i&gt;P&lt;/i&gt;" in html(copy)
    assert "<i>" not in html(copy)


@pytest.mark.django_db
def test_what_a_stranger_writes_is_not_sent_to_an_address_that_nobody_proved(postbox: Postbox) -> None:
    booking = confirm(stay(make_property(), None))
    Booking.objects.filter(pk=booking.pk).update(first_name="Win at https://evil.example")
    booking.refresh_from_db()
    cancel(
        viewer=None,
        booking_id=booking.pk,
        access_token=booking.access_token,
        reason="Win at https://evil.example",
        now=NOW,
    )
    send_all()
    said = [plain(message) + html(message) for message in postbox.to("ann@example.com")]
    assert len(said) == 3
    assert all(text.startswith("Hello,\n") for text in said)
    assert not any("evil.example" in text or "Ann" in text for text in said)
    (canceled,) = [
        each
        for each in postbox.taken
        if str(each["Subject"]).startswith("Canceled") and each["To"] != "ann@example.com"
    ]
    assert "evil.example" in plain(canceled)


@pytest.mark.django_db
def test_text_and_html_say_the_same(postbox: Postbox) -> None:
    home, guest = make_property(title="Sea & <b>sun</b>"), make_guest()
    booking = confirm(stay(home, guest))
    cancel(viewer=guest, booking_id=booking.pk, reason="Ill,\nsorry", now=NOW)
    send_all()
    for message in postbox.taken:
        body = html(message)
        for link in re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', body):
            body = body.replace(f">{link[1]}</a>", f">{link[1]}: {link[0]}</a>")
        body = body.partition("<body")[2].partition(">")[2].replace("</th>", ": ")
        shown = unescape(re.sub(r"<[^>]+>", " ", body))
        assert shown.split() == plain(message).replace("\n", " ").split()


@pytest.mark.django_db
def test_a_worker_that_dies_after_the_server_took_it_costs_a_copy_with_the_same_id_and_no_mail(
    postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay(make_property(), None)

    def strike(point: str) -> None:
        if point == "letter.sent":
            raise faults.Killed

    monkeypatch.setattr(faults, "strike", strike)
    with pytest.raises(faults.Killed):
        send_all()
    monkeypatch.setattr(faults, "strike", lambda point: None)
    # Nobody else takes it while the first may still be at it.
    assert send_all(NOW + LEASE - timedelta(seconds=1)) == 0
    assert send_all(NOW + LEASE) == 1
    assert send_all(NOW + timedelta(days=1)) == 0
    first, second = (str(message["Message-ID"]) for message in postbox.taken)
    assert first == second


@pytest.mark.django_db
def test_a_sweep_ends_before_its_claims_do(postbox: Postbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        stay(make_property(), None)
    clock = iter([0.0, 0.0, 59.0, 61.0])
    monkeypatch.setattr(mailing, "monotonic", lambda: next(clock))
    assert send_all() == 2
    assert timedelta(seconds=mailing.MOST_SECONDS) < LEASE / 2
    assert sorted(Letter.objects.values_list("tries", flat=True)) == [0, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_many_workers_send_each_letter_once(postbox: Postbox) -> None:
    for _ in range(10):
        stay(make_property(), None)
    sent = at_once([lambda: send_due(now=NOW)] * 8)
    assert sum(sent) == len(postbox.taken) == 10
    assert len({str(message["Message-ID"]) for message in postbox.taken}) == 10


@pytest.mark.django_db(transaction=True)
def test_without_the_claim_they_would_send_them_twice(postbox: Postbox, monkeypatch: pytest.MonkeyPatch) -> None:
    booking = stay(make_property(), None)
    assert Booking.objects.filter(pk=booking.pk).exists()

    def unclaimed(*, now: datetime) -> Letter | None:
        return Letter.objects.filter(next_try_at__lte=now).first()

    monkeypatch.setattr(mailing, "_claim", unclaimed)
    at_once([lambda: send_due(now=NOW)] * 8)
    assert len(postbox.taken) > 1


def test_a_plain_mail_still_makes_its_links_clickable(postbox: Postbox) -> None:
    mail.send(to="a@example.com", subject="S", text="See https://book.example/x?a=1&b=2", now=NOW)
    (message,) = postbox.taken
    assert 'href="https://book.example/x?a=1&amp;b=2"' in html(message)
