"""Writes: telling people, and what they do with what they were told."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from apps.core import idempotency
from apps.core.db import require_transaction, unit_of_work
from apps.core.errors import NotFound, Required
from apps.core.instances import new
from apps.core.promises import enqueue_until_done
from apps.live.actions import publish_all
from apps.notifications.letters import Words
from apps.notifications.models import Announcement, Letter, Notification, NotificationChannel, NotificationType
from apps.notifications.preferences import can_be_muted, wants_mail
from apps.notifications.selectors import not_to_tell, reachable_ids
from apps.notifications.wording import written
from apps.users.models import User

# How many people one transaction of the worker tells.
BATCH = 500


def tell(
    *,
    recipient_ids: Iterable[int],
    type: NotificationType,  # noqa: A002 - as the contract names it
    title: str,
    body: str,
    key: str,
    booking_id: int | None = None,
    now: datetime,
) -> None:
    """Tell each of the accounts, in the transaction of the fact that `key` names; who was told of it already is not
    told again, and who turned the type off is not told at all.
    """
    require_transaction()
    wanted = set(recipient_ids)
    new = sorted(wanted - not_to_tell(ids=wanted, key=key, type=type))
    title, body = written(title), written(body)
    Notification.objects.bulk_create(
        [
            Notification(
                recipient_id=pk, type=type, title=title[:200], body=body, key=key, booking_id=booking_id, created_at=now
            )
            for pk in new
        ],
        ignore_conflicts=True,
    )
    publish_all([(f"notification:{pk}", {"key": key}) for pk in new])


def letter_to(
    *,
    to: str,
    template: str,
    data: dict[str, Any],
    key: str,
    booking_id: int | None = None,
    now: datetime,
) -> Letter:
    """A mail to an address, not yet written down. In the transaction of the fact it tells of it is, so that a worker sends it.

    `template` names the sort of mail, for whoever looks through them; `data` is what its words or what they are made of.
    """
    return new(
        Letter,
        to=to,
        template=template,
        data=data,
        key=f"{key}:{template}",
        booking_id=booking_id,
        created_at=now,
        next_try_at=now,
    )


def write_letter(
    *,
    to: str,
    template: str,
    words: Words,
    key: str,
    type: NotificationType | None = None,  # noqa: A002 - as the contract names it
    reader_id: int | None = None,
    booking_id: int | None = None,
    now: datetime,
) -> None:
    """Write a mail down in the transaction of the fact that `key` names. Nobody is written to twice of one fact.

    Nothing is written to an account without an address, and to who turned mails of the `type` off. `reader_id` is the account
    that reads it.
    """
    require_transaction()
    if not to:
        return
    data = {**words.kept(), "reader": reader_id}
    if type is not None and can_be_muted(type, NotificationChannel.EMAIL):
        if not wants_mail(reader_id=reader_id, address=to, type=type):
            return
        data["courtesy"] = type.value
    letter = letter_to(to=to, template=template, data=data, key=key, booking_id=booking_id, now=now)
    Letter.objects.bulk_create([letter], ignore_conflicts=True)


@unit_of_work
def mark_read(*, viewer: User, notification_ids: Sequence[int | None] | None, now: datetime) -> None:
    """Mark these read, or all (None). What was read before keeps its time.

    Raises NotFound at `ids` when one is not the viewer's; then nothing is marked.
    """
    mine = Notification.objects.filter(recipient=viewer)
    if notification_ids is not None:
        wanted = {pk for pk in notification_ids if pk is not None}
        if None in notification_ids or mine.filter(pk__in=wanted).count() != len(wanted):
            raise NotFound("There is no such notification.", field="ids")
        mine = mine.filter(pk__in=wanted)
    mine.filter(read_at=None).update(read_at=now)


@unit_of_work
def send_notification(
    *,
    sender: User,
    recipient_ids: Sequence[int | None],
    title: str,
    body: str,
    idempotency_key: str | None = None,
    now: datetime,
) -> int:
    """Send a message to these people; a worker delivers it. Returns how many it will reach, each counted once.

    `title` and `body` are clean already. Raises Required and NotFound at `user_ids`, then nobody gets it; Invalid and
    Duplicate (used for something else) at `idempotency_key`.
    """
    key = idempotency.clean_key(idempotency_key)
    wanted = sorted({pk for pk in recipient_ids if pk is not None})
    claim: idempotency.Claim | None = None
    if key is not None:
        asked = {"title": title, "body": body, "users": wanted, "unknown": None in recipient_ids}
        claim = idempotency.claim(caller=f"notify:{sender.pk}", key=key, cleaned_input=asked, now=now)
        if claim.result is not None:
            return len(Announcement.objects.get(pk=claim.result).recipients)
    if not recipient_ids:
        raise Required("Name at least one person.", field="user_ids")
    if None in recipient_ids or reachable_ids(ids=wanted) != set(wanted):
        raise NotFound("There is no such person.", field="user_ids")
    announcement = Announcement.objects.create(sender=sender, title=title, body=body, recipients=wanted, created_at=now)
    enqueue_until_done("notifications.deliver", announcement_id=announcement.pk)
    if claim is not None:
        idempotency.remember(claim, result=announcement.pk)
    return len(wanted)


def deliver(*, announcement_id: int, now: datetime) -> None:
    """The worker's part: a notification for each person, a batch in a transaction. Safe to run twice."""
    announcement = Announcement.objects.get(pk=announcement_id)
    if announcement.delivered_at is not None:
        return
    for start in range(0, len(announcement.recipients), BATCH):
        _deliver_to(announcement, announcement.recipients[start : start + BATCH], now=now)
    Announcement.objects.filter(pk=announcement_id).update(delivered_at=now)


@unit_of_work
def _deliver_to(announcement: Announcement, recipient_ids: Sequence[int], *, now: datetime) -> None:
    tell(
        # An account that was deleted meanwhile is left out.
        recipient_ids=sorted(reachable_ids(ids=recipient_ids)),
        type=NotificationType.MESSAGE,
        title=announcement.title,
        body=announcement.body,
        key=f"message:{announcement.pk}",
        now=now,
    )
