"""A real pgbouncer in front of PostgreSQL, in both of its modes: what is booked, read and refused through it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection, connections
from django.test import override_settings

from apps.availability.models import Allocation
from apps.bookings.models import Booking
from apps.core.checks import check_pooler
from apps.core.db import unit_of_work
from apps.core.errors import DomainError
from apps.core.prepared import Prepared
from apps.integrations import sender
from booking.env import Environment
from tests.deploy.linters import ROOT
from tests.deploy.pgbouncer import running_pool
from tests.payments.steps import booked, paid
from tests.readme.test_env_example import REQUIRED
from tests.recipes import make_guest, make_property
from tests.schema.listings.api import ask
from tests.serving import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

CLIENTS = 16
CONNECTIONS = 4
NOW = datetime.now(UTC).replace(microsecond=0)
MODES = ("session", "transaction")
# The word is written wrongly, and found by the likeness that the options demand.
SEARCH = (
    '{ listings(filter: { text: "prenzlaur" }, first: 5) { totalCount edges { node { id quote { available } } } } }'
)
IGNORES_OPTIONS = {"ignore_startup_parameters = extra": "ignore_startup_parameters = options, extra"}
SUM = Prepared("sum_of_two", "SELECT %(one)s + %(other)s", one="integer", other="integer")


@contextmanager
def through_pool(
    folder: Path, *, mode: str, told: str, lends: int = CONNECTIONS, instead: Mapping[str, str] | None = None
) -> Iterator[None]:
    """New connections of other threads go through a pool of that mode, with DATABASE_POOLER as `told`."""
    with running_pool(folder, mode=mode, connections=lends, instead=instead or {}) as port:
        given = connections.settings["default"]
        before = dict(given)
        plain = given["OPTIONS"]["options"].partition(" -c statement_timeout")[0]
        options = {**given["OPTIONS"], "options": f"{plain} {settings.WEB_TIMEOUTS.options()}"}
        try:
            given.update(HOST="127.0.0.1", PORT=port, NAME="holdfast", OPTIONS=options)
            given["DISABLE_SERVER_SIDE_CURSORS"] = told == "transaction"
            with override_settings(DATABASE_POOLER=told, PREPARED_STATEMENTS=told != "transaction"):
                yield
        finally:
            given.clear()
            given.update(before)


def outcome(call: Callable[[], Any]) -> Any:
    """What the call returns, on a connection of its own; the code or the class of what it raises."""
    try:
        return at_once([call])[0]
    except DomainError as error:
        return error.code
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize("mode", MODES)
def test_one_night_has_one_winner_who_pays(mode: str, tmp_path: Path) -> None:
    home, guests = make_property(title="Prenzlauer Hof"), [make_guest() for _ in range(CLIENTS)]
    others = [make_property() for _ in range(2)]
    # In session mode whoever is connected has one, and the others wait: threads end, and with them their sessions.
    size = CONNECTIONS if mode == "transaction" else CLIENTS

    def book(number: int) -> str:
        result = "BOOKED"
        try:
            booked(home, guest=guests[number], now=NOW)
        except DomainError as error:
            result = str(error.code)
        # Whatever else a client does meanwhile is on the same few connections.
        for other in others:
            with suppress(DomainError):
                booked(other, guest=guests[number], now=NOW)
        return result

    with through_pool(tmp_path, mode=mode, told=mode, lends=size):
        won = at_once([partial(book, number) for number in range(CLIENTS)])
        assert Counter(won) == {"BOOKED": 1, "UNAVAILABLE": CLIENTS - 1}
        (booking,) = Booking.objects.filter(listing=home)
        assert Allocation.objects.filter(is_active=True).count() == 3

        assert outcome(lambda: paid(Booking.objects.get(pk=booking.pk), now=NOW).status) == "SUCCEEDED"
        # Read at once by more than there are connections, from a snapshot, compiled and prepared where that is right.
        answers = at_once([lambda: ask(SEARCH, viewer=guests[0], now=NOW) for _ in range(CLIENTS)])
    booking.refresh_from_db()
    assert booking.status == "CONFIRMED"
    assert [(answer.get("errors"), answer["data"]["listings"]["totalCount"]) for answer in answers] == [
        (None, 1)
    ] * CLIENTS


@pytest.mark.parametrize("mode", MODES)
def test_each_connection_is_told_what_ours_are_told(mode: str, tmp_path: Path) -> None:
    def told() -> tuple[str, ...]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('TimeZone'), current_setting('jit'), current_setting('statement_timeout'), "
                "current_setting('lock_timeout'), current_setting('pg_trgm.word_similarity_threshold'), "
                "current_setting('join_collapse_limit')"
            )
            found: tuple[str, ...] = cursor.fetchone()
            return found

    with through_pool(tmp_path, mode=mode, told=mode):
        # The second is lent what the first gave back.
        assert [outcome(told) for _ in range(2)] == [("UTC", "off", "15s", "8s", "0.45", "6")] * 2


def test_a_pool_whose_connections_were_told_nothing_is_refused(tmp_path: Path) -> None:
    untold = {
        "SET pg_trgm.word_similarity_threshold = 0.45; SET statement_timeout = ''15s''": "SET statement_timeout = 0"
    }
    with (
        through_pool(tmp_path, mode="transaction", told="transaction", instead=untold),
        pytest.raises(ImproperlyConfigured, match="statement_timeout=0 instead of 15s") as refused,
    ):
        at_once([lambda: connection.ensure_connection()])
    assert "pg_trgm.word_similarity_threshold=" in str(refused.value)
    assert "jit" not in str(refused.value)


def test_the_jobs_have_a_pool_of_their_own(tmp_path: Path) -> None:
    def connect() -> str:
        options = connections.settings["default"]["OPTIONS"]
        options["options"] = options["options"].replace(
            settings.WEB_TIMEOUTS.options(), settings.WORKER_TIMEOUTS.options()
        )
        connection.ensure_connection()
        return "connected"

    with through_pool(tmp_path, mode="transaction", told="transaction"):
        assert outcome(connect) == "ImproperlyConfigured"
        connections.settings["default"]["NAME"] = "holdfast_jobs"
        assert outcome(connect) == "connected"


@pytest.mark.parametrize(
    ("mode", "told", "found"),
    [
        ("transaction", "none", ["core.E001"]),
        ("transaction", "session", ["core.E001"]),
        ("session", "none", ["core.E002"]),
        ("session", "session", []),
        ("transaction", "transaction", []),
    ],
)
def test_a_pool_that_nobody_told_of_is_found(mode: str, told: str, found: list[str], tmp_path: Path) -> None:
    of_session = {"SET pg_trgm.word_similarity_threshold = 0.45; ": ""} if mode == "session" else {}
    with through_pool(tmp_path, mode=mode, told=told, instead={**IGNORES_OPTIONS, **of_session}):
        assert outcome(lambda: [each.id for each in check_pooler(databases=["default"])]) == found


def test_without_a_pool_nothing_is_found() -> None:
    assert check_pooler(databases=["default"]) == []
    assert check_pooler(databases=None) == []


def test_a_pool_that_takes_no_options_refuses_by_itself_who_was_not_told_of_it(tmp_path: Path) -> None:
    with through_pool(tmp_path, mode="session", told="none"):
        assert outcome(lambda: connection.ensure_connection()) == "OperationalError"
        # A check is no place to say that the database is away.
        assert outcome(lambda: check_pooler(databases=["default"])) == []


def two_turns() -> list[bool]:
    """Whether somebody else may send while one sends, and after."""
    said: list[bool] = []

    def other() -> None:
        with sender._turn() as is_ours:
            said.append(is_ours)
        connection.close()

    def beside() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    with sender._turn() as is_ours:
        said.append(is_ours)
        beside()
    beside()
    return said


@pytest.mark.parametrize("mode", MODES)
def test_one_sends_at_a_time(mode: str, tmp_path: Path) -> None:
    cache.clear()
    with through_pool(tmp_path, mode=mode, told=mode):
        assert outcome(two_turns) == [True, False, True]


def test_what_breaks_where_a_pool_of_transactions_is_taken_for_one_of_sessions(tmp_path: Path) -> None:
    """The twin: each of these is what the setting is for."""

    def prepared() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        first = SUM.row(one=1, other=2)
        # Somebody else is lent the connection on which it was prepared, and keeps it.
        begun, done = threading.Event(), threading.Event()

        def keep() -> None:
            hold(begun, done)
            connection.close()

        thread = threading.Thread(target=keep)
        thread.start()
        begun.wait()
        try:
            return [first, SUM.row(one=2, other=3)]
        finally:
            done.set()
            thread.join()

    @unit_of_work
    def hold(begun: threading.Event, done: threading.Event) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        begun.set()
        done.wait(300)

    with through_pool(tmp_path, mode="transaction", told="transaction"):
        assert outcome(prepared) == [(3,), (5,)]
        with override_settings(PREPARED_STATEMENTS=True), pytest.raises(DatabaseError, match="does not exist"):
            at_once([prepared])


def test_what_a_pool_of_transactions_cannot_keep_is_refused_where_it_is_asked_for() -> None:
    pooled = {**REQUIRED, "DATABASE_POOLER": "transaction"}
    assert not Environment.read(pooled, base=ROOT).prepared_statements
    assert Environment.read({**pooled, "DATABASE_POOLER": "session"}, base=ROOT).prepared_statements
    with pytest.raises(ImproperlyConfigured, match="PREPARED_STATEMENTS is on, and DATABASE_POOLER is transaction"):
        Environment.read({**pooled, "PREPARED_STATEMENTS": "on"}, base=ROOT)
    with pytest.raises(ImproperlyConfigured, match="DATABASE_POOLER must be one of none, session, transaction"):
        Environment.read({**REQUIRED, "DATABASE_POOLER": "statement"}, base=ROOT)
