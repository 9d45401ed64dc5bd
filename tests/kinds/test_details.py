"""The kinds' parts of create and update inputs: defaults, bounds, nulls, and what is written."""

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q

from apps.core.money import Money
from apps.core.periods import Period
from apps.core.shapes import filled
from apps.kinds.service.models import OpeningHours, Service
from apps.listings.kinds import Capacity, all_kinds, kind_named, kind_of
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.listings.search import ListingSearch
from tests.kinds.errors import refused
from tests.recipes import MAKE, make_event, make_parking_spot, make_property, make_service

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LISTING = Listing(currency="EUR", price_minor=1000, time_zone="Europe/Berlin")
LEAST: dict[str, dict[str, Any]] = {
    "PROPERTY": {"max_guests": 2},
    "SERVICE": {
        "duration_minutes": 60,
        "opening_hours": [{"weekday": 1, "opens_at": time(9), "closes_at": time(0)}],
    },
    "EVENT": {
        "starts_at": NOW + timedelta(days=1),
        "ends_at": NOW + timedelta(days=2),
        "venue": " Town hall ",
        "total_tickets": 5,
    },
    "PARKING_SPOT": {"street": " High Street "},
}


def create(code: str, **fields: Any) -> dict[str, Any]:
    return kind_named(code).clean_details({**LEAST[code], **fields}, existing=None, listing=LISTING, now=NOW)


def update(listing: Listing, **fields: Any) -> dict[str, Any]:
    kind = kind_of(listing)
    return kind.clean_details(fields, existing=kind.details(listing), listing=listing, now=NOW)


def test_defaults() -> None:
    assert create("PROPERTY") == {
        "property_type": "",
        "max_guests": 2,
        "bedrooms": 1,
        "beds": 1,
        "bathrooms": Decimal(1),
        "amenities": [],
        "check_in_time": time(15),
        "check_out_time": time(11),
        "min_nights": 1,
        "max_nights": 365,
        "units": 1,
        "cleaning_fee_minor": None,
    }
    service = create("SERVICE")
    assert (service["buffer_minutes"], service["staff"]) == (0, 1)
    assert create("EVENT")["venue"] == "Town hall"
    assert create("PARKING_SPOT") == {"street": "High Street", "max_minutes": 1440}


@pytest.mark.parametrize("code", sorted(LEAST))
def test_null_on_a_create_is_the_default_or_required(code: str) -> None:
    kind = kind_named(code)
    with refused(*(("REQUIRED", name) for name in LEAST[code])):
        kind.clean_details(dict.fromkeys(LEAST[code]), existing=None, listing=LISTING, now=NOW)
    with refused(*(("REQUIRED", name) for name in LEAST[code])):
        kind.clean_details({}, existing=None, listing=LISTING, now=NOW)
    assert create("PROPERTY", units=None, cleaning_fee=None)["units"] == 1


@pytest.mark.parametrize(
    ("code", "name", "lowest", "highest"),
    [
        ("PROPERTY", "max_guests", 1, 100),
        ("PROPERTY", "bedrooms", 0, 100),
        ("PROPERTY", "beds", 0, 100),
        ("PROPERTY", "units", 1, 500),
        ("SERVICE", "duration_minutes", 1, 1440),
        ("SERVICE", "buffer_minutes", 0, 1440),
        ("SERVICE", "staff", 1, 200),
        ("EVENT", "total_tickets", 1, 1_000_000),
        ("PARKING_SPOT", "max_minutes", 1, 43_200),
    ],
)
def test_bounds(code: str, name: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert create(code, **{name: value})[name] == value
    for value in (lowest - 1, highest + 1, -(2**31), 2**31 - 1):
        with refused(("INVALID", name)):
            create(code, **{name: value})


@pytest.mark.parametrize(
    ("code", "fields", "errors"),
    [
        ("PROPERTY", {"min_nights": 0}, [("INVALID", "min_nights")]),
        ("PROPERTY", {"max_nights": 0}, [("INVALID", "max_nights")]),
        ("PROPERTY", {"min_nights": 3, "max_nights": 2}, [("INVALID", "max_nights")]),
        ("PROPERTY", {"min_nights": 366}, [("INVALID", "min_nights")]),
        ("PROPERTY", {"check_out_time": time(15, 1)}, [("INVALID", "check_out_time")]),
        ("PROPERTY", {"check_in_time": time(10)}, [("INVALID", "check_out_time")]),
        ("PROPERTY", {"bathrooms": Decimal("NaN")}, [("INVALID", "bathrooms")]),
        ("PROPERTY", {"bathrooms": Decimal("1.25")}, [("INVALID", "bathrooms")]),
        ("PROPERTY", {"bathrooms": Decimal("1e9")}, [("INVALID", "bathrooms")]),
        ("PROPERTY", {"bathrooms": Decimal("-0.5")}, [("INVALID", "bathrooms")]),
        ("PROPERTY", {"property_type": "x" * 121}, [("INVALID", "property_type")]),
        ("PROPERTY", {"amenities": ["Wifi", " "]}, [("REQUIRED", "amenities.1")]),
        ("PROPERTY", {"amenities": ["Wi\0fi"]}, [("INVALID", "amenities.0")]),
        ("PROPERTY", {"amenities": ["x"] * 101}, [("INVALID", "amenities")]),
        ("PROPERTY", {"cleaning_fee": Money(-1, "EUR")}, [("INVALID", "cleaning_fee.amount_minor")]),
        ("PROPERTY", {"cleaning_fee": Money(10**10 + 1, "EUR")}, [("INVALID", "cleaning_fee.amount_minor")]),
        ("PROPERTY", {"cleaning_fee": Money(1, "USD")}, [("INVALID", "cleaning_fee.currency")]),
        ("PROPERTY", {"max_guests": 0, "units": 0}, [("INVALID", "max_guests"), ("INVALID", "units")]),
        ("EVENT", {"starts_at": NOW}, [("INVALID", "starts_at")]),
        ("EVENT", {"ends_at": NOW + timedelta(days=1)}, [("INVALID", "ends_at")]),
        (
            "EVENT",
            {"starts_at": datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), "ends_at": NOW},
            [("INVALID", "starts_at"), ("INVALID", "ends_at")],
        ),
        ("EVENT", {"ends_at": datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))}, [("INVALID", "ends_at")]),
        ("EVENT", {"venue": "\t"}, [("REQUIRED", "venue")]),
        ("EVENT", {"venue": "x" * 301}, [("INVALID", "venue")]),
        ("PARKING_SPOT", {"street": "a\x07"}, [("INVALID", "street")]),
    ],
)
def test_what_is_refused(code: str, fields: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    with refused(*errors):
        create(code, **fields)


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [(0, 9, 17)],
        [(8, 9, 17)],
        [(1, 9, 9)],
        [(1, 17, 9)],
        [(1, 9, 12), (1, 11, 14)],
        [(1, 20, 0), (1, 23, 0)],
        [(day % 7 + 1, 9, 17) for day in range(101)],
    ],
)
def test_wrong_opening_hours(spans: list[tuple[int, int, int]]) -> None:
    hours = [{"weekday": day, "opens_at": time(opens), "closes_at": time(closes)} for day, opens, closes in spans]
    with refused(("INVALID", "opening_hours")):
        create("SERVICE", opening_hours=hours)


def test_amenities_are_trimmed_and_listed_once() -> None:
    assert create("PROPERTY", amenities=[" Wifi", "Pool", "Wifi "])["amenities"] == ["Wifi", "Pool"]


def test_a_fee_is_compared_with_a_currency_only_where_the_price_is_right() -> None:
    listing = Listing(currency="XXX", price_minor=1, time_zone="UTC")
    kind = kind_named("PROPERTY")
    fields = {"max_guests": 1, "cleaning_fee": Money(100, "EUR")}
    assert kind.clean_details(fields, existing=None, listing=listing, now=NOW)["cleaning_fee_minor"] == 100


@pytest.mark.django_db
def test_an_update_checks_what_it_makes_of_the_whole() -> None:
    home = make_property(property__min_nights=3, property__max_nights=7, property__cleaning_fee_minor=500)
    assert update(home) == {}
    assert update(home, max_nights=3, cleaning_fee=None) == {"max_nights": 3, "cleaning_fee_minor": None}
    with refused(("INVALID", "max_nights")):
        update(home, max_nights=2)
    with refused(("INVALID", "min_nights")):
        update(home, min_nights=8)
    with refused(("INVALID", "check_out_time")):
        update(home, check_in_time=time(10))
    with refused(("REQUIRED", "max_guests"), ("REQUIRED", "amenities"), ("REQUIRED", "property_type")):
        update(home, max_guests=None, amenities=None, property_type=None)


@pytest.mark.django_db
def test_a_fee_does_not_change_its_currency_unsaid() -> None:
    home = make_property(property__cleaning_fee_minor=500)
    moved = Listing.objects.get(pk=home.pk)
    moved.currency = "USD"
    kind = kind_of(home)
    with refused(("INVALID", "cleaning_fee.currency")):
        kind.clean_details({}, existing=kind.details(home), listing=moved, now=NOW)
    cleaned = kind.clean_details({"cleaning_fee": Money(7, "USD")}, existing=kind.details(home), listing=moved, now=NOW)
    assert cleaned == {"cleaning_fee_minor": 7}
    cleaned = kind.clean_details({"cleaning_fee": None}, existing=kind.details(home), listing=moved, now=NOW)
    assert cleaned == {"cleaning_fee_minor": None}


@pytest.mark.django_db
def test_an_event_that_has_begun_may_keep_its_start() -> None:
    event = make_event(starts_at=NOW - timedelta(hours=1))
    assert update(event, starts_at=NOW - timedelta(hours=1), venue="Elsewhere")["venue"] == "Elsewhere"
    with refused(("INVALID", "starts_at")):
        update(event, starts_at=NOW - timedelta(minutes=1))
    with refused(("INVALID", "ends_at")):
        update(event, starts_at=NOW + timedelta(hours=2))


@pytest.mark.django_db
@pytest.mark.parametrize("code", sorted(LEAST))
def test_what_is_cleaned_is_written_and_read_back(code: str) -> None:
    kind = kind_named(code)
    listing = MAKE[code]()
    row = kind.details(listing)
    getattr(row, "opening_hours", OpeningHours.objects.none()).all().delete()
    row.delete()
    cleaned = create(code)

    kind.save_details(listing, cleaned)

    again = Listing.objects.get(pk=listing.pk)
    for name, value in cleaned.items():
        if name != "opening_hours":
            assert getattr(kind.details(again), name) == value
    assert kind.capacity(listing) == kind.capacity(again)
    assert kind.capacity(again) == (Capacity(stock=5) if code == "EVENT" else Capacity(units=1))


@pytest.mark.django_db
def test_opening_hours_are_replaced_only_when_given() -> None:
    service = make_service(staff=2)
    kind = kind_of(service)
    kind.save_details(service, update(service, staff=3))
    assert (Service.objects.get(pk=service.pk).staff, OpeningHours.objects.filter(service=service.pk).count()) == (3, 7)
    hours = [
        {"weekday": 2, "opens_at": time(13), "closes_at": time(0)},
        {"weekday": 2, "opens_at": time(9), "closes_at": time(13)},
    ]
    kind.save_details(service, update(service, opening_hours=hours))
    rows = OpeningHours.objects.filter(service=service.pk).values_list("weekday", "opens_at", "closes_at")
    assert list(rows) == [(2, time(9), time(13)), (2, time(13), time(0))]


def test_what_the_kinds_say_of_themselves() -> None:
    said = {
        kind.code: (kind.price_unit, kind.payment_timing, kind.is_blockable, kind.ends_early, kind.needs_coordinates)
        for kind in all_kinds()
    }
    assert said == {
        "EVENT": ("TICKET", "NOW", False, False, False),
        "PARKING_SPOT": ("HOUR", "AT_END", True, True, True),
        "PROPERTY": ("NIGHT", "NOW", True, False, False),
        "SERVICE": ("APPOINTMENT", "NOW", True, False, False),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("code", sorted(LEAST))
def test_a_booking_stands_for_the_request_that_made_it(code: str) -> None:
    now = datetime.now(UTC)
    start = (now + timedelta(days=3)).replace(hour=11, minute=0, second=0, microsecond=0)
    requests = {
        "PROPERTY": BookingRequest(check_in=start.date(), check_out=start.date() + timedelta(days=2), guests=2),
        "SERVICE": BookingRequest(starts_at=start),
        "EVENT": BookingRequest(tickets=3),
        "PARKING_SPOT": BookingRequest(starts_at=start, ends_at=start + timedelta(minutes=90)),
    }
    listing = MAKE[code]()
    kind = kind_of(listing)
    kind.check_request(requests[code])
    place = kind.occupancy(listing, requests[code], now=now)
    assert kind.request_of(listing, place) == requests[code]
    assert kind.occupancy(listing, requests[code], now=now, present=place) == place
    window = Period(now - timedelta(days=1), now + timedelta(days=60))
    assert any(offered.contains(place.period) for offered in kind.offered(listing, window, now=now))
    amounts = {"PROPERTY": 20_000, "SERVICE": 10_000, "EVENT": 30_000, "PARKING_SPOT": 15_000}
    assert sum(line.amount.minor for line in kind.lines(listing, place, price=listing.price)) == amounts[code]


@pytest.mark.django_db
def test_a_field_of_another_kind_is_named() -> None:
    asked = BookingRequest(check_in=NOW.date(), tickets=1, starts_at=NOW)
    with refused(("INVALID", "check_in"), ("INVALID", "starts_at")):
        kind_named("EVENT").check_request(asked)


@pytest.mark.django_db
def test_a_page_of_a_search_asks_the_calendar_by_its_index_and_listing_by_listing() -> None:
    # Given some thousands of parking spots, each taken before and to be taken again
    now = datetime.now(UTC)
    spot = make_parking_spot()
    written = [field for field in Listing._meta.fields if not field.primary_key and not field.generated]
    columns = [str(field.column) for field in written]
    copied = ", ".join("title || number" if column == "title" else column for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO listings_listing ({', '.join(columns)})"
            f" SELECT {copied} FROM listings_listing, generate_series(1, 5000) AS number WHERE id = %s",
            [spot.pk],
        )
        cursor.execute(
            "INSERT INTO parking_parkingspot SELECT id, 'Road', 1440 FROM listings_listing WHERE id > %s", [spot.pk]
        )
        cursor.execute(
            "INSERT INTO availability_unit (listing_id, number, is_offered)"
            " SELECT id, 1, true FROM listings_listing WHERE id > %s",
            [spot.pk],
        )
        cursor.execute(
            "INSERT INTO availability_allocation (listing_id, unit_id, quantity, period, holder, is_active, created_at)"
            " SELECT listing_id, id, 1, tstzrange(%s + ago, %s + ago), id, true, %s FROM availability_unit, LATERAL"
            " (SELECT day * interval '1 day' + id %% 16 * interval '1 minute' AS ago"
            " FROM unnest(ARRAY[-4, -3, -2, -1, 0, 2, 3, 4, 5, 6]) AS day) AS days",
            [now, now + timedelta(hours=1), now],
        )
        cursor.execute("ANALYZE listings_listing, parking_parkingspot, availability_unit, availability_allocation")

    # When a page of what is free is asked of all kinds at once
    search = ListingSearch(free=Period(now + timedelta(days=1), now + timedelta(days=1, hours=2)))
    condition = Q()
    for kind in all_kinds():
        asked = filled(kind.asked(search, now=now) or {})
        condition |= Q(kind=kind.code) & kind.search_filter(asked) & kind.free_filter(asked)
    sql, values = Listing.objects.filter(condition).order_by("-pk").values("pk")[:21].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql, values)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    # Then nothing is worked out for all of them beforehand
    assert plan.count("allocation_taken_of_unit") == 3
    assert "hashed" not in plan
