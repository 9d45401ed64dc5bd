"""Mails that staff sends again: one that was given up is tried again, one that has left is sent as a new one."""

from datetime import datetime, timedelta

from django.db.models import QuerySet

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core import idempotency
from apps.core.db import unit_of_work
from apps.core.errors import NotAllowed, NotFound, WrongState
from apps.notifications.models import Letter, NotificationType
from apps.notifications.preferences import wants_mail
from apps.users.models import User, UserRole

# Two who are asked by the same guest send one mail.
NOT_AGAIN_WITHIN = timedelta(minutes=1)


@unit_of_work
def send_again(*, viewer: User, letter_id: int | None, idempotency_key: str | None = None, now: datetime) -> Letter:
    """Have the mail sent again, for staff: to the address that its reader has now. Returns the letter that will leave.

    A mail that has left is sent as a new one, with the same words: mailboxes drop what they have had. Raises NotFound and
    NotAllowed at `letter_id`, WrongState there while it is on its way, was sent again just now, or has no reader any more;
    Duplicate at `idempotency_key`.
    """
    if viewer.role != UserRole.STAFF:
        raise NotAllowed("Mails are sent again by staff.", field="letter_id")
    key = idempotency.clean_key(idempotency_key)
    # The row alone: the lock makes those wait who send the same mail.
    letter = Letter.objects.select_for_update().filter(pk=letter_id or 0).first()
    if letter is None:
        raise NotFound("There is no such mail.", field="letter_id")
    claim: idempotency.Claim | None = None
    if key is not None:
        caller = f"send_again:{viewer.pk}"
        claim = idempotency.claim(caller=caller, key=key, cleaned_input={"letter": letter.pk}, now=now)
        if claim.result is not None:
            return Letter.objects.get(pk=claim.result)
    to = address_now(letter, now=now)
    if letter.failed_at is not None:
        letter.failed_at, letter.next_try_at, letter.tries, letter.to = None, now, 0, to
        letter.save(update_fields=["failed_at", "next_try_at", "tries", "to"])
    else:
        letter = _copy(letter, to=to, now=now)
    subject = f"booking:{letter.booking_id}" if letter.booking_id else f"letter:{letter.pk}"
    record(AuditKind.MAIL_SENT_AGAIN, now=now, actor_id=viewer.pk, subject=subject, letter=letter.pk)
    if claim is not None:
        idempotency.remember(claim, result=letter.pk)
    return letter


def address_now(letter: Letter, *, now: datetime) -> str:
    """Where the mail would go if it was sent again now. Raises WrongState and NotAllowed at `letter_id` where it cannot be."""
    if letter.next_try_at is not None:
        raise WrongState("It is on its way: it has not left yet.", field="letter_id")
    if not letter.to or not letter.data:
        raise WrongState("Its reader has left.", field="letter_id")
    if _copies(letter).filter(created_at__gt=now - NOT_AGAIN_WITHIN).exists():
        raise WrongState("It was sent again just now.", field="letter_id")
    reader_id = letter.data.get("reader")
    address = letter.to
    if reader_id is not None:
        reader = User.objects.filter(pk=reader_id, is_active=True, deleted_at=None).exclude(email="").first()
        if reader is None:
            raise WrongState("The account of its reader is closed.", field="letter_id")
        address = reader.email
    courtesy = letter.data.get("courtesy")
    if courtesy and not wants_mail(reader_id=reader_id, address=address, type=NotificationType(courtesy)):
        raise NotAllowed("Its reader has turned mails of this sort off.", field="letter_id")
    return address


def _root(letter: Letter) -> str:
    """What the keys of all copies of the first mail begin with."""
    if letter.key.startswith("again:"):
        return letter.key.rsplit(":", 1)[0]
    return f"again:{letter.pk}"


def _copies(letter: Letter) -> QuerySet[Letter]:
    return Letter.objects.filter(key__startswith=f"{_root(letter)}:")


def _copy(letter: Letter, *, to: str, now: datetime) -> Letter:
    return Letter.objects.create(
        key=f"{_root(letter)}:{_copies(letter).count() + 1}",
        to=to,
        template=letter.template,
        data=letter.data,
        booking_id=letter.booking_id,
        created_at=now,
        next_try_at=now,
    )
