"""The mails that were kept in MAIL_DIR, for reading where no mail leaves the machine: in the demo."""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings

MOST = 200
_NAME = re.compile(r"[0-9A-Za-z-]+\.eml", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeptMail:
    """One mail. `name` is that of its file."""

    name: str
    to: str
    subject: str
    sent_at: datetime | None
    text: str


def is_open() -> bool:
    """Whether kept mails may be read: they hold links that open accounts, so never in production."""
    return settings.MAIL_DIR is not None and settings.MODE != "production"


def newest() -> list[KeptMail]:
    """The mails, the newest first."""
    folder = Path(settings.MAIL_DIR or ".")
    names = sorted((path.name for path in folder.glob("*.eml") if _NAME.fullmatch(path.name)), reverse=True)
    return [kept for name in names[:MOST] if (kept := read(name)) is not None]


def read(name: str) -> KeptMail | None:
    """The mail of the file with this name; None when there is none."""
    if not _NAME.fullmatch(name):
        return None
    try:
        content = (Path(settings.MAIL_DIR or ".") / name).read_bytes()
    except OSError:
        return None
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    try:
        sent_at = parsedate_to_datetime(str(message["Date"]))
    except (TypeError, ValueError):
        sent_at = None
    return KeptMail(
        name=name,
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        sent_at=sent_at,
        text=str(body.get_content()) if body is not None else "",
    )
