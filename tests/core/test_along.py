"""Reads that come along with another one bring what they bring by themselves, and in its statement."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import DateTimeField, DurationField, F, QuerySet, Value
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from apps.availability.models import Block
from apps.bookings.actions import hold
from apps.bookings.models import Booking, BookingEvent
from apps.core import along as along_module
from apps.core.along import Along, read_along
from apps.core.families import LISTINGS, statement_of
from apps.core.families import PEOPLE as PEOPLE_FAMILY
from apps.core.keyset import keys
from apps.core.prepared import meant
from apps.core.read_pages import ReadPages
from apps.core.reads import INTEGER, INTEGERS, WORD, OneOf, Parameter, Read
from apps.core.rows import Bounds, Row
from apps.hosting.blocks import block_period
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.users.models import User
from tests.recipes import MAKE, make_guest, make_host, make_property

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)


def _people(*, ids: Parameter, name: Parameter) -> QuerySet[User]:
    return User.objects.filter(OneOf("pk", ids)).exclude(first_name=name).order_by("-pk")


def _offered(*, hosts: Parameter) -> QuerySet[Listing]:
    rows = Listing.objects.filter(OneOf("host_id", hosts)).select_related("host", "property", "event")
    return rows.annotate(added=Value(1) + F("rating_count")).order_by("-pk")


def _named(*, hosts: Parameter, name: Parameter) -> QuerySet[Any]:
    rows = Listing.objects.filter(OneOf("host_id", hosts), title=name).order_by("pk")
    none = Value(None, output_field=DateTimeField())
    return rows.values_list("pk", "title", "created_at", "rating_average", none)


def _blocks(*, listings: Parameter) -> QuerySet[Block]:
    return Block.objects.filter(OneOf("listing_id", listings)).order_by("pk")


def _events(*, bookings: Parameter) -> QuerySet[BookingEvent]:
    return BookingEvent.objects.filter(OneOf("booking_id", bookings)).order_by("pk")


def _homes(*, ids: Parameter) -> QuerySet[Listing]:
    return Listing.objects.filter(OneOf("pk", ids))


def _booked(*, ids: Parameter) -> QuerySet[Booking]:
    return Booking.objects.filter(OneOf("pk", ids)).select_related("bill")


def _newest() -> QuerySet[Listing]:
    return Listing.objects.filter(deleted_at=None)


def _newest_of(*, hosts: Parameter) -> QuerySet[Listing]:
    return Listing.objects.filter(OneOf("host_id", hosts)).order_by("-pk")


PEOPLE: Read[User] = Read(_people, ids=INTEGERS, name=WORD)
OFFERED: Read[Listing] = Read(_offered, hosts=INTEGERS)
NAMED: Read[tuple[Any, ...]] = Read(_named, hosts=INTEGERS, name=WORD)
BLOCKS: Read[Block] = Read(_blocks, listings=INTEGERS)
EVENTS: Read[BookingEvent] = Read(_events, bookings=INTEGERS)
HOMES: Read[Listing] = Read(_homes, ids=INTEGERS)
BOOKED: Read[Booking] = Read(_booked, ids=INTEGERS)
NEWEST: ReadPages[Listing] = ReadPages(_newest, keys("-id"), (INTEGER,), parent="host_id")
NEWEST_OF: Read[Listing] = Read(_newest_of, hosts=INTEGERS)


@pytest.fixture(params=["server", "text"])
def compiled(request: pytest.FixtureRequest, settings: Settings) -> None:
    settings.COMPILED_READS = True
    settings.PREPARED_STATEMENTS = request.param == "server"


def whole(value: Any) -> Any:
    """All that a row has, with the classes of its values, so that 1 is not 1.0."""
    if isinstance(value, Row):
        slots = type(value).__slots__
        return {name: whole(getattr(value, name)) for name in slots}
    if isinstance(value, tuple) and not isinstance(value, Bounds):
        return [whole(each) for each in value]
    zone = value.tzinfo if isinstance(value, datetime) else None
    return type(value), value, zone


def by_themselves(read: Read[Any], place: str, key: Any, **values: Any) -> list[Any]:
    asked: dict[str, Any] = {place: [key], **values}
    return [whole(row) for row in read.rows(**asked)]


def brought(each: Along) -> dict[Any, list[Any]]:
    assert each.found is not None
    return {key: [whole(row) for row in rows] for key, rows in each.found.items()}


def test_rows_are_those_of_the_read_to_the_last_column(compiled: None) -> None:
    hosts = [make_host(first_name=f'"{number}" 100% \\ %s ü') for number in range(3)]
    for number, kind in enumerate(MAKE):
        MAKE[kind](host=hosts[number % 2], price_minor=number + 1)
    # What JSON writes otherwise than the driver: a number without its point, a fraction of a second without its zeros.
    Listing.objects.filter(kind="PROPERTY").update(
        latitude=7.0,
        longitude=-0.1234567,
        rating_average="4.50",
        created_at=START.replace(microsecond=120),
        updated_at=START.replace(microsecond=500_000),
    )
    offered = Along(OFFERED, by="pk", place="hosts")
    title = Listing.objects.get(kind="PROPERTY").title
    named = Along(NAMED, by="pk", place="hosts", name=title)
    ids = [each.pk for each in hosts]

    with CaptureQueriesContext(connection) as queries:
        rows = read_along(PEOPLE, along=[offered, named], ids=ids, name="Nobody")

    assert len([each for each in queries if "PREPARE" not in each["sql"]]) == 1
    assert [whole(row) for row in rows] == [whole(row) for row in PEOPLE.rows(ids=ids, name="Nobody")]
    assert len(rows) == 3
    assert brought(offered) == {pk: by_themselves(OFFERED, "hosts", pk) for pk in ids}
    assert brought(named) == {pk: by_themselves(NAMED, "hosts", pk, name=title) for pk in ids}
    assert [len(each) for each in brought(offered).values()] == [0, 2, 2]
    assert [len(each) for each in brought(named).values()] == [0, 0, 1]


def test_ranges_and_documents(compiled: None) -> None:
    home = make_property(host=make_host())
    ends = [START + timedelta(days=4, microseconds=1000), START + timedelta(days=9)]
    for end in ends:
        block_period(
            viewer=home.host, listing_id=home.pk, start=end - timedelta(days=1), end=end, reason="ü", now=START
        )
    booking = hold(
        kind_code="PROPERTY",
        listing_id=home.pk,
        listing_field="listing_id",
        request=BookingRequest(check_in=date(2026, 2, 1), check_out=date(2026, 2, 3), guests=1),
        guest=make_guest(),
        now=START,
    )
    BookingEvent.objects.filter(booking=booking).update(data={"was": [1, 1.0, None, "\u2028"], "amount": "3.10"})
    blocks = Along(BLOCKS, by="pk", place="listings", limit=1)
    first, others = Along(EVENTS, by="pk", place="bookings"), Along(EVENTS, by="listing_id", place="bookings")

    (row,) = read_along(HOMES, along=[blocks], ids=[home.pk])
    (booked,) = read_along(BOOKED, along=[first, others], ids=[booking.pk])

    assert brought(blocks) == {row.pk: by_themselves(BLOCKS, "listings", home.pk, limit=1)}
    assert blocks.found is not None
    assert [each.period for each in blocks.found[home.pk]] == [Bounds(ends[0] - timedelta(days=1), ends[0])]
    assert first.found is not None
    assert [each.data for each in first.found[booked.pk]] == [{"was": [1, 1.0, None, "\u2028"], "amount": "3.10"}]
    assert brought(first) == {booked.pk: by_themselves(EVENTS, "bookings", booking.pk)}
    # By another of the row's attributes, which is the key of nothing.
    assert brought(others) == {home.pk: by_themselves(EVENTS, "bookings", home.pk)}


def test_a_limit_is_that_of_each_row(compiled: None) -> None:
    hosts = [make_host(), make_host()]
    for host in hosts * 3:
        make_property(host=host)
    few, more = Along(NEWEST_OF, by="pk", place="hosts", limit=2), NEWEST.along(limit=1)

    rows = read_along(PEOPLE, along=[few, more], limit=1, ids=[each.pk for each in hosts], name="Nobody")

    assert [row.pk for row in rows] == [hosts[1].pk]
    pks = sorted((each.pk for each in Listing.objects.filter(host=hosts[1])), reverse=True)
    assert few.found is not None
    assert {key: [each.pk for each in found] for key, found in few.found.items()} == {hosts[1].pk: pks[:2]}
    assert more.found is not None
    (slice_,) = NEWEST.first_slices(more.found, limit=1).values()
    assert ([each.pk for each in slice_.rows], slice_.has_more) == (pks[:1], True)
    nothing = Along(NEWEST_OF, by="pk", place="hosts", limit=2)
    assert read_along(PEOPLE, along=[nothing], ids=[], name="Nobody") == []
    assert nothing.found == {}


def test_the_plain_way_brings_nothing_along(settings: Settings) -> None:
    settings.COMPILED_READS = False
    host = make_host()
    make_property(host=host)
    offered = Along(OFFERED, by="pk", place="hosts")
    (row,) = read_along(PEOPLE, along=[offered], ids=[host.pk], name="Nobody")
    assert (type(row), row.pk) == (User, host.pk)
    assert offered.found is None


def test_no_more_mixtures_are_prepared_than_a_connection_can_bear(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COMPILED_READS = settings.PREPARED_STATEMENTS = True
    host = make_host()
    make_property(host=host)
    monkeypatch.setattr(along_module, "_compiled", {})
    monkeypatch.setattr(along_module, "MOST_PREPARED", 1)
    for limit, comes in ((None, True), (1, False), (None, True)):
        offered = Along(OFFERED, by="pk", place="hosts", limit=limit)
        (row,) = read_along(PEOPLE, along=[offered], ids=[host.pk], name="Nobody")
        assert row.pk == host.pk
        assert (offered.found is not None) is comes


def _lengths(*, hosts: Parameter) -> QuerySet[Any]:
    length = Value(None, output_field=DurationField())
    return Listing.objects.filter(OneOf("host_id", hosts)).values_list("pk", length)


def _wide(*, hosts: Parameter) -> QuerySet[Any]:
    same = {f"number_{index}": F("rating_count") for index in range(101)}
    return Listing.objects.filter(OneOf("host_id", hosts)).annotate(**same)


@pytest.mark.parametrize(
    ("declare", "refusal", "why"), [(_lengths, TypeError, "interval"), (_wide, ValueError, "100 is the most")]
)
def test_what_cannot_be_told_in_json_is_refused(
    settings: Settings, declare: Callable[..., QuerySet[Any]], refusal: type[Exception], why: str
) -> None:
    settings.COMPILED_READS = True
    other: Read[Any] = Read(declare, hosts=INTEGERS)
    with pytest.raises(refusal, match=why):
        read_along(PEOPLE, along=[Along(other, by="pk", place="hosts")], ids=[1], name="Nobody")


def test_caches_see_what_comes_along(compiled: None) -> None:
    seen: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        read_along(PEOPLE, along=[Along(OFFERED, by="pk", place="hosts")], ids=[1], name="Nobody")
    (statement,) = (statement_of(meant(sql)) for sql in seen)
    assert statement.reads == {LISTINGS, PEOPLE_FAMILY}
    assert statement.is_covered
