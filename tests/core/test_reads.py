"""Read reads: compiled once, the same answer in all three ways, and rows that ask nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from apps.availability.models import Block
from apps.bookings.models import Booking
from apps.core.families import LISTINGS, PEOPLE, statement_of
from apps.core.keyset import keys
from apps.core.prepared import meant
from apps.core.read_pages import ReadPages
from apps.core.reads import INSTANT, INTEGER, INTEGERS, WORD, OneOf, Parameter, Read
from apps.core.rows import Bounds, NotRead, Row, has_read, model_of, row_type
from apps.hosting.blocks import block_period
from apps.listings.models import Image, Listing
from apps.users.models import User
from tests.recipes import make_host, make_property, make_user

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)


def _named(role: str, *, ids: Parameter, name: Parameter) -> QuerySet[User]:
    return User.objects.filter(OneOf("pk", ids), first_name=name, role=role).order_by("pk")


def _homes(*, ids: Parameter) -> QuerySet[Listing]:
    return Listing.objects.filter(OneOf("pk", ids)).select_related("host", "property", "event").order_by("pk")


@pytest.fixture(params=["server", "text", "off"])
def mode(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.COMPILED_READS = request.param != "off"
    settings.PREPARED_STATEMENTS = request.param == "server"
    return str(request.param)


def test_values_go_where_the_declaration_had_them(mode: str) -> None:
    read: Read[User] = Read(_named, ids=INTEGERS, name=WORD)
    ada, bob = make_user(first_name="100% 'Ada' %s"), make_user(first_name="Bob")
    ids = [ada.pk, bob.pk]
    assert [user.pk for user in read.rows("GUEST", ids=ids, name="100% 'Ada' %s")] == [ada.pk]
    assert [user.pk for user in read.rows("GUEST", ids=ids, name="Bob")] == [bob.pk]
    assert read.rows("HOST", ids=ids, name="Bob") == []
    assert read.rows("GUEST", ids=[], name="Bob") == []


def test_it_is_declared_once_for_each_shape(settings: Settings) -> None:
    settings.COMPILED_READS = settings.PREPARED_STATEMENTS = True
    declared: list[str] = []

    def declare(role: str, *, ids: Parameter, name: Parameter) -> QuerySet[User]:
        declared.append(role)
        return _named(role, ids=ids, name=name)

    read: Read[User] = Read(declare, ids=INTEGERS, name=WORD)
    for role in ("GUEST", "HOST", "GUEST"):
        for limit in (None, 1, 2):
            read.rows(role, ids=[1], name="Ada", limit=limit)
    # With a limit and without one.
    assert declared == ["GUEST", "GUEST", "HOST", "HOST"]


def test_a_limit(mode: str) -> None:
    read: Read[User] = Read(_named, ids=INTEGERS, name=WORD)
    ids = [make_user(first_name="Ada").pk for _ in range(3)]
    for limit in (0, 1, 2, 3, 4):
        assert [user.pk for user in read.rows("GUEST", ids=ids, name="Ada", limit=limit)] == ids[:limit]


def test_a_row_shows_what_an_instance_shows(settings: Settings) -> None:
    settings.COMPILED_READS = settings.PREPARED_STATEMENTS = True
    home = make_property(host=make_host(first_name="Grace", last_name="Hopper"), property__amenities=["wifi"])
    read: Read[Listing] = Read(_homes, ids=INTEGERS)
    (row,) = read.rows(ids=[home.pk])
    (instance,) = read.query_set(ids=[home.pk])
    assert isinstance(row, Row)
    assert model_of(row) is model_of(instance) is Listing
    with CaptureQueriesContext(connection) as queries:
        for field in Listing._meta.concrete_fields:
            assert getattr(row, field.attname) == getattr(instance, field.attname), field.attname
        assert row.pk == instance.pk
        assert (row.price, row.host.display_name) == (instance.price, "Grace H.")
        assert row.property.amenities == ["wifi"]
        assert row.property.pk == home.pk
        assert has_read(row, "host")
        assert has_read(row, "event")
        assert row.event is None
    assert not queries.captured_queries


def test_what_a_row_computes_may_stand_on_private_parts_of_its_class() -> None:
    values: dict[str, Any] = {
        "id": 7,
        "reference": "ABCD",
        "created_at": START,
        "tickets": 2,
        "confirmed_at": START,
        "status": "CONFIRMED",
    }
    row: Any = row_type(Booking, tuple(values))(*values.values())
    assert row.ticket_code == Booking(**values).ticket_code
    assert row.ticket_code.startswith("ABCD-")


def test_a_row_never_asks_for_what_was_not_read() -> None:
    home = make_property()

    def declare(*, ids: Parameter) -> QuerySet[Listing]:
        return Listing.objects.filter(OneOf("pk", ids)).defer("description")

    (row,) = Read[Listing](declare, ids=INTEGERS).rows(ids=[home.pk])
    assert not has_read(row, "host")
    with CaptureQueriesContext(connection) as queries:
        for name in ("host", "property", "images"):
            with pytest.raises(AttributeError, match=name):
                getattr(row, name)
        # There is something in the database, that a default would hide.
        with pytest.raises(NotRead, match=r"Listing\.description"):
            getattr(row, "description", None)
    assert not queries.captured_queries


def test_rows_are_equal_by_model_and_key() -> None:
    home = make_property()
    read: Read[Listing] = Read(_homes, ids=INTEGERS)
    (first,), (second,) = read.rows(ids=[home.pk]), read.rows(ids=[home.pk])
    assert first == second
    assert len({first, second}) == 1
    others: list[object] = [first.property, home.pk]
    assert first not in others
    first.distance_km = 3.5  # type: ignore[attr-defined]
    assert not hasattr(second, "distance_km")


def test_a_range_is_read_as_its_bounds(mode: str) -> None:
    home = make_property()
    now = datetime.now(UTC)
    start, end = now + timedelta(days=3), now + timedelta(days=5)
    block_period(viewer=home.host, listing_id=home.pk, start=start, end=end, reason="", now=now)

    def declare(*, listing: Parameter) -> QuerySet[Block]:
        return Block.objects.filter(listing_id=listing).select_related("listing").order_by("pk")

    (block,) = Read[Block](declare, listing=INTEGER).rows(listing=home.pk)
    assert (block.period.lower, block.period.upper) == (start, end)
    assert block.period.lower.tzinfo is UTC
    assert (block.source, block.listing.pk) == ("HOST", home.pk)
    assert isinstance(block.period, Bounds) == (mode != "off")


def test_a_statement_that_the_connection_lost_is_prepared_anew(settings: Settings) -> None:
    settings.COMPILED_READS = settings.PREPARED_STATEMENTS = True
    user = make_user(first_name="Ada")
    read: Read[User] = Read(_named, ids=INTEGERS, name=WORD)
    asked: dict[str, Any] = {"ids": [user.pk], "name": "Ada"}
    assert len(read.rows("GUEST", **asked)) == 1
    with connection.cursor() as cursor:
        # This one alone: others go on using what the connection knows.
        cursor.execute("SELECT name FROM pg_prepared_statements ORDER BY prepare_time DESC LIMIT 1")
        cursor.execute(f"DEALLOCATE {cursor.fetchone()[0]}")
    with pytest.raises(DatabaseError, match="does not exist"), transaction.atomic():
        read.rows("GUEST", **asked)
    assert len(read.rows("GUEST", **asked)) == 1


def test_a_statement_survives_a_change_of_the_table(settings: Settings) -> None:
    settings.COMPILED_READS = settings.PREPARED_STATEMENTS = True
    read: Read[User] = Read(_named, ids=INTEGERS, name=WORD)
    user = make_user(first_name="Ada")
    assert len(read.rows("GUEST", ids=[user.pk], name="Ada")) == 1
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE users_user ADD COLUMN later integer DEFAULT 3")
    assert len(read.rows("GUEST", ids=[user.pk], name="Ada")) == 1


def test_preparing_is_done_once_on_a_connection(settings: Settings) -> None:
    settings.COMPILED_READS = settings.PREPARED_STATEMENTS = True
    read: Read[User] = Read(_named, ids=INTEGERS, name=WORD)

    def kept() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%first_name%%'")
            return int(cursor.fetchone()[0])

    before = kept()
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            read.rows("GUEST", ids=[1], name="Ada")
    assert [query["sql"].partition(" ")[0] for query in queries] == ["EXECUTE"] * 3
    assert kept() == before + 1


def test_caches_see_what_a_read_looks_at(mode: str) -> None:
    seen: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        Read[Listing](_homes, ids=INTEGERS).rows(ids=[1])
    (statement,) = (statement_of(meant(sql)) for sql in seen)
    assert statement.reads == {LISTINGS, PEOPLE}
    assert not statement.writes
    assert statement.is_covered
    assert seen[0].startswith("EXECUTE" if mode == "server" else "SELECT")


def _pictures() -> QuerySet[Image]:
    return Image.objects.filter(alt="shown")


PICTURES: ReadPages[Image] = ReadPages(_pictures, keys("-created_at", "-id"), (INSTANT, INTEGER), parent="listing_id")


def test_pages_of_one_and_of_many(mode: str) -> None:
    homes = [make_property() for _ in range(3)]
    Image.objects.bulk_create(
        Image(
            listing=homes[number % 2],
            file=f"{number}.png",
            alt="hidden" if number == 7 else "shown",
            position=number,
            # Ties, which the second key decides.
            created_at=START + timedelta(days=number // 4),
        )
        for number in range(14)
    )
    ids = [home.pk for home in homes]
    for owner in ids:
        want = sorted(
            Image.objects.filter(alt="shown", listing=owner), key=lambda each: (each.created_at, each.pk), reverse=True
        )
        place = None if not want else (want[2].created_at, want[2].pk)
        first = PICTURES.slices(ids, limit=3)[owner]
        assert [each.pk for each in first.rows] == [each.pk for each in want[:3]]
        assert first.has_more == (len(want) > 3)
        last = PICTURES.slices(ids, limit=2, backwards=True)[owner]
        assert [each.pk for each in last.rows] == [each.pk for each in want[-2:]]
        if place is not None:
            after = PICTURES.slices([owner], limit=10, place=place)[owner]
            assert [each.pk for each in after.rows] == [each.pk for each in want[3:]]
            before = PICTURES.slices([owner], limit=1, place=place, backwards=True)[owner]
            assert ([each.pk for each in before.rows], before.has_more) == ([want[1].pk], True)
    everything = PICTURES.slice(limit=100)
    assert len(everything.rows) == 13
    assert not everything.has_more
    assert PICTURES.slice(limit=100, place=(everything.rows[4].created_at, everything.rows[4].pk)).rows == (
        everything.rows[5:] if mode != "off" else [*PICTURES.query_set().order_by("-created_at", "-id")[5:]]
    )
