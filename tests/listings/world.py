"""A small world of listings of all kinds, with everything that a search can be wrong about: ties, nulls, rims, meridians."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from apps.availability.actions import allocate
from apps.availability.models import Allocation
from apps.core.periods import Period
from apps.listings.models import Listing, ListingStatus
from apps.users.models import User
from tests.recipes import MAKE, make_host

NOW = datetime.now(UTC).replace(microsecond=0)
MORNING = (NOW + timedelta(days=20)).replace(hour=8, minute=0, second=0)

TITLES = [
    "Harbour cottage",
    "Cottage by the harbor",
    "Quiet garden flat",
    "Garden party",
    "The Long Room",
    "Sunny flat",
]
TEXTS = ["Near the station.", "Quiet, sunny, with a garden.", "Cottages all around; the harbour is close.", ""]
CITIES = [("Berlin", "EUR"), ("berlin", "EUR"), ("Berlin Mitte", "EUR"), ("Suva", "FJD"), ("", "USD")]
PLACES = [
    (52.5, 13.4),
    (52.5, 13.4),
    (52.51, 13.41),
    (52.9, 13.0),
    (-18.1, 178.4),
    (-17.0, 180.0),
    (-16.8, -179.9),
    (89.9, 10.0),
    (89.9, -170.0),
    (-90.0, 0.0),
    (0.0, 0.0),
    (None, None),
]
AMENITIES = ["wifi", "pool", "parking", "kitchen"]


def _own_fields(kind: str, dice: random.Random) -> dict[str, Any]:
    match kind:
        case "PROPERTY":
            return {
                "units": dice.choice([1, 1, 2]),
                "property__max_guests": dice.choice([1, 2, 4]),
                "property__min_nights": dice.choice([1, 1, 3]),
                "property__amenities": dice.sample(AMENITIES, dice.randrange(4)),
            }
        case "EVENT":
            return {
                "tickets": dice.choice([1, 2, 50]),
                "starts_at": MORNING + timedelta(hours=dice.choice([-24, 0, 0, 3, 48, 240])),
            }
        case "PARKING_SPOT":
            return {"parking_spot__max_minutes": dice.choice([60, 1440])}
        case _:
            return {}


def make_world(*, seed: int, size: int) -> list[Listing]:
    """The listings, a few of them with a number that no 32-bit integer holds. Some are drafts, archived or deleted."""
    dice = random.Random(seed)
    hosts: list[User] = [make_host() for _ in range(3)]
    made = []
    for number in range(size):
        kind = dice.choice(list(MAKE))
        city, currency = dice.choice(CITIES)
        latitude, longitude = dice.choice(PLACES[:-1] if kind == "PARKING_SPOT" else PLACES)
        ratings = dice.choice([0, 0, 1, 2, 3])
        fields: dict[str, Any] = {
            "host": dice.choice(hosts),
            "status": dice.choices(list(ListingStatus), weights=[1, 10, 1])[0],
            "title": f"{dice.choice(TITLES)} {number}",
            "description": dice.choice(TEXTS),
            "city": city,
            "currency": currency,
            "latitude": latitude,
            "longitude": longitude,
            "price_minor": dice.choice([0, 1000, 1000, 2500, 10_000_000_000]),
            "rating_count": ratings,
            "rating_sum": ratings * dice.choice([3, 4, 5]) - (1 if ratings > 1 else 0),
            "created_at": NOW - timedelta(days=dice.choice([1, 1, 2, 300])),
            "deleted_at": NOW if dice.random() < 0.05 else None,
        }
        if dice.random() < 0.2:
            fields["id"] = 2**40 + number
        made.append(MAKE[kind](**fields, **_own_fields(kind, dice)))
    _take_places(made, dice)
    relations = ("property", "service", "event", "parking_spot", "stock")
    return list(
        Listing.objects.filter(pk__in=[listing.pk for listing in made])
        .select_related(*relations)
        .prefetch_related("exclusive_units")
    )


@transaction.atomic
def _take_places(listings: list[Listing], dice: random.Random) -> None:
    for listing in listings:
        if dice.random() < 0.6:
            start = MORNING + timedelta(hours=dice.choice([-30, 0, 6, 24]))
            tickets = 1 if listing.kind == "EVENT" else None
            # A hold that has run out takes nothing.
            until = dice.choice([None, NOW + timedelta(hours=1), NOW - timedelta(hours=1)]) if tickets is None else None
            allocate(
                listing_id=listing.pk,
                period=Period(start, start + timedelta(hours=dice.choice([4, 72]))),
                quantity=tickets,
                holder=None,
                held_until=until,
                now=NOW - timedelta(days=1),
            )


def taken_by_unit() -> dict[int, list[Period]]:
    """What is taken of each unit now."""
    taken: dict[int, list[Period]] = {}
    for row in Allocation.objects.filter(is_active=True, unit__isnull=False):
        if row.held_until is None or row.held_until > NOW:
            assert row.unit_id is not None
            taken.setdefault(row.unit_id, []).append(row.occupied)
    return taken
