"""When an address turns out to be somebody's.

Three roads lead here: the link of a mail, a new password set by mail, a trusted issuer that vouches. What other apps keep for
the address becomes the account's in the same transaction. They stand above this app, so they register what is to be done.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core.db import require_transaction
from apps.users.models import User


class Step(Protocol):
    """What an app does for an account whose address was verified; inside the transaction, the account being locked."""

    def __call__(self, *, user: User, now: datetime) -> None: ...


_steps: list[Step] = []


def on_verified(step: Step) -> Callable[..., None]:
    """Do this from now on whenever an address is verified."""
    if step not in _steps:
        _steps.append(step)
    return step


def mark_verified(user: User, *, now: datetime) -> None:
    """The account's present address is its owner's. A step; the caller has locked and saved the account."""
    require_transaction()
    user.email_verified_at = now
    user.save(update_fields=["email_verified_at", "updated_at"])
    record(AuditKind.EMAIL_VERIFIED, now=now, user_id=user.pk, actor_id=user.pk)
    for step in _steps:
        step(user=user, now=now)
