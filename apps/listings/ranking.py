"""The orders of a search, as keys of a keyset page and the expressions behind them."""

from collections.abc import Mapping, Sequence
from functools import cache

from django.db.models import DecimalField, F, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from apps.core.keyset import Key, keys
from apps.core.reads import INSTANT, INTEGER, NUMBER, REAL, WORD, Type
from apps.listings.geo import Point, chord_to
from apps.listings.search import ListingOrder
from apps.listings.words import PlacedWord, likeness

NEWEST = keys("-created_at", "-id")
LIKENESS, STARS, CHORD, START = "rank_likeness", "rank_stars", "rank_chord", "rank_start"
# Of what a page is continued at.
KEY_TYPES: Mapping[str, Type] = {
    "id": INTEGER,
    "created_at": INSTANT,
    "currency": WORD,
    "price_minor": INTEGER,
    LIKENESS: INTEGER,
    STARS: NUMBER,
    CHORD: REAL,
    START: INSTANT,
}


def stars() -> Combinable:
    """The mean rating, as the index has it: 0 for the unrated, below every rating that can be given."""
    return Coalesce(F("rating_average"), Value(0), output_field=DecimalField())


@cache
def ranking(
    order: ListingOrder, *, has_words: bool, has_currency: bool, is_near: bool, has_start: bool
) -> tuple[Key, ...]:
    """The keys of the order, for a search that asks for words, for one currency, around a place, and for a kind with a start.

    Raises ValueError for the order by distance without a place: the edge has refused it.
    """
    match order:
        case ListingOrder.RELEVANCE if has_words:
            return (Key(LIKENESS, descending=True), *NEWEST)
        case ListingOrder.PRICE_ASC:
            return keys("price_minor", "id") if has_currency else keys("currency", "price_minor", "id")
        case ListingOrder.PRICE_DESC:
            return keys("-price_minor", "-id") if has_currency else keys("currency", "-price_minor", "-id")
        case ListingOrder.RATING_DESC:
            return keys(f"-{STARS}", "-id")
        case ListingOrder.DISTANCE:
            if not is_near:
                raise ValueError("the order by distance needs a place to measure from")
            return keys(CHORD, "id")
        case ListingOrder.STARTS_AT if has_start:
            return (Key(START, nullable=True), *NEWEST)
        case _:
            return NEWEST


def computed(
    order: Sequence[Key], *, words: Sequence[PlacedWord], near: Point | None, start: Combinable | None
) -> dict[str, Combinable]:
    """The keys that are no columns. `start` is when a listing takes place, null for kinds that are always there."""
    match order[0].name:
        case "rank_likeness":
            return {LIKENESS: likeness(words)}
        case "rank_stars":
            return {STARS: stars()}
        case "rank_chord" if near is not None:
            return {CHORD: chord_to(near)}
        case "rank_start" if start is not None:
            return {START: start}
        case _:
            return {}
