"""What is stuck is called settled by staff, where the ledger cannot show it: paid in cash, written off, answered elsewhere."""

from datetime import datetime

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.bookings.stuck import CAN_BE_DEALT_WITH, find_stuck
from apps.core.db import unit_of_work
from apps.core.errors import NotAllowed, NotFound, WrongState
from apps.core.texts import clean_text
from apps.payments.models import DealtWith
from apps.users.models import User, UserRole


@unit_of_work
def deal_with(*, viewer: User, subject: str, note: str, now: datetime) -> DealtWith:
    """Say that something stuck was dealt with, and how; for staff. The same from the same person again changes nothing.

    Raises Required and Invalid at `note`, NotAllowed and NotFound at `subject`, WrongState there when somebody else was faster.
    """
    note = clean_text(note, field="note", max_length=1000, required=True)
    if viewer.role != UserRole.STAFF or subject.partition(":")[0] not in CAN_BE_DEALT_WITH:
        raise NotAllowed("This cannot be called settled.", field="subject")
    found = find_stuck(subject=subject, now=now)
    if found is not None:
        row = DealtWith(subject=subject, note=note, actor_id=viewer.pk, at=now)
        # Waits for whoever is about to say the same.
        DealtWith.objects.bulk_create([row], ignore_conflicts=True)
    kept = DealtWith.objects.filter(subject=subject).first()
    if kept is None:
        raise NotFound("Nothing is stuck there any more.", field="subject")
    if (kept.actor_id, kept.note) != (viewer.pk, note):
        raise WrongState("Somebody else has dealt with it.", field="subject")
    if found is not None and kept.at == now:
        about = f"booking:{found.booking.pk}" if found.booking is not None else subject
        record(AuditKind.MONEY_DEALT_WITH, now=now, actor_id=viewer.pk, subject=about, what=subject)
    return kept
