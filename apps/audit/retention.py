"""The audit, after years. The database deletes a row of it only when it is told so, as here, and never a young one."""

from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from apps.audit.models import AuditEvent
from apps.core.retention import Rule, days


def _events(now: datetime) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(at__lt=now - days("audit"))


def _allow(now: datetime) -> None:
    with connection.cursor() as cursor:
        before = (now - days("audit")).isoformat()
        cursor.execute("SELECT set_config('holdfast.audit_forgotten_before', %s, true)", [before])


RULES = (Rule("audit", "the audit older than KEEP_AUDIT_DAYS", _events, before_each=_allow),)
