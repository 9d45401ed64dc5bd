"""Reads of the log. Who may be told of an event is for the reader to ask."""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Max, Min

from apps.live.models import LiveEvent


def head() -> int:
    """The highest position that was given so far; 0 before the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value, is_called FROM live_position")
        row = cursor.fetchone()
    return int(row[0]) if row is not None and row[1] else 0


def is_kept_since(position: int) -> bool:
    """Whether everything after the position can still be told."""
    ends = LiveEvent.objects.aggregate(first=Min("position"), last=Max("position"))
    if position > head():
        # Of another database, or made up.
        return False
    return position >= (head() if ends["first"] is None else ends["first"] - 1)


def events_after(position: int, *, limit: int) -> list[LiveEvent]:
    """Events above the position, in order."""
    return list(LiveEvent.objects.filter(position__gt=position).order_by("position")[:limit])


def events_about(topics: Iterable[str], *, kind: str | None, position: int, until: int, limit: int) -> list[LiveEvent]:
    """Those in (position, until] that have one of the topics, or any topic of the kind, in order."""
    rows = LiveEvent.objects.filter(position__gt=position, position__lte=until)
    rows = rows.filter(topic__startswith=f"{kind}:") if kind else rows.filter(topic__in=list(topics))
    return list(rows.order_by("position")[:limit])
