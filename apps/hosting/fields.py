"""The fields that listings of all kinds share, checked. The kind checks its own."""

import math
from collections.abc import Mapping
from copy import copy
from datetime import datetime
from typing import Any

from apps.core.errors import Collector, Invalid, Required
from apps.core.money import LARGEST_PRICE, Money, is_currency
from apps.core.periods import is_time_zone
from apps.core.texts import clean_text
from apps.listings.kinds import Kind
from apps.listings.models import CancellationPolicy, Listing

COMMON = frozenset({"title", "description", "location", "price", "cancellation_policy"})
# Longest texts of a location, in characters.
PLACE_TEXTS = {"address": 300, "city": 120, "region": 120, "country": 120}
COORDINATES = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 180.0)}
ANY_ZONE = "UTC"
ANY_CURRENCY = "XXX"


def clean_listing(
    listing: Listing, fields: Mapping[str, Any], *, kind: Kind, is_new: bool, now: datetime
) -> tuple[Listing, dict[str, Any]]:
    """A copy of the listing with the checked common fields, and the kind's checked part.

    `fields` holds what was given: None means null, which in an update clears what can be empty and is refused
    elsewhere, and in a new listing stands for the default. Money is Money, `location` is a mapping. Raises InputErrors
    with every wrong field of both parts.
    """
    given = {name: value for name, value in fields.items() if value is not None or not is_new}
    problems = Collector()
    cleaned = copy(listing)
    _clean_texts(cleaned, given, is_new=is_new, problems=problems)
    _clean_price(cleaned, given, is_new=is_new, problems=problems)
    _clean_location(cleaned, given, is_new=is_new, needs_coordinates=kind.needs_coordinates, problems=problems)
    details: dict[str, Any] = {}
    with problems.caught():
        details = kind.clean_details(
            {name: value for name, value in given.items() if name not in COMMON},
            existing=None if is_new else kind.details(listing),
            listing=cleaned,
            now=now,
        )
    problems.raise_if_any()
    return cleaned, details


def _clean_texts(cleaned: Listing, given: Mapping[str, Any], *, is_new: bool, problems: Collector) -> None:
    if is_new or "title" in given:
        with problems.caught():
            cleaned.title = clean_text(given.get("title"), field="title", max_length=200, required=True)
    if "description" in given:
        with problems.caught():
            cleaned.description = clean_text(_not_null(given, "description"), field="description", max_length=20_000)
    if "cancellation_policy" in given:
        with problems.caught():
            policy = _not_null(given, "cancellation_policy")
            if policy not in CancellationPolicy:
                raise Invalid("There is no such policy.", field="cancellation_policy")
            cleaned.cancellation_policy = CancellationPolicy(policy)


def _not_null(given: Mapping[str, Any], name: str, *, field: tuple[str, ...] | None = None) -> Any:
    if given[name] is None:
        raise Required("This cannot be empty.", field=field or (name,))
    return given[name]


def _clean_price(cleaned: Listing, given: Mapping[str, Any], *, is_new: bool, problems: Collector) -> None:
    price: Money | None = given.get("price")
    if price is None:
        if is_new or "price" in given:
            problems.add(Required("A price is needed.", field="price"))
        if is_new:
            cleaned.currency = ANY_CURRENCY
        return
    problems.require(
        0 <= price.minor <= LARGEST_PRICE,
        Invalid(f"A price is between 0 and {LARGEST_PRICE} minor units.", field=("price", "amount_minor")),
    )
    problems.require(
        is_currency(price.currency),
        Invalid("This is no currency code of ISO 4217, such as EUR.", field=("price", "currency")),
    )
    # Set even where it is wrong: the kind compares its own amounts with it, and this fault is told already.
    cleaned.price_minor, cleaned.currency = price.minor, price.currency


def _clean_location(
    cleaned: Listing, given: Mapping[str, Any], *, is_new: bool, needs_coordinates: bool, problems: Collector
) -> None:
    location: Mapping[str, Any] | None = given.get("location")
    if location is None:
        if is_new or "location" in given:
            problems.add(Required("A location is needed.", field="location"))
        if is_new:
            cleaned.time_zone = ANY_ZONE
        return
    if is_new:
        location = {name: value for name, value in location.items() if value is not None}
    for name, longest in PLACE_TEXTS.items():
        if name in location:
            field = ("location", name)
            with problems.caught():
                setattr(
                    cleaned, name, clean_text(_not_null(location, name, field=field), field=field, max_length=longest)
                )
    _clean_zone(cleaned, location, is_new=is_new, problems=problems)
    _clean_coordinates(cleaned, location, needed=needs_coordinates, problems=problems)


def _clean_zone(cleaned: Listing, location: Mapping[str, Any], *, is_new: bool, problems: Collector) -> None:
    field = ("location", "time_zone")
    if is_new:
        # What the kind reckons with until a right zone is read.
        cleaned.time_zone = ANY_ZONE
    if not is_new and "time_zone" not in location:
        return
    with problems.caught():
        name = clean_text(location.get("time_zone"), field=field, max_length=300, required=True)
        if not is_time_zone(name):
            raise Invalid("This is no IANA time zone, such as Europe/Berlin.", field=field)
        cleaned.time_zone = name


def _clean_coordinates(cleaned: Listing, location: Mapping[str, Any], *, needed: bool, problems: Collector) -> None:
    """Both or none, and both where they are `needed`. A place has one longitude: -180 is written 180."""
    for name, (lowest, highest) in COORDINATES.items():
        if name not in location:
            continue
        value: float | None = location[name]
        if value is not None and not _is_inside(value, lowest, highest, open_below=name == "longitude"):
            problems.add(Invalid(f"This is no {name} in degrees.", field=("location", name)))
            # Counts as given, lest it be told missing as well.
            value = 0.0
        setattr(cleaned, name, value)
    missing = [name for name in COORDINATES if getattr(cleaned, name) is None]
    if len(missing) == 2 and not needed:
        return
    for name in missing:
        wrong = Required if needed else Invalid
        problems.add(wrong("Latitude and longitude belong together.", field=("location", name)))


def _is_inside(value: float, lowest: float, highest: float, *, open_below: bool) -> bool:
    return math.isfinite(value) and (lowest < value if open_below else lowest <= value) and value <= highest
