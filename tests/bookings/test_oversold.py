"""What the database refuses is looked for all the same: found when its guards were away, and never where all is well."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from psycopg2.extras import DateTimeTZRange

from apps.availability import tasks
from apps.availability.auditing import Oversold, look
from apps.availability.models import Allocation, Stock, Unit
from apps.core.metrics import OVERSOLD
from tests.bookings.life import held, stay
from tests.recipes import make_event, make_property

HOUR = timedelta(hours=1)
WELL = Oversold(overlaps=0, miscounted=0, guards_missing=0)


@pytest.mark.django_db(transaction=True)
def test_where_all_is_well_nothing_is_found() -> None:
    now = datetime.now(UTC)
    held(make_event(tickets=5), now=now, tickets=2)
    stay(make_property(), now=now)
    assert look(now=now) == WELL
    assert [OVERSOLD.labels(what)._value.get() for what in ("overlap", "stock", "guard")] == [0, 0, 0]


@pytest.mark.django_db
def test_a_place_that_was_sold_twice_is_found_unless_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    now = datetime.now(UTC)
    home = make_property()
    unit = Unit.objects.get(listing=home)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE availability_allocation DROP CONSTRAINT allocation_never_overlaps")
    # The long one lies over both others; 3 has its own place, and one holder may hold the same twice.
    for holder, start, end in ((1, 0, 9), (2, 1, 2), (2, 1, 2), (4, 5, 6), (3, 9, 10), (7, -9, -7), (8, -8, -7)):
        period = DateTimeTZRange(now + start * HOUR, now + end * HOUR)
        Allocation.objects.create(listing=home, unit=unit, period=period, holder=holder, created_at=now)
    assert look(now=now) == Oversold(overlaps=3, miscounted=0, guards_missing=1)
    assert "places are sold twice: 3 overlaps, 0 stocks miscounted, 1 guards missing" in caplog.text
    assert OVERSOLD.labels("overlap")._value.get() == 3
    Allocation.objects.exclude(holder=1).update(is_active=False)
    assert look(now=now).overlaps == 0


@pytest.mark.django_db(transaction=True)
def test_tickets_that_were_miscounted_are_found_by_the_job() -> None:
    event = make_event(tickets=5)
    held(event, now=datetime.now(UTC), tickets=2)
    Stock.objects.filter(listing=event).update(taken=3)
    tasks.look_for_oversold()
    assert OVERSOLD.labels("stock")._value.get() == 1
