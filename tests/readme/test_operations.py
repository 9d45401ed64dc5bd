"""The runbooks work as they stand there: what is asked of the database, and a dump that is restored."""

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.core.management import get_commands
from django.db import connection
from psycopg2.extras import DateTimeTZRange

from apps.availability.models import Allocation, Stock, Unit
from apps.bookings.models import Booking
from sandbox.postgres import environment, find_binaries
from tests.bookings.life import held
from tests.readme.reading import ROOT, blocks
from tests.recipes import make_event, make_property

PAGE = (ROOT / "docs/operations.md").read_text()
OPEN, GUARDS, OVERLAPS, TICKETS, SKIPPING = [text for _, text in blocks(PAGE, "sql")]
RECONCILING, DUMPING, RESTORING = [text for _, text in blocks(PAGE, "sh")]
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
LEDGERS = ("bookings_booking", "payments_bill", "availability_allocation")


def asked(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.fixture
def restored() -> Iterator[tuple[str, str]]:
    """The addresses of the test database and of an empty one beside it."""
    settings = connection.settings_dict
    server = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/".format(**settings)
    name = f"restored_{settings['NAME']}"
    admin = psycopg2.connect(f"{server}postgres")
    admin.autocommit = True
    try:
        with admin.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        yield f"{server}{settings['NAME']}", f"{server}{name}"
    finally:
        with admin.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.close()


@pytest.mark.django_db
def test_it_finds_who_has_a_transaction_open() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process,) = cursor.fetchone()
    assert (process, "active") in [row[:2] for row in asked(OPEN)]


@pytest.mark.django_db
def test_the_guards_that_it_asks_for_are_there() -> None:
    assert asked(GUARDS) == [("allocation_never_overlaps", True), ("stock_never_oversold", True)]


@pytest.mark.django_db
def test_it_finds_a_place_that_was_sold_twice() -> None:
    listing = make_property()
    unit = Unit.objects.get(listing=listing)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE availability_allocation DROP CONSTRAINT allocation_never_overlaps")
    for holder, hours in ((1, 0), (2, 1), (2, 1), (3, 24)):
        period = DateTimeTZRange(NOW + timedelta(hours=hours), NOW + timedelta(hours=hours + 2))
        Allocation.objects.create(
            listing=listing, unit=unit, period=period, holder=holder, created_at=NOW, is_active=hours < 2
        )
    found = asked(OVERLAPS)
    assert [row[:4] for row in found] == [(listing.pk, unit.pk, 1, 2)] * 2
    Allocation.objects.filter(holder=2).update(is_active=False)
    assert asked(OVERLAPS) == []


@pytest.mark.django_db(transaction=True)
def test_it_finds_tickets_that_were_miscounted() -> None:
    event = make_event(tickets=5)
    held(event, now=datetime.now(UTC), tickets=2)
    assert asked(TICKETS) == []
    Stock.objects.filter(listing=event).update(taken=3)
    assert asked(TICKETS) == [(event.pk, 5, 3, 2)]


@pytest.mark.django_db(transaction=True)
def test_a_dump_is_restored_with_its_guards(restored: tuple[str, str], tmp_path: Path) -> None:
    booking = held(make_event(tickets=5), now=datetime.now(UTC), tickets=2)
    source, target = restored
    path = f"{find_binaries(None)}{os.pathsep}{os.environ['PATH']}"
    for script in (DUMPING, RESTORING):
        subprocess.run(
            ["sh", "-euc", script], cwd=tmp_path, check=True, timeout=600, capture_output=True,
            env={**environment(), "PATH": path, "DATABASE_URL": source, "RESTORED_URL": target},
        )  # fmt: skip

    with psycopg2.connect(target) as there, there.cursor() as cursor:
        cursor.execute("SELECT id, reference FROM bookings_booking")
        assert cursor.fetchall() == [(booking.pk, booking.reference)]
        for table in LEDGERS:
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (1,), table
        cursor.execute(GUARDS)
        assert cursor.fetchall() == [("allocation_never_overlaps", True), ("stock_never_oversold", True)]
        cursor.execute(SKIPPING)
        assert [value > 1_000_000 for (value,) in cursor.fetchall()] == [True] * 4
        cursor.execute("SELECT nextval(pg_get_serial_sequence('payments_charge', 'id')) > 1000000")
        assert cursor.fetchone() == (True,)
    there.close()
    assert Booking.objects.count() == 1


def test_the_commands_that_it_names_are_there() -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", PAGE))
    assert {"reconcile", "migrate"} <= named <= set(get_commands())
    assert "reconcile --since" in RECONCILING
