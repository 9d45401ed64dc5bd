"""Our side of the comparison with other backends: the import of its rows, and our answers in the form that all share."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.test import Client
from pytest_django.fixtures import Settings

from apps.bookings.models import Booking
from apps.users.keys import read_signing_keys
from apps.users.models import User
from bench.peers import forgetting, profile, requests
from bench.peers.__main__ import arguments as command_line
from bench.peers.compare import start
from bench.peers.load import NotLoaded, load, main
from bench.peers.steps import SAME, STEPS

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a secret of this test, and a long one"
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
TABLES = """
CREATE TABLE bk_user(id bigint, email text, name text, is_host boolean, created_at timestamptz);
CREATE TABLE bk_listing(id bigint, kind text, title text, description text, host_id bigint, city text, lat float8, lng float8,
    price_cents int, currency text, capacity int, active boolean, created_at timestamptz);
CREATE TABLE bk_booking(id bigint, listing_id bigint, guest_id bigint, period tstzrange, status text, amount_cents int,
    created_at timestamptz);
CREATE TABLE bk_payment(id bigint, booking_id bigint, amount_cents int, status text, provider_ref text, created_at timestamptz);
CREATE TABLE bk_review(id bigint, listing_id bigint, author_id bigint, rating smallint, comment text, created_at timestamptz);
INSERT INTO bk_user VALUES (5, 'user5@example.test', 'Ana Silva 5', true, '2024-01-01Z'),
    (6, 'user6@example.test', 'Ben Meyer 6', false, '2024-01-02Z');
INSERT INTO bk_listing VALUES
    (1, 'house', 'Quiet flat #1', 'A lovely place.', 5, 'city-01', 1.5, 2.5, 4000, 'EUR', 3, true, '2024-01-01Z'),
    (2, 'boat', 'Old boat #2', 'Off the market.', 5, 'city-01', 1.5, 2.5, 4500, 'EUR', 4, false, '2024-01-01Z'),
    (3, 'room', 'Taken room #3', '', 5, 'city-01', 1.5, 2.5, 4800, 'EUR', 1, true, '2024-01-01Z');
INSERT INTO bk_booking VALUES
    (11, 1, 6, tstzrange(%(today)s - interval '2 days', %(today)s + interval '3 days'), 'confirmed', 20001, '2024-02-01Z'),
    (12, 1, 6, tstzrange(%(today)s + interval '5 days', %(today)s + interval '6 days'), 'cancelled', 4000, '2024-02-01Z'),
    (13, 3, 6, tstzrange(%(today)s + interval '9 days', %(today)s + interval '12 days'), 'pending', 9000, '2024-01-01Z');
INSERT INTO bk_payment VALUES (21, 11, 20001, 'captured', 'pay_a', '2024-02-01Z'),
    (22, 12, 4000, 'refunded', 'pay_b', '2024-02-01Z'), (23, 13, 9000, 'authorized', 'pay_c', '2024-02-01Z');
INSERT INTO bk_review VALUES (31, 1, 6, 5, 'Great.', '2024-03-01Z'), (32, 1, 6, 4, 'Again.', '2024-03-02Z'),
    (33, 1, 5, 4, 'Mine.', '2024-03-02Z');
"""
HOUSE = [1, "Quiet flat #1", "house", "city-01", 1.5, 2.5, 4000, "EUR", 3, 5, "Ana Silva 5", 4.333333333, 3]
BOAT = [2, "Old boat #2", "boat", "city-01", 1.5, 2.5, 4500, "EUR", 4, 5, "Ana Silva 5", None, 0]


@pytest.fixture
def source() -> Iterator[str]:
    """The benchmark's tables with a few rows, in the same database."""
    given = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    with connection.cursor() as cursor:
        cursor.execute(TABLES, {"today": TODAY + timedelta(hours=14)})
    yield " ".join(f"{name}={given[key]}" for name, key in names.items() if given[key])
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bk_user, bk_listing, bk_booking, bk_payment, bk_review")


@pytest.fixture(autouse=True)
def _key(settings: Settings) -> None:
    settings.SIGNING_KEYS = read_signing_keys([{"kid": requests.KEY_ID, "alg": "HS256", "secret": SECRET}])
    settings.RATE_LIMITS_ENABLED = False


def ask(op: str, given: dict[str, Any], user_id: int = 6) -> Any:
    """Our answer over HTTP, in the common form."""
    now = datetime.now(UTC)
    path, caller, body = requests.request(op, given, user_id, secret=SECRET, now=now)
    headers = {"Authorization": caller} if caller else {}
    response = Client().post(path, body, content_type="application/json", headers=headers)
    return requests.normal(op, json.loads(response.content), now=now)


def at(days: int, hours: int = 14) -> str:
    return (TODAY + timedelta(days=days, hours=hours)).isoformat(timespec="milliseconds")


def nights(first: int, last: int) -> dict[str, str]:
    return {
        "from": (TODAY + timedelta(days=first)).date().isoformat(),
        "to": (TODAY + timedelta(days=last)).date().isoformat(),
    }


def counts() -> dict[str, int]:
    with connection.cursor() as cursor:
        found = {}
        for step in STEPS:
            cursor.execute(f"SELECT count(*) FROM {step.table}")
            found[step.table] = cursor.fetchone()[0]
        return found


def test_the_rows_come_back_as_they_were(source: str) -> None:
    loaded = load(source=source, replace=False)

    assert loaded == counts()
    assert [loaded[ours] for ours, _ in SAME] == [2, 3, 3, 3, 3]
    sought = {"city": "city-01", "min": 3000, "max": 4700, "first": 20}
    assert ask("Q1", {**sought, **nights(4, 8)}) == {"next": False, "rows": [HOUSE]}
    assert ask("Q1", {**sought, **nights(1, 8)}) == {"next": False, "rows": []}
    reviews = [
        [33, 4, "Mine.", "2024-03-02T00:00:00.000+00:00", 5, "Ana Silva 5"],
        [32, 4, "Again.", "2024-03-02T00:00:00.000+00:00", 6, "Ben Meyer 6"],
        [31, 5, "Great.", "2024-03-01T00:00:00.000+00:00", 6, "Ben Meyer 6"],
    ]
    assert ask("Q2", {"id": "1"}) == [HOUSE, "A lovely place.", reviews, [[at(-2), at(3)]]]
    assert ask("Q2", {"id": "2"}) == [BOAT, "Off the market.", [], []]
    assert ask("Q3", {}) == {
        "next": False,
        "rows": [
            [13, "pending", 9000, at(9), at(12), 3, "Taken room #3", "city-01", [23, "authorized", 9000]],
            [12, "cancelled", 4000, at(5), at(6), 1, "Quiet flat #1", "city-01", [22, "refunded", 4000]],
            [11, "confirmed", 20001, at(-2), at(3), 1, "Quiet flat #1", "city-01", [21, "captured", 20001]],
        ],
    }


def test_a_slot_is_booked_once_and_given_back(source: str) -> None:
    load(source=source, replace=False)
    before = counts()
    days = nights(5, 7)
    wanted = {"listing": requests.listing_id("1"), "start": days["from"], "end": days["to"]}

    # The host of the listing asks, for whom the next account books.
    assert ask("M1", wanted, user_id=5) == ["pending", 8000, at(5, 0), at(7, 0), ["authorized", 8000]]
    assert ask("M1", wanted) is None

    made = Booking.objects.exclude(pk__in=[11, 12, 13]).get()
    assert made.guest_id == 6
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in forgetting.statements(f"id = {made.pk}"):
            cursor.execute(statement)
    assert counts() == before


def test_what_is_there_is_replaced_only_when_told(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    User.objects.create_user("somebody@example.com", "a-Password-1")

    assert main(source=source, replace=False) == 2
    assert capsys.readouterr().err == "peers: the database has accounts in it already; --replace empties it first.\n"
    assert User.objects.get().email == "somebody@example.com"

    assert main(source=source, replace=True) == 0
    assert "bookings_booking                  3\n" in capsys.readouterr().out
    assert sorted(User.objects.values_list("pk", flat=True)) == [5, 6]


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        ("host=127.0.0.1 port=1 dbname=bench", "the source cannot be read: "),
        ("nonsense", "the source cannot be read: "),
    ],
)
def test_a_source_that_is_not_there_is_one_line(dsn: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(source=dsn, replace=False) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"peers: {told}")


def test_a_source_without_the_tables_is_refused(source: str) -> None:
    with psycopg2.connect(source) as theirs, theirs.cursor() as cursor:
        cursor.execute("ALTER TABLE bk_review RENAME TO bk_other")
    try:
        with pytest.raises(NotLoaded, match="no tables of the benchmark"):
            load(source=source, replace=True)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE bk_other RENAME TO bk_review")
    assert counts()["users_user"] == 0


def test_rows_that_do_not_fit_leave_nothing_behind(source: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE bk_review SET rating = 6 WHERE id = 32")
    with pytest.raises(Exception, match="review_rating"):
        load(source=source, replace=False)
    assert set(counts().values()) == {0}


@pytest.mark.parametrize("given", ["before", "before=", "=/tmp", "before=/nowhere", "before=/nowhere=postgresql://x/y"])
def test_a_checkout_that_is_none_is_refused(given: str) -> None:
    with ExitStack() as stack, pytest.raises(SystemExit, match="names no checkout"):
        start(given, stack)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "required: command"),
        (["load"], "required: --source"),
        (["profile", "--op", "Q9"], "invalid choice: 'Q9'"),
        (["profile", "--op", "Q1", "--repeat", "0"], "must be a whole number"),
        (["compare", "now=.", "--ops", "Q1,Q9"], "must be some of Q1,Q2,Q3,M1"),
    ],
)
def test_a_wrong_command_line_is_told(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["peers", *arguments])
    with pytest.raises(SystemExit) as ended:
        command_line()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_request_is_measured_and_its_holds_are_taken_back(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load(source=source, replace=False)
    before = counts()
    monkeypatch.setattr(profile, "SECRET", SECRET)
    site = profile.Site(get_wsgi_application(), connection, [1], [1, 3], [6], shift=0)
    # Nearer than where the comparison books, since the horizon is that of the product here.
    monkeypatch.setattr(profile, "FIRST_DAY", (TODAY + timedelta(days=20)).date())

    for op in ("Q2", "Q3", "M1"):
        figures = profile.measure(site, op, repeat=2, rounds=2)
        assert len(figures.program) == 2
        assert min(figures.program) > 0
    assert counts()["bookings_booking"] == before["bookings_booking"] + 4
    assert len(profile.statements_of(site, "M1")) >= 2

    profile.forget(site)
    assert counts() == before
