"""Mails: written to MAIL_DIR, one .eml file each, when that is set; sent when a mail server is configured."""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils.html import escape, urlize

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    content: bytes
    type: str


def send(
    *,
    to: str,
    subject: str,
    text: str,
    now: datetime,
    html: str | None = None,
    attachment: Attachment | None = None,
    message_id: str | None = None,
) -> None:
    """Send a mail as plain text and in HTML; without `html` that is the same text, where its links can be clicked.

    Slow, and never inside a transaction: only tasks call it. Raises OSError or smtplib.SMTPException when it did not leave.
    """
    message = EmailMultiAlternatives(subject=subject, body=text, from_email=settings.DEFAULT_FROM_EMAIL, to=[to])
    message.attach_alternative(html or _html(text), "text/html")
    if attachment is not None:
        message.attach(attachment.name, attachment.content, attachment.type)
    if message_id is not None:
        message.extra_headers["Message-ID"] = message_id
    if settings.EMAIL_HOST:
        message.send()
    # Afterwards, so that a mail which has to be tried again is kept once.
    if settings.MAIL_DIR:
        _keep(message, Path(settings.MAIL_DIR), now)
    elif not settings.EMAIL_HOST:
        logger.error("Neither EMAIL_URL nor MAIL_DIR is set: the mail %r went nowhere", subject)


def _keep(message: EmailMultiAlternatives, folder: Path, now: datetime) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{now:%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}.eml"
    # Whoever watches the folder never sees half a mail.
    unfinished = folder / f".{name}.part"
    unfinished.touch(mode=0o600, exist_ok=False)
    unfinished.write_bytes(message.message().as_bytes())
    unfinished.rename(folder / name)


def _html(text: str) -> str:
    paragraphs = (urlize(escape(part)).replace("\n", "<br>") for part in text.strip().split("\n\n"))
    return "".join(f"<p>{paragraph}</p>\n" for paragraph in paragraphs)
