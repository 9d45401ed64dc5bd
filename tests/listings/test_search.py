"""Searches against the oracle: every filter and every order, alone and in combination, in pages both ways."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from apps.core.periods import Period
from apps.listings.models import Listing
from apps.listings.search import Box, ListingOrder, ListingSearch, Near
from apps.listings.selectors import find_listings
from tests.kept import undone_in_the_end
from tests.listings import oracle
from tests.listings.paging import all_pages
from tests.listings.world import AMENITIES, MORNING, NOW, make_world, taken_by_unit

BERLIN = Near(latitude=52.5, longitude=13.4, radius_km=5)

FILTERS: dict[str, list[Any]] = {
    "kinds": [frozenset({"EVENT"}), frozenset({"PROPERTY", "PARKING_SPOT"}), frozenset({"SERVICE"})],
    "text": ["harbour", "harbor cottage", "gardn", "quiet flat", "cot", "long", "xyzzyx", "ha"],
    "city": ["BERLIN", "suva", "Atlantis"],
    "near": [
        BERLIN,
        Near(52.5, 13.4, 0),
        Near(-17.0, 179.0, 200),
        Near(-17.0, -179.99, 300),
        Near(90.0, 0.0, 20),
        Near(-89.9, 120.0, 12),
        Near(0.0, 0.0, 20_100),
        Near(10.0, -100.0, 15_000),
    ],
    "box": [
        Box(52.5, 13.4, 52.6, 13.5),
        Box(-20, 178, -10, -179),
        Box(-20, -180, -10, -179),
        Box(-90, -180, 90, 180),
        Box(0, 0, 0, 0),
        Box(-20, 180, -10, 180),
    ],
    "min_rating": [0, 3.0, 4.5, 5],
    "guests": [2, 5],
    "tickets": [1, 2, 51],
    "amenities": [("wifi",), ("wifi", "pool"), tuple(AMENITIES)],
    "free": [
        Period(MORNING, MORNING + timedelta(hours=1)),
        Period(MORNING + timedelta(hours=4), MORNING + timedelta(hours=30)),
        Period(MORNING - timedelta(days=1), MORNING + timedelta(days=12)),
    ],
    "starts_after": [MORNING, MORNING + timedelta(hours=1)],
    "starts_before": [MORNING + timedelta(hours=3), MORNING + timedelta(days=30)],
}
PRICES: list[dict[str, Any]] = [
    {"currency": "EUR"},
    {"currency": "EUR", "min_price_minor": 1000},
    {"currency": "USD", "max_price_minor": 1000},
    {"currency": "EUR", "min_price_minor": 2500, "max_price_minor": 10_000_000_000},
]
STAYS: list[dict[str, Any]] = [
    {"check_in": MORNING.date(), "check_out": MORNING.date() + timedelta(days=nights)} for nights in (1, 3, 366)
]

Check = Callable[[ListingSearch, ListingOrder], list[int]]


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[list[Listing]]:
    """Made once: no test here writes."""
    with undone_in_the_end(django_db_blocker):
        yield make_world(seed=7, size=90)


@pytest.fixture
def check(db: None, world: list[Listing]) -> Check:
    listings = world
    taken = taken_by_unit()

    def compare(search: ListingSearch, order: ListingOrder) -> list[int]:
        right = oracle.expected(search, order, listings, taken=taken, now=NOW)
        found = find_listings(search=search, order=order, now=NOW)
        whole = [listing.pk for listing in found.page(limit=100).rows]
        assert whole == right, (search, order)
        assert all_pages(found, size=3, backwards=False) == right, (search, order)
        assert all_pages(found, size=4, backwards=True) == right, (search, order)
        assert found.count() == len(right)
        return right

    return compare


def test_every_filter_alone_agrees_with_the_oracle(check: Check) -> None:
    searches = [ListingSearch(**{name: value}) for name, values in FILTERS.items() for value in values]
    searches += [ListingSearch(**fields) for fields in (*PRICES, *STAYS)]
    hits = {}
    for search in searches:
        hits[search] = len(check(search, ListingOrder.RELEVANCE))
    # An oracle that finds nothing agrees too easily.
    assert sum(count > 0 for count in hits.values()) > len(hits) * 0.7


@pytest.mark.parametrize("order", ListingOrder)
def test_every_order_agrees_with_the_oracle(check: Check, order: ListingOrder) -> None:
    wide = Near(latitude=20.0, longitude=100.0, radius_km=20_100)
    searches = [
        ListingSearch(near=wide),
        ListingSearch(near=wide, currency="EUR"),
        ListingSearch(near=wide, text="quiet garden"),
        ListingSearch(near=wide, kinds=frozenset({"EVENT"})),
        ListingSearch(near=wide, kinds=frozenset({"PROPERTY"})),
    ]
    if order is not ListingOrder.DISTANCE:
        searches.append(ListingSearch())
    for search in searches:
        assert check(search, order)


@pytest.mark.parametrize("seed", range(4))
def test_combinations_agree_with_the_oracle(check: Check, seed: int) -> None:
    dice = random.Random(seed)
    names = [*FILTERS, "prices", "stay"]
    for _ in range(30):
        fields: dict[str, Any] = {}
        for name in dice.sample(names, dice.choice([2, 2, 3, 4])):
            match name:
                case "prices":
                    fields.update(dice.choice(PRICES))
                case "stay":
                    fields.update(dice.choice(STAYS))
                case _:
                    fields[name] = dice.choice(FILTERS[name])
        orders = [order for order in ListingOrder if order is not ListingOrder.DISTANCE or "near" in fields]
        check(ListingSearch(**fields), dice.choice(orders))


@pytest.mark.parametrize("frequent", [0.0, 2.0], ids=["walked", "gathered"])
def test_words_agree_with_the_oracle_however_frequent_they_are(
    check: Check, monkeypatch: pytest.MonkeyPatch, frequent: float
) -> None:
    monkeypatch.setattr("apps.listings.selectors.FREQUENT", frequent)
    for text in ["harbour", "gardn", "quiet flat", "cot", "ha"]:
        assert check(ListingSearch(text=text), ListingOrder.RELEVANCE) or text == "ha"
    free = Period(MORNING, MORNING + timedelta(hours=1))
    for search in (ListingSearch(text="flat", city="berlin"), ListingSearch(text="garden", free=free)):
        assert check(search, ListingOrder.RELEVANCE)


def test_distance_is_the_number_that_was_compared(check: Check) -> None:
    far = find_listings(search=ListingSearch(near=Near(52.5, 13.4, 60)), order=ListingOrder.DISTANCE, now=NOW)
    rows = far.page(limit=100).rows
    distances = [listing.distance_km for listing in rows]  # type: ignore[attr-defined]
    assert distances == sorted(distances)
    assert distances[0] == 0.0
    for listing, distance in zip(rows, distances, strict=True):
        assert distance == pytest.approx(oracle.distance_km(Near(52.5, 13.4, 60), listing), rel=1e-9, abs=1e-9)
    rim = distances[-1]
    assert rim > 0
    # The rim belongs to it, one step of a float inside of it does not.
    inclusive = find_listings(search=ListingSearch(near=Near(52.5, 13.4, rim)), order=ListingOrder.NEWEST, now=NOW)
    assert inclusive.count() == len(rows)
    less = find_listings(
        search=ListingSearch(near=Near(52.5, 13.4, rim * (1 - 1e-12))), order=ListingOrder.NEWEST, now=NOW
    )
    assert less.count() == distances.index(rim)


def test_a_page_costs_one_statement_and_one_more_with_text(check: Check) -> None:
    for text, most in (("", 1), ("garden harbuor", 2)):
        for size in (1, 20, 100):
            with CaptureQueriesContext(connection) as statements:
                rows = (
                    find_listings(search=ListingSearch(text=text), order=ListingOrder.RELEVANCE, now=NOW)
                    .page(limit=size)
                    .rows
                )
                hosts = {(listing.host.email, listing.kind) for listing in rows}
                for listing in rows:
                    assert getattr(listing, {"PARKING_SPOT": "parking_spot"}.get(listing.kind, listing.kind.lower()))
            assert hosts or text
            assert len(statements) <= most


def test_what_is_not_published_is_never_found(check: Check) -> None:
    shown = {
        listing.pk
        for listing in find_listings(search=ListingSearch(), order=ListingOrder.NEWEST, now=NOW).page(limit=100).rows
    }
    hidden = set(Listing.objects.exclude(status="PUBLISHED", deleted_at=None).values_list("pk", flat=True))
    assert hidden
    assert not shown & hidden
    assert shown | hidden == set(Listing.objects.values_list("pk", flat=True))
    assert any(pk > 2**31 for pk in shown)
