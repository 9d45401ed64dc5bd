"""Jobs leave through the outbox: written in the transaction, sent after commit, sent again while the broker is away."""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.core.correlation import luggage, resumed
from apps.core.db import require_transaction
from apps.core.faults import fault_point
from apps.core.models import OutboxMessage
from apps.core.prepared import Prepared

logger = logging.getLogger(__name__)

# A row younger than this is still being sent by the process that wrote it.
SENDING = timedelta(seconds=2)
BATCH = 500


SENT = Prepared("sent", "DELETE FROM core_outboxmessage WHERE id = %(message)s", message="bigint")


def enqueue(task: str, *, carried: dict[str, str] | None = None, **arguments: Any) -> None:
    """Promise a Celery task by name, with JSON arguments. It is sent when, and only when, the transaction commits.

    Tasks may run twice: they must be idempotent. `carried` is what the job carries with it, unless it is what work carries.
    A broker may lose what it was sent: something has to find the job again, or it is `promises.enqueue_until_done`.
    """
    require_transaction()
    message = OutboxMessage.objects.create(
        task=task, arguments=arguments, luggage=luggage() if carried is None else carried
    )
    transaction.on_commit(partial(_send, message), robust=True)


def leave(task: str, **arguments: Any) -> None:
    """The same outside of a transaction, or in one that may go either way, for what is not urgent: beat alone sends it."""
    OutboxMessage.objects.create(task=task, arguments=arguments, luggage=luggage())


def _send(message: OutboxMessage) -> bool:
    fault_point("outbox.committed")
    try:
        with resumed(message.luggage):
            current_app.send_task(message.task, kwargs=message.arguments, headers=message.luggage)
    except (OperationalError, OSError):
        logger.warning("the broker is away; outbox message %s waits", message.pk)
        return False
    fault_point("outbox.sent")
    SENT.rows(message=message.pk)
    return True


def send_waiting(*, now: datetime) -> int:
    """Send what was promised and not sent, oldest first. Returns how many went out; stops where the broker is away."""
    sent = 0
    while True:
        with transaction.atomic(durable=True):
            batch = list(
                OutboxMessage.objects.select_for_update(skip_locked=True)
                .filter(created_at__lt=now - SENDING)
                .order_by("pk")[:BATCH]
            )
            for message in batch:
                if not _send(message):
                    return sent
                sent += 1
        if len(batch) < BATCH:
            return sent
