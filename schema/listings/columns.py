"""Which columns a list of listings is read with: those that the fields asked for below it show.

A field that is not told of here is shown from everything that there is of a listing. What is told is by name, wherever below the
list the name stands: what other types call alike only has more read than is needed.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from graphene.utils.str_converters import to_camel_case

from apps.listings.cards import EVERYTHING, Columns
from apps.listings.kinds import kind_model, kind_named
from schema.core.selections import asked_below
from schema.listings.types import Listing, kind_types, shown_from

# Each different set of columns is a statement of its own: clients have few.
MOST_SETS = 32
# What is shown from these columns of a listing, or of its host. What is read by itself for a listing needs its key alone.
COLUMNS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("__typename", "pageInfo", "hasNextPage", "hasPreviousPage", "startCursor", "endCursor", "totalCount"),
            *("edges", "cursor", "node", "id", "kind", "location", "distance", "amount", "amountMinor", "priceUnit"),
            *("images", "url", "alt", "position", "viewerCanReview"),
            *("reviews", "rating", "comment", "reply", "repliedAt", "author"),
        ),
        (),
    ),
    "status": ("status",),
    "title": ("title",),
    "description": ("description",),
    "latitude": ("latitude",),
    "longitude": ("longitude",),
    "address": ("address",),
    "city": ("city",),
    "region": ("region",),
    "country": ("country",),
    "timeZone": ("time_zone",),
    "price": ("price_minor", "currency"),
    "currency": ("currency",),
    "cancellationPolicy": ("cancellation_policy",),
    "ratingAverage": ("rating_average",),
    "ratingCount": ("rating_count",),
    "createdAt": ("created_at",),
    "updatedAt": ("updated_at",),
    "host": ("host__id",),
    "email": ("host__email",),
    "firstName": ("host__first_name",),
    "lastName": ("host__last_name",),
    "displayName": ("host__first_name", "host__last_name"),
    "profilePicture": ("host__profile_picture",),
    "joinedAt": ("host__joined_at",),
}

_sets: set[Columns] = set()


def columns_below(info: Any) -> Columns:
    """What has to be read of each listing for the fields that are asked for below the one that is resolved."""
    return _columns(asked_below(info))


@lru_cache(maxsize=512)
def _columns(names: frozenset[str]) -> Columns:
    needed: set[str] = set()
    known = told()
    for name in names:
        columns = known.get(name)
        if columns is None:
            return EVERYTHING
        needed.update(columns)
    if "host" not in names:
        needed = {column for column in needed if not column.startswith("host__")}
    return _one_of_few(tuple(sorted(needed)))


def _one_of_few(columns: Columns) -> Columns:
    """The columns, or more, so that there never are more than MOST_SETS of them."""
    if columns in _sets or len(_sets) < MOST_SETS:
        _sets.add(columns)
        return columns
    wider = [each for each in _sets if set(columns) <= set(each)]
    return min(wider, key=len, default=EVERYTHING)


@cache
def told() -> dict[str, tuple[str, ...]]:
    """By the name of a field, the columns that it is shown from; with those of the kinds' own fields."""
    found = {name: set(columns) for name, columns in COLUMNS.items()}
    everything: set[str] = set()
    for code, graphene_type in kind_types.items():
        for name in graphene_type._meta.fields.keys() - Listing._meta.fields.keys():
            columns = _of_kind(code, graphene_type, name)
            if columns is None:
                everything.add(to_camel_case(name))
            else:
                found.setdefault(to_camel_case(name), set()).update(columns)
    return {name: tuple(sorted(columns)) for name, columns in found.items() if name not in everything}


def _of_kind(code: str, graphene_type: Any, name: str) -> tuple[str, ...] | None:
    """What a field of a kind's own is shown from; None where that is not known."""
    known = shown_from.get(code, {})
    if name in known:
        return known[name]
    if hasattr(graphene_type, f"resolve_{name}"):
        return None
    kind = kind_named(code)
    try:
        kind_model(kind)._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return (f"{kind.relation}__{name}",)
