"""The orders of a search, as keys of a keyset page and the expressions behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import DecimalField, F, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from apps.core.keyset import Key, keys
from apps.listings.geo import chord_to
from apps.listings.search import ListingOrder, ListingSearch
from apps.listings.words import SoughtWord, likeness

NEWEST = keys("-created_at", "-id")


@dataclass(frozen=True, slots=True)
class Ranking:
    """An order: its keys, and what those that are no columns are computed from."""

    keys: tuple[Key, ...]
    computed: Mapping[str, Combinable] = field(default_factory=dict)


def stars() -> Combinable:
    """The mean rating, as the index has it: 0 for the unrated, below every rating that can be given."""
    return Coalesce(F("rating_average"), Value(0), output_field=DecimalField())


def ranking(
    *, search: ListingSearch, order: ListingOrder, words: Sequence[SoughtWord], start: Combinable | None
) -> Ranking:
    """The order of what the search finds. `start` is when a listing takes place, null for kinds that are always there.

    Raises ValueError for the order by distance without a place: the edge has refused it.
    """
    match order:
        case ListingOrder.RELEVANCE if words:
            return Ranking((Key("rank_likeness", descending=True), *NEWEST), {"rank_likeness": likeness(words)})
        case ListingOrder.PRICE_ASC:
            return Ranking(keys("price_minor", "id") if search.currency else keys("currency", "price_minor", "id"))
        case ListingOrder.PRICE_DESC:
            return Ranking(keys("-price_minor", "-id") if search.currency else keys("currency", "-price_minor", "-id"))
        case ListingOrder.RATING_DESC:
            return Ranking(keys("-rank_stars", "-id"), {"rank_stars": stars()})
        case ListingOrder.DISTANCE:
            if search.near is None:
                raise ValueError("the order by distance needs a place to measure from")
            return Ranking(keys("rank_chord", "id"), {"rank_chord": chord_to(search.near)})
        case ListingOrder.STARTS_AT if start is not None:
            return Ranking((Key("rank_start", nullable=True), *NEWEST), {"rank_start": start})
        case _:
            return Ranking(NEWEST)
