"""What a letter says, from what was written down of the fact, as plain text, as HTML and as an entry for a calendar.

Mostly the words are written down with the fact. Where there is no time for that, only what they are made of is (`facts`), and
they are found when the letter leaves, by what was named for its template (`word_later`).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.template.loader import render_to_string
from icalendar import Calendar, Event, vCalAddress

from apps.core.ids import derive
from apps.notifications.models import Letter, NotificationType
from apps.notifications.preferences import locale_of, unsubscribe_path
from apps.notifications.wording import one_line, written

PRODUCT = "-//Holdfast//Bookings//EN"


@dataclass(frozen=True, slots=True)
class Entry:
    """A booking as a calendar keeps it. A later `sequence` of the same `uid` replaces the one before."""

    uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime
    summary: str
    location: str = ""
    is_canceled: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """What a letter says. `secret_of` are the parts that the secret in its link is derived from: it is never stored.

    `name` is "" for a reader who is not known to be the one who gave the name: it would be a stranger's text, sent by us.
    """

    subject: str
    name: str
    paragraphs: list[str]
    details: list[tuple[str, str]] = field(default_factory=list)
    link_label: str = ""
    link_path: str = ""
    secret_of: list[str] | None = None
    entry: Entry | None = None

    def kept(self) -> dict[str, Any]:
        """As JSON, for the letter's row."""
        entry = self.entry and {
            "uid": self.entry.uid,
            "sequence": self.entry.sequence,
            "starts_at": self.entry.starts_at.isoformat(),
            "ends_at": self.entry.ends_at.isoformat(),
            "summary": self.entry.summary,
            "location": self.entry.location,
            "is_canceled": self.entry.is_canceled,
        }
        return {
            "subject": self.subject,
            "name": self.name,
            "paragraphs": self.paragraphs,
            "details": [list(pair) for pair in self.details],
            "link_label": self.link_label,
            "link_path": self.link_path,
            "secret_of": self.secret_of,
            "entry": entry,
        }


_wordings: dict[str, Callable[[Letter], dict[str, Any]]] = {}


def word_later(template: str, wording: Callable[[Letter], dict[str, Any]]) -> None:
    """Have letters of the template that were written down as facts put into words by this, which gives their data."""
    _wordings[template] = wording


def is_worded(letter: Letter) -> bool:
    """Whether the words of the letter are written down."""
    return "facts" not in letter.data


def words_of(letter: Letter) -> dict[str, Any]:
    """The letter's data with its words, as they are written down or, where they are not yet, as they would be now."""
    return letter.data if is_worded(letter) else _wordings[letter.template](letter)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A letter as it is sent. `message_id` is the same at every try, so that mailboxes can tell that it came twice.

    `calendar` and `method` are an entry for calendars and what is to be done with it. `unsubscribe` is where mails of its
    sort are turned off; "" where they cannot be.
    """

    subject: str
    text: str
    html: str
    message_id: str
    calendar: bytes | None
    method: str
    unsubscribe: str


def render(letter: Letter) -> Rendered:
    """The letter as it is sent: its amounts as its reader writes them."""
    worded = words_of(letter)
    locale = locale_of(user_id=worded.get("reader"))
    data = _written(worded, locale)
    # A line break in a subject would be another header.
    subject = one_line(str(data["subject"]))
    unsubscribe = _unsubscribe(letter)
    context = {
        **data,
        "subject": subject,
        "greeting": f"Hello {one_line(data['name'])},".replace(" ,", ","),
        "link": link_of(data),
        "unsubscribe": unsubscribe,
    }
    entry = data["entry"]
    return Rendered(
        subject=subject,
        text=render_to_string("notifications/letter.txt", context).strip() + "\n",
        html=render_to_string("notifications/letter.html", context),
        message_id=f"<{hashlib.sha256(letter.key.encode()).hexdigest()[:40]}@{_host()}>",
        calendar=None if entry is None else _calendar(entry, written_at=letter.created_at),
        method="" if entry is None else _method(entry),
        unsubscribe=unsubscribe,
    )


def _written(value: Any, locale: str) -> Any:
    """The same with every amount in every text as it is written there."""
    if isinstance(value, str):
        return written(value, locale=locale)
    if isinstance(value, list):
        return [_written(each, locale) for each in value]
    if isinstance(value, dict):
        return {name: _written(each, locale) for name, each in value.items()}
    return value


def _unsubscribe(letter: Letter) -> str:
    courtesy = letter.data.get("courtesy")
    if not courtesy:
        return ""
    path = unsubscribe_path(reader_id=letter.data.get("reader"), address=letter.to, type=NotificationType(courtesy))
    return f"{settings.PUBLIC_URL}{path}"


def link_of(data: dict[str, Any]) -> str:
    """The address in the letter; with the booking's secret where its reader has no account. "" without one."""
    if not data["link_path"]:
        return ""
    address = f"{settings.PUBLIC_URL}{data['link_path']}"
    if not data["secret_of"]:
        return address
    purpose, *parts = data["secret_of"]
    return f"{address}?{urlencode({'token': derive(purpose, *parts)})}"


def _host() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"


def _method(entry: dict[str, Any]) -> str:
    return "CANCEL" if entry["is_canceled"] else "PUBLISH"


def _calendar(entry: dict[str, Any], *, written_at: datetime) -> bytes:
    event = Event()
    event.add("uid", f"{entry['uid']}@{_host()}")
    event.add("sequence", entry["sequence"])
    event.add("dtstamp", written_at)
    event.add("dtstart", datetime.fromisoformat(entry["starts_at"]))
    event.add("dtend", datetime.fromisoformat(entry["ends_at"]))
    event.add("summary", entry["summary"])
    if entry["location"]:
        event.add("location", entry["location"])
    event.add("status", "CANCELLED" if entry["is_canceled"] else "CONFIRMED")
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    organizer = vCalAddress(f"mailto:{address}")
    if name:
        organizer.params["CN"] = name
    event.add("organizer", organizer)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", _method(entry))
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content
