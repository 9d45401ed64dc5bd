"""Letters on their way: claimed one by one, sent with no transaction open, tried again with growing pauses.

A fact is told by one letter, and a letter is sent until a server has taken it. A worker that dies after the server took it
and before that was written down costs a second copy, with the same Message-ID, by which mailboxes tell that it came twice;
no protocol of mail allows for less. A letter never gets lost, and two workers never send the same one.
"""

import logging
from datetime import datetime, timedelta
from time import monotonic

from django.db import transaction

from apps.core import mail
from apps.core.db import unit_of_work
from apps.core.faults import fault_point
from apps.core.mail import NotSent
from apps.notifications.letters import is_worded, render, words_of
from apps.notifications.models import Letter

logger = logging.getLogger(__name__)

# 2, 4, 8 ... minutes, at most 6 hours: a mail server that is away for a day costs no mail.
FIRST_PAUSE = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(hours=6)
MOST_TRIES = 12
# How long a claimed letter is nobody else's: longer than a sweep goes on, and the slowest server takes for one letter.
LEASE = timedelta(minutes=10)
# How many letters one call sends, and for how long; the next sweep goes on.
BATCH = 200
MOST_SECONDS = 60.0


def send_due(*, now: datetime) -> int:
    """The sweep: send the letters that are due, oldest first. Safe with many workers; returns how many left.

    Where the mail server cannot be reached the rest waits for the next sweep.
    """
    sent = 0
    until = monotonic() + MOST_SECONDS
    for _ in range(BATCH):
        # `now` is that of the beginning, and a claim that is made late would be over early.
        if monotonic() > until:
            break
        letter = _claim(now=now)
        if letter is None:
            break
        try:
            _send(letter, now=now)
        except NotSent as error:
            _failed(letter, str(error), is_final=error.is_final, now=now)
            if error.is_away:
                break
        except Exception as error:
            # One that cannot be written must not stand in the way of all others.
            logger.exception("letter %s could not be sent", letter.pk)
            _failed(letter, f"{type(error).__name__}: {error}", is_final=False, now=now)
        else:
            fault_point("letter.sent")
            Letter.objects.filter(pk=letter.pk).update(sent_at=now, next_try_at=None, failed_at=None, last_error="")
            sent += 1
    return sent


def _claim(*, now: datetime) -> Letter | None:
    """The next due letter. While the claim lasts nobody else takes it; a worker that dies costs that time and no mail."""
    with transaction.atomic(durable=True):
        due = Letter.objects.select_for_update(skip_locked=True).filter(next_try_at__lte=now)
        letter = due.order_by("next_try_at", "pk").first()
        if letter is not None:
            letter.tries += 1
            letter.next_try_at = now + LEASE
            letter.save(update_fields=["tries", "next_try_at"])
    return letter


def _send(letter: Letter, *, now: datetime) -> None:
    if not is_worded(letter):
        # Each try says the same, and so does what staff sees.
        letter.data = words_of(letter)
        Letter.objects.filter(pk=letter.pk).update(data=letter.data)
    rendered = render(letter)
    attachment = None
    if rendered.calendar is not None:
        attachment = mail.Attachment(
            name="booking.ics",
            content=rendered.calendar,
            type="text/calendar",
            parameters={"method": rendered.method, "charset": "utf-8"},
        )
    mail.send(
        to=letter.to,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        attachment=attachment,
        message_id=rendered.message_id,
        unsubscribe=rendered.unsubscribe,
        now=now,
    )


def _failed(letter: Letter, reason: str, *, is_final: bool, now: datetime) -> None:
    """Keep the reason; a letter that the server will never take, or never took, is given up for staff to see."""
    changes: dict[str, object] = {"last_error": reason[:500]}
    if is_final or letter.tries >= MOST_TRIES:
        changes |= {"failed_at": now, "next_try_at": None}
        logger.error("letter %s was given up after %s tries", letter.pk, letter.tries)
    else:
        changes["next_try_at"] = now + min(FIRST_PAUSE * 2 ** (letter.tries - 1), LONGEST_PAUSE)
        logger.warning("letter %s did not leave; it is tried again", letter.pk)
    Letter.objects.filter(pk=letter.pk, sent_at=None).update(**changes)


@unit_of_work
def try_again(*, letter_id: int, now: datetime) -> bool:
    """Send a letter that was given up once more, from the first try on; for staff. Returns whether it had been."""
    given_up = Letter.objects.filter(pk=letter_id, failed_at__isnull=False)
    return bool(given_up.update(failed_at=None, next_try_at=now, tries=0))
