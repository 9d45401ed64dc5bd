"""Creating a listing: defaults, bounds, every wrong field at once, and nothing written when it is refused."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.availability.models import Stock, Unit
from apps.core.money import Money
from apps.hosting.actions import create_listing
from apps.listings.models import Listing
from tests.hosting.inputs import BERLIN, NOW, RIGHT, place, refusals
from tests.recipes import make_host

pytestmark = pytest.mark.django_db


def create(kind: str, **changes: Any) -> Listing:
    return create_listing(host=make_host(), kind_code=kind, fields={**RIGHT[kind], **changes}, now=NOW)


@pytest.mark.parametrize("kind", sorted(RIGHT))
def test_a_new_listing_is_a_draft_with_defaults(kind: str) -> None:
    listing = create(kind)
    assert (listing.status, listing.cancellation_policy, listing.description) == ("DRAFT", "FLEXIBLE", "")
    assert (listing.price, listing.time_zone, listing.region) == (Money(12_000, "EUR"), "Europe/Berlin", "")
    assert (listing.rating_average, listing.rating_count) == (None, 0)


def test_a_property_begins_with_its_defaults_and_its_units() -> None:
    own = create("PROPERTY", units=3).property
    assert (own.bedrooms, own.beds, own.bathrooms, own.amenities) == (1, 1, Decimal(1), [])
    assert (own.check_in_time, own.check_out_time, own.min_nights, own.max_nights) == (time(15), time(11), 1, 365)
    assert own.cleaning_fee_minor is None
    assert Unit.objects.filter(listing=own.pk, is_offered=True).count() == 3


def test_the_other_kinds_have_what_they_sell() -> None:
    assert Unit.objects.filter(listing=create("SERVICE", staff=2)).count() == 2
    assert Unit.objects.filter(listing=create("PARKING_SPOT")).count() == 1
    stock = Stock.objects.get(pk=create("EVENT").pk)
    assert (stock.capacity, stock.taken) == (10, 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"title": " \n "}, {("REQUIRED", "title")}),
        ({"title": "x" * 201}, {("INVALID", "title")}),
        ({"title": "a\x00b"}, {("INVALID", "title")}),
        ({"description": "x" * 20_001}, {("INVALID", "description")}),
        ({"description": "bell \x07"}, {("INVALID", "description")}),
        ({"price": Money(-1, "EUR")}, {("INVALID", "price.amount_minor")}),
        ({"price": Money(10_000_000_001, "EUR")}, {("INVALID", "price.amount_minor")}),
        ({"price": Money(1, "eur")}, {("INVALID", "price.currency")}),
        ({"price": Money(1, "XTS")}, {("INVALID", "price.currency")}),
        ({"price": Money(-1, "")}, {("INVALID", "price.amount_minor"), ("INVALID", "price.currency")}),
        ({"cancellation_policy": "LAX"}, {("INVALID", "cancellation_policy")}),
        ({"location": place(time_zone="Mars/Olympus")}, {("INVALID", "location.time_zone")}),
        ({"location": place(time_zone=" ")}, {("REQUIRED", "location.time_zone")}),
        ({"location": place(time_zone="../../etc/passwd")}, {("INVALID", "location.time_zone")}),
        ({"location": place(latitude=90.01)}, {("INVALID", "location.latitude")}),
        ({"location": place(latitude=float("nan"))}, {("INVALID", "location.latitude")}),
        ({"location": place(longitude=-180.0)}, {("INVALID", "location.longitude")}),
        ({"location": place(longitude=float("inf"))}, {("INVALID", "location.longitude")}),
        ({"location": place(longitude=...)}, {("INVALID", "location.longitude")}),
        ({"location": place(latitude=None)}, {("INVALID", "location.latitude")}),
        ({"location": place(address="x" * 301)}, {("INVALID", "location.address")}),
        ({"location": place(city="x" * 121)}, {("INVALID", "location.city")}),
    ],
)
@pytest.mark.parametrize("kind", ["PROPERTY", "EVENT"])
def test_a_wrong_shared_field_is_refused_where_it_is(kind: str, changes: dict[str, Any], expected: set[Any]) -> None:
    host = make_host()
    arguments = {"host": host, "kind_code": kind, "fields": {**RIGHT[kind], **changes}, "now": NOW}
    assert refusals(create_listing, **arguments) == expected
    assert not Listing.objects.filter(host=host).exists()


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("PROPERTY", {"max_guests": 0}, {("INVALID", "max_guests")}),
        ("PROPERTY", {"units": 501}, {("INVALID", "units")}),
        ("PROPERTY", {"units": -(2**31)}, {("INVALID", "units")}),
        ("PROPERTY", {"check_in_time": time(10)}, {("INVALID", "check_out_time")}),
        ("PROPERTY", {"cleaning_fee": Money(1, "USD")}, {("INVALID", "cleaning_fee.currency")}),
        ("PROPERTY", {"cleaning_fee": Money(-1, "EUR")}, {("INVALID", "cleaning_fee.amount_minor")}),
        ("SERVICE", {"opening_hours": []}, {("INVALID", "opening_hours")}),
        ("SERVICE", {"duration_minutes": 0}, {("INVALID", "duration_minutes")}),
        ("EVENT", {"starts_at": NOW - timedelta(days=1)}, {("INVALID", "starts_at")}),
        ("EVENT", {"ends_at": RIGHT["EVENT"]["starts_at"]}, {("INVALID", "ends_at")}),
        ("EVENT", {"total_tickets": 1_000_001}, {("INVALID", "total_tickets")}),
        ("PARKING_SPOT", {"street": "  "}, {("REQUIRED", "street")}),
        ("PARKING_SPOT", {"max_minutes": 43_201}, {("INVALID", "max_minutes")}),
        ("PARKING_SPOT", {"location": place(longitude=None)}, {("REQUIRED", "location.longitude")}),
        (
            "PARKING_SPOT",
            {"location": place(latitude=..., longitude=...)},
            {("REQUIRED", "location.latitude"), ("REQUIRED", "location.longitude")},
        ),
    ],
)
def test_a_wrong_field_of_the_kind_is_refused_where_it_is(kind: str, changes: Any, expected: set[Any]) -> None:
    host = make_host()
    arguments = {"host": host, "kind_code": kind, "fields": {**RIGHT[kind], **changes}, "now": NOW}
    assert refusals(create_listing, **arguments) == expected
    assert not Listing.objects.filter(host=host).exists()
    assert not Unit.objects.filter(listing__host=host).exists()


def test_all_wrong_fields_are_told_at_once_also_a_taken_title() -> None:
    host = make_host()
    create_listing(host=host, kind_code="PROPERTY", fields=RIGHT["PROPERTY"], now=NOW)
    wrong = {**RIGHT["PROPERTY"], "title": "BY THE LAKE", "price": Money(-5, "EUR"), "max_guests": 101}
    assert refusals(create_listing, host=host, kind_code="PROPERTY", fields=wrong, now=NOW) == {
        ("DUPLICATE", "title"),
        ("INVALID", "price.amount_minor"),
        ("INVALID", "max_guests"),
    }


def test_a_title_is_taken_for_one_host_and_kind_in_any_case_until_it_is_archived() -> None:
    host = make_host()
    first = create_listing(host=host, kind_code="PROPERTY", fields=RIGHT["PROPERTY"], now=NOW)
    again = {**RIGHT["PROPERTY"], "title": " by the LAKE "}
    assert refusals(create_listing, host=host, kind_code="PROPERTY", fields=again, now=NOW) == {("DUPLICATE", "title")}
    create_listing(host=host, kind_code="EVENT", fields=RIGHT["EVENT"], now=NOW)
    create_listing(host=make_host(), kind_code="PROPERTY", fields=again, now=NOW)
    Listing.objects.filter(pk=first.pk).update(status="ARCHIVED")
    assert create_listing(host=host, kind_code="PROPERTY", fields=again, now=NOW).title == "by the LAKE"


def test_null_in_a_new_listing_is_the_default() -> None:
    listing = create("PROPERTY", description=None, cancellation_policy=None, units=None, cleaning_fee=None)
    assert (listing.description, listing.cancellation_policy, listing.property.units) == ("", "FLEXIBLE", 1)


def test_markup_comes_back_as_it_went_in() -> None:
    nasty = "<script>alert('1')</script> '; DROP TABLE users; -- %s {{ 7*7 }} \u202e\U0001f3e0"
    assert create("PROPERTY", title=nasty, location={**BERLIN, "city": nasty}).title == nasty
