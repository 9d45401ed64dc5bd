"""Mails: sent when a mail server or a provider is configured; written to MAIL_DIR, one .eml file each, when that is set."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import encoders
from email.mime.base import MIMEBase
from pathlib import Path
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused
from uuid import uuid4

from anymail.exceptions import AnymailAPIError, AnymailError, AnymailInvalidAddress, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils.html import escape, urlize

logger = logging.getLogger(__name__)

# What a provider says of one mail; every other refusal is about the account, or the provider is not well.
ABOUT_THE_MAIL = {400, 413, 415, 422}


class NotSent(OSError):
    """A mail did not leave. `is_final`: nobody will ever take it; `is_away`: others would not leave now either."""

    def __init__(self, cause: Exception, *, is_final: bool = False, is_away: bool = False) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.is_final = is_final
        self.is_away = is_away


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail. `type` is such as text/calendar, `parameters` what its Content-Type says besides."""

    name: str
    content: bytes
    type: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def send(
    *,
    to: str,
    subject: str,
    text: str,
    now: datetime,
    html: str | None = None,
    attachment: Attachment | None = None,
    message_id: str | None = None,
    unsubscribe: str = "",
) -> None:
    """Send a mail as plain text and in HTML; without `html` that is the same text, where its links can be clicked.

    `unsubscribe` is an address where one click ends mails of its sort, and mail programs show a button for it. Slow, and
    never inside a transaction: only tasks call it. Raises NotSent.
    """
    message = EmailMultiAlternatives(subject=subject, body=text, from_email=settings.DEFAULT_FROM_EMAIL, to=[to])
    message.attach_alternative(html or _html(text), "text/html")
    if attachment is not None:
        message.attach(_part(attachment))
    if message_id is not None:
        message.extra_headers["Message-ID"] = message_id
    if unsubscribe:
        message.extra_headers["List-Unsubscribe"] = f"<{unsubscribe}>"
        message.extra_headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    leaves = bool(settings.EMAIL_HOST or settings.ANYMAIL)
    if leaves:
        _hand_over(message)
    # Afterwards, so that a mail which has to be tried again is kept once.
    if settings.MAIL_DIR:
        _keep(message, Path(settings.MAIL_DIR), now)
    elif not leaves:
        logger.error("No mail server, no provider and no MAIL_DIR is set: the mail %r went nowhere", subject)


def _hand_over(message: EmailMultiAlternatives) -> None:
    try:
        message.send()
    except SMTPRecipientsRefused as error:
        raise NotSent(error, is_final=all(code >= 500 for code, _ in error.recipients.values())) from error
    except SMTPDataError as error:
        raise NotSent(error, is_final=error.smtp_code >= 500) from error
    except (AnymailRecipientsRefused, AnymailInvalidAddress) as error:
        raise NotSent(error, is_final=True) from error
    except AnymailAPIError as error:
        raise NotSent(error, is_away=error.status_code not in ABOUT_THE_MAIL) from error
    except AnymailError as error:
        raise NotSent(error) from error
    except (OSError, SMTPException) as error:
        raise NotSent(error, is_away=True) from error


def _part(attachment: Attachment) -> MIMEBase:
    kind, _, form = attachment.type.partition("/")
    part = MIMEBase(kind, form)
    for name, value in {"name": attachment.name, **attachment.parameters}.items():
        part.set_param(name, value)
    part.set_payload(attachment.content)
    encoders.encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=attachment.name)
    return part


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
