"""Letters on their way: claimed one by one, sent with no transaction open, tried again with growing pauses."""

import logging
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused

from django.db import transaction

from apps.core import mail
from apps.core.db import unit_of_work
from apps.notifications.letters import render
from apps.notifications.models import Letter

logger = logging.getLogger(__name__)

# 2, 4, 8 ... minutes, at most 6 hours: a mail server that is away for a day costs no mail.
FIRST_PAUSE = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(hours=6)
MOST_TRIES = 12
# How many letters one call sends; the next sweep goes on.
BATCH = 200


def send_due(*, now: datetime) -> int:
    """The sweep: send the letters that are due, oldest first. Safe with many workers; returns how many left.

    Where the mail server cannot be reached the rest waits for the next sweep.
    """
    sent = 0
    for _ in range(BATCH):
        letter = _claim(now=now)
        if letter is None:
            break
        try:
            _send(letter, now=now)
        except OSError as error:
            _failed(letter, error, now=now)
            if not isinstance(error, SMTPRecipientsRefused | SMTPDataError):
                break
        except Exception as error:
            # One that cannot be written must not stand in the way of all others.
            logger.exception("letter %s could not be sent", letter.pk)
            _failed(letter, error, now=now)
        else:
            Letter.objects.filter(pk=letter.pk).update(sent_at=now, next_try_at=None, last_error="")
            sent += 1
    return sent


def _claim(*, now: datetime) -> Letter | None:
    """The next due letter. Until its next try nobody else takes it, so a worker that dies costs a pause and no mail."""
    with transaction.atomic(durable=True):
        due = Letter.objects.select_for_update(skip_locked=True).filter(next_try_at__lte=now)
        letter = due.order_by("next_try_at", "pk").first()
        if letter is not None:
            letter.tries += 1
            letter.next_try_at = now + min(FIRST_PAUSE * 2 ** (letter.tries - 1), LONGEST_PAUSE)
            letter.save(update_fields=["tries", "next_try_at"])
    return letter


def _send(letter: Letter, *, now: datetime) -> None:
    rendered = render(letter)
    attachment = None
    if rendered.calendar is not None:
        attachment = mail.Attachment(name="booking.ics", content=rendered.calendar, type="text/calendar")
    mail.send(
        to=letter.to,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        attachment=attachment,
        message_id=rendered.message_id,
        now=now,
    )


def _failed(letter: Letter, error: Exception, *, now: datetime) -> None:
    """Keep the reason; a letter that the server will never take, or never took, is given up for staff to see."""
    changes: dict[str, object] = {"last_error": f"{type(error).__name__}: {error}"[:500]}
    if _is_final(error) or letter.tries >= MOST_TRIES:
        changes |= {"failed_at": now, "next_try_at": None}
        logger.error("letter %s was given up after %s tries", letter.pk, letter.tries)
    else:
        logger.warning("letter %s did not leave; it is tried again", letter.pk)
    Letter.objects.filter(pk=letter.pk, sent_at=None).update(**changes)


def _is_final(error: Exception) -> bool:
    """Whether the server has said that it will never take this letter."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, SMTPDataError) and error.smtp_code >= 500


@unit_of_work
def try_again(*, letter_id: int, now: datetime) -> bool:
    """Send a letter that was given up once more, from the first try on; for staff. Returns whether it had been."""
    given_up = Letter.objects.filter(pk=letter_id, failed_at__isnull=False)
    return bool(given_up.update(failed_at=None, next_try_at=now, tries=0))
