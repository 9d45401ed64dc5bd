"""Sessions wait so long and no longer; what was in vain is rolled back, and told as something to try again."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import OperationalError, connection, connections

from apps.availability.models import Unit
from apps.bookings.models import Booking
from apps.core.timeouts import Timeouts, bound_sessions, waited_in_vain
from apps.listings.models import Listing
from tests.bookings.life import NIGHT
from tests.hosting.inputs import NOW
from tests.recipes import make_guest, make_property
from tests.schema.listings.api import ask, global_id

BOOK = "mutation($input: BookPropertyInput!) { bookProperty(input: $input) { booking { status } errors { code } } }"
ASKED = """
import django
django.setup()
from django.db import connections
options = connections.settings["default"]["OPTIONS"]
print(options["options"])
plain = options["options"]
import booking.celery
from celery.signals import worker_init
worker_init.send(sender=None)
print(options["options"])
options["options"] = plain
import booking.asgi
print(options["options"])
"""


def test_who_waits_how_long() -> None:
    """Commands of manage.py, migrations among them, wait as long as it takes."""
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, timeout=600, check=True)
    plain, worker, web = done.stdout.splitlines()
    assert "timeout" not in plain
    expected = "-c statement_timeout=300s -c lock_timeout=30s -c idle_in_transaction_session_timeout=600s"
    assert worker == f"{plain} {expected}"
    assert web == f"{plain} -c statement_timeout=15s -c lock_timeout=8s -c idle_in_transaction_session_timeout=45s"


@contextmanager
def session(options: str) -> Iterator[Any]:
    """A session of its own that was begun with these options."""
    other = connection.copy()
    other.settings_dict = {**other.settings_dict, "OPTIONS": {**other.settings_dict["OPTIONS"], "options": options}}
    try:
        yield other
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
def test_sessions_are_begun_so(monkeypatch: pytest.MonkeyPatch) -> None:
    options = connections.settings["default"]["OPTIONS"]
    monkeypatch.setitem(options, "options", options["options"])
    bound_sessions(Timeouts(statement=7, lock=3, idle_transaction=11))
    with session(options["options"]) as other, other.cursor() as cursor:
        shown = []
        for name in (
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "jit",
            "join_collapse_limit",
        ):
            cursor.execute(f"SHOW {name}")
            shown += cursor.fetchone()
    assert shown == ["7s", "3s", "11s", "off", "6"]


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_takes_too_long_waited_in_vain() -> None:
    with (
        session("-c statement_timeout=20ms") as other,
        other.cursor() as cursor,
        pytest.raises(OperationalError) as caught,
    ):
        cursor.execute("SELECT pg_sleep(20)")
    assert waited_in_vain(caught.value)
    with pytest.raises(Exception, match="syntax") as wrong, connection.cursor() as cursor:
        cursor.execute("SELEC")
    assert not waited_in_vain(wrong.value)


@contextmanager
def short_waits() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
        try:
            yield
        finally:
            cursor.execute("RESET lock_timeout")


def rows() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in apps.get_models()}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [Listing, Unit])
def test_who_waits_for_a_lock_in_vain_is_told_to_try_again(model: type[Any], caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is written, not even that the key was used: the same request is right a moment later."""
    listing, guest = make_property(), make_guest()
    table = model._meta.db_table
    data = {
        "propertyId": global_id(listing),
        "checkIn": str((NOW + 30 * NIGHT).date()),
        "checkOut": str((NOW + 32 * NIGHT).date()),
        "guests": 1,
        "idempotencyKey": "the-same-key",
    }
    before = rows()
    with session("-c timezone=UTC") as other, other.cursor() as cursor, short_waits():
        cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        answer = ask(BOOK, {"input": data}, viewer=guest)
        cursor.execute("ROLLBACK")
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 2}
    assert error["message"] == "The server is busy with this. Try again."
    assert answer["data"] == {"bookProperty": None}
    assert table not in str(answer)
    assert rows() == before
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    again = ask(BOOK, {"input": data}, viewer=guest)
    assert again["data"]["bookProperty"] == {"booking": {"status": "PENDING"}, "errors": []}
    assert Booking.objects.count() == 1
