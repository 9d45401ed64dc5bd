"""Statements of a search that were made once for all that look alike find what those do that are made anew."""

import random
from datetime import timedelta
from operator import attrgetter
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from pytest_django.fixtures import Settings

from apps.core import shapes
from apps.core.columns import EVERYTHING, Columns
from apps.core.keyset import Key, key_of
from apps.core.periods import Period
from apps.core.reads import INTEGER
from apps.core.shapes import Put, Shaped, filled
from apps.listings import pages
from apps.listings.asking import Question, ask
from apps.listings.kinds import all_kinds, kind_model, kind_of
from apps.listings.models import Listing
from apps.listings.pages import PAGE, Part
from apps.listings.ranking import ranking
from apps.listings.search import ListingOrder, ListingSearch, Near
from apps.listings.selectors import find_listings
from tests.listings.test_pages import nodes
from tests.listings.test_search import FILTERS, PRICES, STAYS
from tests.listings.world import MORNING, NOW, make_world

pytestmark = pytest.mark.django_db


def searches(dice: random.Random) -> ListingSearch:
    """With up to three things asked; prices and days each count as one."""
    asked: dict[str, Any] = {}
    for name in dice.sample([*FILTERS, "prices", "stay"], dice.randrange(4)):
        if name == "prices":
            asked |= dice.choice(PRICES)
        elif name == "stay":
            first = MORNING.date() + timedelta(days=dice.choice([-21, 0, 340, 460]))
            asked |= dice.choice([*STAYS, {"check_in": first, "check_out": first + timedelta(days=2)}])
        else:
            asked[name] = dice.choice(FILTERS[name])
    return ListingSearch(**asked)


EVERY_COLUMN = ["host__email", "host__joined_at", *(field.attname for field in Listing._meta.concrete_fields)]
EVERY_COLUMN += [
    f"{kind.relation}__{field.attname}" for kind in all_kinds() for field in kind_model(kind)._meta.concrete_fields
]


def shown_of(row: Any, shown: Columns) -> list[Any]:
    """What was read of a listing: of other kinds there is nothing."""
    own = {"host", kind_of(row).relation, ""}
    names = EVERY_COLUMN if shown == EVERYTHING else [*shown, "host_id", "kind"]
    return [
        attrgetter(name.replace("__", "."))(row)
        for name in sorted(names)
        if (name.partition("__")[0] if "__" in name else "") in own
    ]


def told(search: ListingSearch, order: ListingOrder, *, size: int, shown: Columns = EVERYTHING) -> list[Any]:
    """All that a search can be asked: its pages both ways, how many there are, and whether there is more."""
    found = find_listings(search=search, order=order, now=NOW)
    answers: list[Any] = [found.count()]
    for backwards in (False, True):
        place = None
        for _ in range(3):
            part = found.page(limit=size, place=place, backwards=backwards, shown=shown)
            answers.append(part.has_more)
            answers += [
                (row.pk, key_of(row, found.keys), getattr(row, "distance_km", None), *shown_of(row, shown))
                for row in part.rows
            ]
            if not part.rows:
                break
            place = key_of(part.rows[0 if backwards else -1], found.keys)
            answers += [found.exists(place, backwards, including) for including in (False, True)]
    return answers


def test_each_way_of_asking_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    make_world(seed=3, size=48)
    dice = random.Random(11)
    # Everything is prepared, and at once.
    monkeypatch.setattr(shapes, "PREPARED_AFTER", 0)
    monkeypatch.setattr(shapes, "MOST_PREPARED", 1000)
    for name, declare in (("PAGE", pages._page), ("LEVELS", pages._levels), ("COUNT", pages._count)):
        monkeypatch.setattr(f"apps.listings.selectors.{name}", Shaped(name, declare, is_steady=lambda *_: True))
    something = 0
    for _ in range(36):
        search = searches(dice)
        orders = [order for order in ListingOrder if order is not ListingOrder.DISTANCE or search.near is not None]
        order = dice.choice(orders)
        some = tuple(sorted(dice.sample(EVERY_COLUMN, dice.choice([0, 2, 9]))))
        shown = dice.choice([EVERYTHING, some, some])
        prepared = told(search, order, size=4, shown=shown)
        with override_settings(PREPARED_STATEMENTS=False):
            assert told(search, order, size=4, shown=shown) == prepared, (search, order)
        with override_settings(COMPILED_READS=False):
            assert told(search, order, size=4, shown=shown) == prepared, (search, order)
        something += prepared[0] > 0
    assert something > 15


def test_what_looks_alike_is_made_once_and_holds_for_other_values(settings: Settings) -> None:
    make_world(seed=5, size=30)
    settings.COMPILED_READS = True
    # Others may have asked such before.
    PAGE._made.clear()

    def around(near: Near) -> set[int]:
        found = find_listings(search=ListingSearch(near=near), order=ListingOrder.NEWEST, now=NOW)
        return {row.pk for row in found.page(limit=50).rows}

    in_berlin, in_suva = around(Near(52.5, 13.4, 100)), around(Near(-18.1, 178.4, 100))
    assert in_berlin
    assert in_suva
    assert not in_berlin & in_suva
    around(Near(1, 2, 3))
    assert len(PAGE._made) == 1
    # What lies on both sides of the antimeridian is asked for otherwise.
    around(Near(-18.1, 179.9, 100))
    assert len(PAGE._made) == 2


def sorts(question: Question, keys: tuple[Key, ...], puts: dict[str, Put], *, backwards: bool) -> list[str]:
    """What the page must sort where sorting is thought to be dearer than anything."""
    made = pages._page(question, keys, Part(), backwards, SHOWN, filled({**puts, "limit": Put(21, INTEGER)}))
    assert made is not None
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {made[0]}", made[1])
        plan = cursor.fetchone()[0][0]["Plan"]
    return [node["Node Type"] for node in nodes(plan) if "Sort" in node["Node Type"]]


SHOWN = ("title", "host__first_name", "property__max_guests")
WALKS = [order for order in ListingOrder if order is not ListingOrder.DISTANCE]


@pytest.mark.parametrize("order", WALKS)
def test_what_is_prepared_is_walked_in_the_order_of_an_index_whatever_is_asked_for(order: ListingOrder) -> None:
    """One plan for all values is right only where no other could be better for some."""
    free = Period(MORNING, MORNING + timedelta(hours=2))
    values: dict[str, Any] = {
        "city": "Berlin",
        "currency": "EUR",
        "min_price_minor": 5,
        "max_price_minor": 500,
        "min_rating": 3.0,
        "host_id": 5,
        "free": free,
        "starts_after": MORNING,
        "amenities": ("wifi",),
    }
    names = list(values)
    steady = 0
    for number in range(2 ** len(names)):
        asked = {name: values[name] for bit, name in enumerate(names) if number & 1 << bit}
        search = ListingSearch(**asked)
        keys = ranking(order, has_words=False, has_currency=bool(search.currency), is_near=False, has_start=True)
        taken = ask(search, words=[], by_distance=False, now=NOW)
        if taken is None:
            continue
        question, puts = taken
        for backwards in (False, True):
            if not pages._is_walked(question, keys, Part(), backwards, SHOWN, filled(puts)):
                continue
            steady += 1
            assert not {"starts_after", "amenities", "host_id"} & asked.keys()
            assert sorts(question, keys, puts, backwards=backwards) == [], (search, order)
    assert bool(steady) == (order is not ListingOrder.STARTS_AT)


@pytest.mark.parametrize("order", [ListingOrder.NEWEST, ListingOrder.PRICE_ASC, ListingOrder.RATING_DESC])
def test_the_plan_of_what_is_prepared_is_kept(order: ListingOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it looked dearer than one made for the values, PostgreSQL would make one each time."""
    make_world(seed=5, size=30)
    page = Shaped("kept", pages._page, is_steady=pages._is_walked)
    monkeypatch.setattr("apps.listings.selectors.PAGE", page)
    first = MORNING.date() + timedelta(days=9)
    with connection.cursor() as cursor:
        # So many that reading a tenth of them is out of the question.
        for table in ("listings_listing", "users_user", "property_property", "availability_unit"):
            cursor.execute(f"ANALYZE {table}")
            cursor.execute(
                "UPDATE pg_class SET reltuples = 200000, relpages = pg_relation_size(oid) / 8192 WHERE oid = %s::regclass",
                [table],
            )
    currency = "EUR" if order is ListingOrder.PRICE_ASC else ""
    for search in (
        ListingSearch(currency=currency),
        ListingSearch(currency=currency, check_in=first, check_out=first + timedelta(days=2)),
    ):
        for _ in range(shapes.PREPARED_AFTER + 8):
            assert find_listings(search=search, order=order, now=NOW).page(limit=2, shown=SHOWN).rows
    names = [made.prepared.name for made in page._made.values() if made is not None and made.prepared is not None]
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans FROM pg_prepared_statements WHERE name = ANY (%s)", [names])
        assert [kept >= 2 for (kept,) in cursor.fetchall()] == [True, True]
