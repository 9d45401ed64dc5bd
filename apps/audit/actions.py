"""Writing down what happened."""

from datetime import datetime

from apps.audit.models import AuditEvent, AuditKind
from apps.audit.origin import address
from apps.core.network import parse_address


def record(
    kind: AuditKind,
    *,
    now: datetime,
    user_id: int | None = None,
    actor_id: int | None = None,
    subject: str = "",
    **data: str | int | bool,
) -> None:
    """Add a row, in the caller's transaction where there is one: what was rolled back has not happened.

    `subject` names what it is about besides an account, as in "booking:5".

    `data` must hold no secret and nothing by which a person is known. The address is that of the request.
    """
    parsed = parse_address(address())
    AuditEvent.objects.create(
        at=now,
        kind=kind,
        user_id=user_id,
        actor_id=actor_id,
        address=str(parsed) if parsed else None,
        subject=subject,
        data=data,
    )
