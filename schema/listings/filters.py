"""What a search of listings can be asked, read into the terms of the business.

What is half, out of range or nonsense is BAD_USER_INPUT at the top level. What merely finds nothing is no error: an unknown host, a
city that nobody is in, a text of emoji.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from math import isfinite
from typing import Any

import graphene

from apps.core.money import is_currency
from apps.core.periods import Period
from apps.listings.search import Box, ListingOrder, ListingSearch, Near
from schema.core.errors import BadUserInput
from schema.core.ids import read_global_id
from schema.core.scalars import BigInt, Date, DateTime
from schema.listings.types import KM_PER_MILE
from schema.listings.values import DistanceUnit, ListingKind, enum_of

MOST_STARS = 5
MOST_AMENITIES = 100
# No row has this key: what was asked for with an id that nothing has finds nothing.
NOBODY = 0

ORDERS = {
    ListingOrder.RELEVANCE: "The most alike to the text first, then the newest; without a text the newest first.",
    ListingOrder.PRICE_ASC: "The cheapest first; without a currency in the filter, by currency and then price.",
    ListingOrder.PRICE_DESC: "The dearest first; without a currency in the filter, by currency and then price.",
    ListingOrder.RATING_DESC: "The best rated first, the unrated last.",
    ListingOrder.DISTANCE: "The nearest to the place of the filter first.",
    ListingOrder.NEWEST: "The newest first.",
    ListingOrder.STARTS_AT: "Events first, by their start; what is always there last, the newest first.",
}
ListingOrderEnum = enum_of(
    "ListingOrder", "In which order listings come.", {order.value: text for order, text in ORDERS.items()}
)


class NearInput(graphene.InputObjectType):
    """A place and how far from it, along the surface of the earth; the rim is part of it."""

    latitude = graphene.Float(required=True, description="Degrees north of the equator, from -90 to 90.")
    longitude = graphene.Float(required=True, description="Degrees east of Greenwich, from -180 to 180.")
    distance = graphene.Float(required=True, description="The greatest distance, not negative.")
    unit = graphene.Field(DistanceUnit, required=True, default_value="KM", description="In what the distance is told.")


class BoxInput(graphene.InputObjectType):
    """A map section with its rim. West of 170 and east of -170 is one that crosses the antimeridian."""

    south = graphene.Float(required=True, description="The lowest latitude, from -90 to 90.")
    west = graphene.Float(required=True, description="The longitude of the left side, from -180 to 180.")
    north = graphene.Float(required=True, description="The highest latitude, from -90 to 90.")
    east = graphene.Float(required=True, description="The longitude of the right side, from -180 to 180.")


class ListingFilter(graphene.InputObjectType):
    """What listings must be like; all of it at once. What only some kinds know leaves the other kinds out."""

    kind = graphene.List(graphene.NonNull(ListingKind), description="Of one of these kinds; none given: of any.")
    text = graphene.String(
        description="Words that title, description or city must all contain; one typing error in a longer word is forgiven."
    )
    city = graphene.String(description="In this city, whatever the case of its letters.")
    host_id = graphene.ID(description="Of this host.")
    near = graphene.Field(NearInput, description="At most so far from a place.")
    box = graphene.Field(BoxInput, description="Inside a map section.")
    min_price_minor = BigInt(
        description="A unit costs at least this, in minor units of the currency, which must be given."
    )
    max_price_minor = BigInt(
        description="A unit costs at most this, in minor units of the currency, which must be given."
    )
    currency = graphene.String(description="Priced in this currency, an ISO 4217 code in upper case.")
    min_rating = graphene.Float(description="Rated at least so, from 0 to 5; the unrated never are.")
    guests = graphene.Int(description="Room for so many guests; homes only.")
    tickets = graphene.Int(description="So many tickets left; events only.")
    amenities = graphene.List(graphene.NonNull(graphene.String), description="Has all of these; homes only.")
    available_from = DateTime(
        description="Free from here to availableTo as a whole; a service has a free slot inside, an event takes place inside."
    )
    available_to = DateTime(description="The end of the period that begins with availableFrom.")
    check_in = Date(description="Free for the nights from this day to checkOut; homes only.")
    check_out = Date(description="The day of departure that goes with checkIn.")
    starts_after = DateTime(description="Begins then or later; events only.")
    starts_before = DateTime(description="Begins before then; events only.")


def read_search(given: Mapping[str, Any] | None) -> ListingSearch:
    """The search that a filter asks for; null in it is the same as leaving it out. Raises BadUserInput."""
    asked = {name: value for name, value in (given or {}).items() if value is not None}
    kinds = frozenset(_name(kind) for kind in asked.get("kind", ()))
    return ListingSearch(
        kinds=kinds or None,
        text=asked.get("text", "").strip(),
        city=_text(asked, "city"),
        host_id=_host_id(asked),
        near=read_near(asked["near"]) if "near" in asked else None,
        box=read_box(asked["box"]) if "box" in asked else None,
        **_prices(asked),
        min_rating=_rating(asked),
        guests=_number(asked, "guests"),
        tickets=_number(asked, "tickets"),
        amenities=_amenities(asked),
        free=_free(asked),
        **_pair(asked, "check_in", "check_out"),
        **_starts(asked),
    )


def read_order(given: Any, search: ListingSearch) -> ListingOrder:
    """The order; null is the same as leaving it out. Raises BadUserInput for the distance from nowhere."""
    order = ListingOrder.RELEVANCE if given is None else ListingOrder(_name(given))
    _require(
        order is not ListingOrder.DISTANCE or search.near is not None, "The order DISTANCE needs near in the filter."
    )
    return order


def read_near(given: Mapping[str, Any]) -> Near:
    """The place and its reach in kilometres. Raises BadUserInput for what is not on earth, and for a negative reach."""
    latitude, longitude, distance = given["latitude"], given["longitude"], given["distance"]
    _require(_is_latitude(latitude), "near.latitude must be from -90 to 90.")
    _require(_is_longitude(longitude), "near.longitude must be from -180 to 180.")
    _require(isfinite(distance) and distance >= 0, "near.distance must not be negative.")
    return Near(
        latitude=latitude,
        longitude=longitude,
        radius_km=distance * KM_PER_MILE if _name(given["unit"]) == "MI" else distance,
    )


def read_box(given: Mapping[str, Any]) -> Box:
    """The map section. Raises BadUserInput for what is not on earth, and where south is north of north."""
    _require(_is_latitude(given["south"]) and _is_latitude(given["north"]), "Latitudes of box must be from -90 to 90.")
    _require(
        _is_longitude(given["west"]) and _is_longitude(given["east"]), "Longitudes of box must be from -180 to 180."
    )
    _require(given["south"] <= given["north"], "box.south must not be north of box.north.")
    return Box(south=given["south"], west=given["west"], north=given["north"], east=given["east"])


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadUserInput(message)


def _name(value: Any) -> str:
    return str(getattr(value, "value", value))


@cache
def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _is_latitude(value: float) -> bool:
    return -90 <= value <= 90


def _is_longitude(value: float) -> bool:
    return -180 <= value <= 180


def _is_readable(text: str) -> bool:
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def _text(asked: Mapping[str, Any], name: str) -> str:
    text: str = asked.get(name, "").strip()
    _require(_is_readable(text), f"{_camel(name)} must not contain control characters.")
    return text


def _host_id(asked: Mapping[str, Any]) -> int | None:
    return (read_global_id(asked["host_id"], "User") or NOBODY) if "host_id" in asked else None


def _prices(asked: Mapping[str, Any]) -> dict[str, Any]:
    lowest, highest, currency = asked.get("min_price_minor"), asked.get("max_price_minor"), asked.get("currency")
    _require(currency is None or is_currency(currency), "currency must be an ISO 4217 code in upper case.")
    _require(
        currency is not None or (lowest is None and highest is None), "minPriceMinor and maxPriceMinor need a currency."
    )
    _require(lowest is None or lowest >= 0, "minPriceMinor must not be negative.")
    _require(highest is None or highest >= 0, "maxPriceMinor must not be negative.")
    _require(lowest is None or highest is None or lowest <= highest, "minPriceMinor must not be above maxPriceMinor.")
    return {"min_price_minor": lowest, "max_price_minor": highest, "currency": currency or ""}


def _rating(asked: Mapping[str, Any]) -> float | None:
    rating: float | None = asked.get("min_rating")
    _require(rating is None or 0 <= rating <= MOST_STARS, f"minRating must be from 0 to {MOST_STARS}.")
    return rating


def _number(asked: Mapping[str, Any], name: str) -> int | None:
    number: int | None = asked.get(name)
    _require(number is None or number >= 1, f"{_camel(name)} must be at least 1.")
    return number


def _amenities(asked: Mapping[str, Any]) -> tuple[str, ...]:
    amenities = [each.strip() for each in asked.get("amenities", ())]
    _require(len(amenities) <= MOST_AMENITIES, f"At most {MOST_AMENITIES} amenities can be asked for.")
    _require(all(each and _is_readable(each) for each in amenities), "amenities must not be blank.")
    return tuple(dict.fromkeys(amenities))


def _pair(asked: Mapping[str, Any], first: str, last: str) -> dict[str, Any]:
    """Both or none, and in their order."""
    start: date | datetime | None = asked.get(first)
    end: Any = asked.get(last)
    _require((start is None) == (end is None), f"Give {_camel(first)} and {_camel(last)} together.")
    _require(start is None or start < end, f"{_camel(last)} must be after {_camel(first)}.")
    return {first: start, last: end}


def _free(asked: Mapping[str, Any]) -> Period | None:
    start, end = _pair(asked, "available_from", "available_to").values()
    return None if start is None else Period(start, end)


def _starts(asked: Mapping[str, Any]) -> dict[str, Any]:
    after, before = asked.get("starts_after"), asked.get("starts_before")
    _require(after is None or before is None or after < before, "startsBefore must be after startsAfter.")
    return {"starts_after": after, "starts_before": before}
