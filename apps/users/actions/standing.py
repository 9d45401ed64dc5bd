"""What staff makes of accounts and groups in Django admin: written down, and sessions end with the account's standing.

Most are steps: Django admin opens the transaction, and saves the rows and what hangs on them one after the other.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core import idempotency
from apps.core.db import require_transaction, unit_of_work
from apps.users.actions.sessions import end_all_sessions
from apps.users.models import Session, User, UserRole


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account is and may do, in words that the audit keeps."""

    role: str
    is_active: bool
    is_superuser: bool
    groups: str
    permissions: str


def locked_standing(*, user_id: int) -> Standing:
    """The standing of the account, which nobody else changes until the transaction ends."""
    require_transaction()
    user = User.objects.select_for_update(of=("self",)).get(pk=user_id)
    return Standing(
        role=user.role,
        is_active=user.is_active,
        is_superuser=user.is_superuser,
        groups=", ".join(user.groups.order_by("name").values_list("name", flat=True)),
        permissions=_named(user.user_permissions.all()),
    )


def save_account(*, user: User, fields: set[str]) -> None:
    """Save these fields and leave all others as they are by now. Who is not staff is no superuser either."""
    require_transaction()
    if user.is_superuser and user.role != UserRole.STAFF:
        user.is_superuser = False
        fields = fields | {"is_superuser"}
    user.save(update_fields=sorted(fields | {"updated_at"}))


def note_standing(*, user_id: int, before: Standing, actor_id: int, now: datetime) -> None:
    """Write down how the account's standing differs from `before`. The sessions of one that was closed end."""
    after = locked_standing(user_id=user_id)
    if before.role != after.role:
        record(
            AuditKind.ROLE_CHANGED, now=now, user_id=user_id, actor_id=actor_id, before=before.role, after=after.role
        )
    old, new = asdict(before), asdict(after)
    for what in ("is_active", "is_superuser", "groups", "permissions"):
        if old[what] != new[what]:
            record(
                AuditKind.RIGHTS_CHANGED,
                now=now,
                user_id=user_id,
                actor_id=actor_id,
                what=what,
                before=old[what],
                after=new[what],
            )
    if before.is_active and not after.is_active:
        # Otherwise they would go on when it is opened again.
        end_all_sessions(user=User.objects.get(pk=user_id), now=now)


def permissions_of_group(group: Group) -> str:
    """What members may do, in words that the audit keeps; "" for a group that is not there yet."""
    return _named(group.permissions.all()) if group.pk else ""


def note_group(*, group: Group, before: str, after: str, actor_id: int, now: datetime) -> None:
    """Write down that a group came, went or gives other rights."""
    require_transaction()
    if before != after:
        record(AuditKind.GROUP_CHANGED, now=now, actor_id=actor_id, group=group.name, before=before, after=after)


@unit_of_work
def end_sessions_of(*, user: User, actor_id: int, idempotency_key: str | None = None, now: datetime) -> None:
    """Sign an account out everywhere, as staff. Raises Duplicate at `idempotency_key`."""
    key = idempotency.clean_key(idempotency_key)
    if key is not None:
        caller = f"end_sessions:{actor_id}"
        claim = idempotency.claim(caller=caller, key=key, cleaned_input={"user": user.pk}, now=now)
        if claim.result is not None:
            return
        idempotency.remember(claim, result=user.pk)
    end_all_sessions(user=user, now=now)
    record(AuditKind.SESSIONS_ENDED, now=now, user_id=user.pk, actor_id=actor_id)


@unit_of_work
def end_session_of(*, session: Session, actor_id: int, now: datetime) -> None:
    """Sign an account out on one device, as staff; nothing happens where that session has ended."""
    if Session.objects.filter(pk=session.pk, ended_at=None).update(ended_at=now):
        record(AuditKind.SESSIONS_ENDED, now=now, user_id=session.user_id, actor_id=actor_id, session=session.pk)


def _named(permissions: QuerySet[Permission]) -> str:
    rows = permissions.order_by("content_type__app_label", "codename").values_list(
        "content_type__app_label", "codename"
    )
    return ", ".join(f"{app}.{codename}" for app, codename in rows)
