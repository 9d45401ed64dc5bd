"""From which columns the fields of listings are shown, so that a list of them is read with no more: see `schema.core.columns`."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from graphene.utils.str_converters import to_camel_case

from apps.listings.kinds import kind_model, kind_named
from schema.core.columns import ColumnSets
from schema.listings.types import Listing, kind_types, shown_from

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


SETS = ColumnSets(told, relation="host")
