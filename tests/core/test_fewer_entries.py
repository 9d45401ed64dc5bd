"""What is written with every booking stands in few indexes, and those answer all that is asked."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from apps.live.models import LiveEvent
from apps.notifications.models import Letter

pytestmark = pytest.mark.django_db


def plan(sql: str, values: Sequence[Any] = ()) -> str:
    with connection.cursor() as cursor:
        # So small a table would be read whole, or sorted.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {sql}", values)
        return "\n".join(row[0] for row in cursor.fetchall())


def plan_of(rows: QuerySet[LiveEvent] | QuerySet[Letter]) -> str:
    return plan(*rows.query.sql_with_params())


def test_one_index_finds_a_letter_by_its_key_and_its_copies_by_what_theirs_begin_with() -> None:
    found = plan_of(Letter.objects.filter(key="event:5:held"))
    assert "using letter_key_once" in found
    assert "Index Cond" in found
    found = plan_of(Letter.objects.filter(key__startswith="again:5:"))
    assert "using letter_key_once" in found
    assert "Index Cond" in found


def test_numbered_events_are_found_by_indexes_without_those_that_wait() -> None:
    after = LiveEvent.objects.filter(position__gt=5)
    assert "using live_event_position_once" in plan_of(after.order_by("position")[:9])
    assert "using live_event_position_once" in plan_of(after.filter(position__lte=9).order_by("position")[:9])
    old = LiveEvent.objects.filter(numbered_at__lt=timezone.now(), position__isnull=False)
    assert "using live_event_numbered" in plan_of(old.order_by("numbered_at", "position")[:9])
    assert "using live_event_waiting" in plan_of(LiveEvent.objects.filter(position=None).order_by("pk"))
    assert plan("SELECT min(position), max(position) FROM live_liveevent").count("using live_event_position_once") == 2
