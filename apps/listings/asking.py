"""The question of a search, in hashable form without values, and the values that are in it.

`ask` decides all that hangs on values. `candidates` and `free` then say it as conditions, for which they see only the places
of values: so they hold for every search that looks alike (`apps.core.shapes`).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db.models import DateTimeField, F, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Lower
from django.db.models.lookups import Exact, GreaterThanOrEqual

from apps.core.reads import INTEGER, NUMBER, REAL, REALS, TEXTS, TSQUERY, WORD
from apps.core.shapes import Places, Put
from apps.listings.geo import Point, Rims, Sides, around, chord_of, inside, reached, rings, sides_of, within
from apps.listings.kinds import Kind, all_kinds, kind_named
from apps.listings.models import Listing, ListingStatus
from apps.listings.ranking import stars
from apps.listings.search import KIND_FIELDS, Box, ListingSearch, Near
from apps.listings.words import Finds, PlacedWord, SoughtWord, finding

PUBLISHED = Q(status=ListingStatus.PUBLISHED, deleted_at=None)

# What is asked of the listings' own columns, and may be found by an index of them.
COLUMNS = frozenset({"city", "host", "currency", "min_price", "max_price", "min_rating"})


class Question(NamedTuple):
    """What a search asks, without its values: those stand in the places that its names tell of."""

    kinds: frozenset[str] | None
    # Of the kinds that are asked about themselves, which of their names; None where none is.
    parts: tuple[tuple[str, tuple[str, ...]], ...] | None
    # Of each word, whether more than itself counts as found.
    words: tuple[bool, ...]
    box: Sides | None
    # Of the map section that a circle lies in; None without a circle, or one that is anywhere.
    around: Sides | None


def kinds_in_question(kinds: frozenset[str] | None) -> list[Kind]:
    """The kinds of which something may be found, by those that a search names."""
    return [kind for kind in all_kinds() if kinds is None or kind.code in kinds]


def kinds_found(question: Question) -> frozenset[str] | None:
    """The codes of all kinds that the question leaves; None where it leaves every one."""
    return question.kinds if question.parts is None else frozenset([code for code, _ in question.parts])


def ask(
    search: ListingSearch, *, words: Sequence[SoughtWord], by_distance: bool, now: datetime
) -> tuple[Question, dict[str, Put]] | None:
    """The question of a search and its values; None where nothing can be found.

    `words` are those of its text. `by_distance`: in the order of the distance from the place that is asked for.
    """
    if search.text and not words:
        return None
    puts = _of_columns(search)
    sides = None
    if search.box is not None:
        sides = sides_of(search.box)
        puts |= _of_rims("box", search.box)
    circle = None
    if search.near is not None:
        puts["latitude"], puts["longitude"] = Put(search.near.latitude, REAL), Put(search.near.longitude, REAL)
        puts["radius_km"] = Put(search.near.radius_km, REAL)
        bounds = around(search.near)
        if by_distance:
            puts["chord"] = Put(chord_of(search.near), REAL)
            puts |= _of_rings(search.near)
        elif bounds is not None:
            circle = sides_of(bounds)
            puts |= _of_rims("around", bounds)
    if words:
        puts["finding"] = Put(finding(words), TSQUERY)
        for number, word in enumerate(words):
            puts[f"word_{number}"] = Put(word.word, TSQUERY)
            if word.near != word.word:
                puts[f"near_{number}"] = Put(word.near, TSQUERY)
    parts = None
    if search.asks_for(*KIND_FIELDS):
        of_kinds = []
        for kind in kinds_in_question(search.kinds):
            own = kind.asked(search, now=now)
            if own is not None:
                of_kinds.append((kind.code, tuple(own)))
                puts.update((_own_name(kind, name), put) for name, put in own.items())
        if not of_kinds:
            return None
        parts = tuple(of_kinds)
    meanings = tuple(word.near != word.word for word in words)
    return Question(search.kinds, parts, meanings, sides, circle), puts


def _own_name(kind: Kind, name: str) -> str:
    return f"{kind.relation}_{name}"


def _of_columns(search: ListingSearch) -> dict[str, Put]:
    puts: dict[str, Put] = {}
    if search.city:
        puts["city"] = Put(search.city, WORD)
    if search.host_id is not None:
        puts["host"] = Put(search.host_id, INTEGER)
    if search.currency:
        puts["currency"] = Put(search.currency, WORD)
    if search.min_price_minor is not None:
        puts["min_price"] = Put(search.min_price_minor, INTEGER)
    if search.max_price_minor is not None:
        puts["max_price"] = Put(search.max_price_minor, INTEGER)
    if search.min_rating is not None:
        puts["min_rating"] = Put(Decimal(repr(search.min_rating)), NUMBER)
    return puts


def _of_rims(name: str, box: Box) -> dict[str, Put]:
    return {f"{name}_{side}": Put(getattr(box, side), REAL) for side in ("south", "west", "north", "east")}


def _of_rings(near: Near) -> dict[str, Put]:
    """The rings around the place, a column of values each; only at the antimeridian they have a second section."""
    found = rings(near)
    return {
        "ring_beyond": Put([ring.beyond for ring in found], REALS),
        "ring_reach": Put([ring.reach for ring in found], REALS),
        "ring_section": Put([_written(ring.sections[0]) for ring in found], TEXTS),
        "ring_other": Put([_written(ring.sections[1]) if ring.sections[1:] else None for ring in found], TEXTS),
    }


def _written(box: Box) -> str:
    return f"({box.west!r},{box.south!r}),({box.east!r},{box.north!r})"


def place_of(places: Places) -> Point | None:
    """The place that a search is around."""
    return Point(places["latitude"], places["longitude"]) if "latitude" in places else None


def placed_words(question: Question, places: Places) -> list[PlacedWord]:
    """The words that a search is for."""
    return [
        PlacedWord(places[f"word_{number}"], places[f"near_{number}"] if means_more else None)
        for number, means_more in enumerate(question.words)
    ]


def start_of(kinds: Sequence[Kind]) -> Combinable | None:
    """When a listing takes place, null for kinds that are always there; None where all of these kinds are."""
    paths = [F(kind.start_path) for kind in kinds if kind.start_path]
    if not paths:
        return None
    return paths[0] if len(paths) == 1 else Coalesce(*paths, output_field=DateTimeField())


def candidates(
    question: Question, places: Places, *, has_likeness: bool = False, has_place: bool = False
) -> QuerySet[Listing]:
    """The published listings that fulfil what is asked of their columns.

    `has_likeness`: a likeness is still asked of them, which says that the words are found. Saying so again would have the
    planner expect too few. `has_place`: whether they lie where they should is asked of them too, one by one.
    """
    rows = Listing.objects.filter(PUBLISHED)
    if "city" in places:
        rows = rows.filter(Exact(Lower("city"), Lower(places["city"])))
    if "host" in places:
        rows = rows.filter(host=places["host"])
    if "currency" in places:
        rows = rows.filter(currency=places["currency"])
    if "min_price" in places:
        rows = rows.filter(price_minor__gte=places["min_price"])
    if "max_price" in places:
        rows = rows.filter(price_minor__lte=places["max_price"])
    if "min_rating" in places:
        # The unrated count as 0 in the index: only asking for 0 and more would let them in.
        rows = rows.filter(GreaterThanOrEqual(stars(), places["min_rating"]), rating_count__gt=0)
    rows = _of_kinds(rows, question, places, is_counted=not has_place)
    if question.words and not has_likeness:
        rows = rows.filter(Finds(places["finding"]))
    if has_place:
        return rows
    rows = rows.filter(where(question, places))
    near = place_of(places)
    return rows if near is None or "chord" not in places else rows.filter(reached(near, places["chord"]))


def where(question: Question, places: Places) -> Q:
    """The condition of lying where the search asks, the cheap comparisons first."""
    condition = section(question, places)
    near = place_of(places)
    return condition if near is None else condition & within(near, places["radius_km"])


def section(question: Question, places: Places) -> Q:
    """The condition of lying in the map section that is asked for, and in the one around the circle that is."""
    condition = Q()
    if question.box is not None:
        condition &= inside(_rims("box", question.box, places))
    if question.around is not None:
        condition &= inside(_rims("around", question.around, places))
    return condition


def _rims(name: str, sides: Sides, places: Places) -> Rims:
    south, west, north, east = (places[f"{name}_{side}"] for side in ("south", "west", "north", "east"))
    return Rims(south, west, north, east, sides)


def _of_kinds(rows: QuerySet[Listing], question: Question, places: Places, *, is_counted: bool) -> QuerySet[Listing]:
    """The kinds' own parts of the filter, joined by OR. `is_counted`: how the rows are found hangs on how many are expected."""
    if question.parts is None:
        return rows if question.kinds is None else rows.filter(kind__in=sorted(question.kinds))
    if is_counted and len(question.parts) == 1:
        # What has a kind's own row is of the kind. Asked for both, the planner expects the kind's share of that share.
        ((kind, own),) = _parts(question, places)
        return rows.filter(Q(**{f"{kind.relation}__isnull": False}) & kind.search_filter(own))
    parts = [Q(kind=kind.code) & kind.search_filter(own) for kind, own in _parts(question, places)]
    return rows.filter(reduce(or_, parts))


def _parts(question: Question, places: Places) -> list[tuple[Kind, Places]]:
    kinds = [(kind_named(code), names) for code, names in question.parts or ()]
    return [(kind, {name: places[_own_name(kind, name)] for name in names}) for kind, names in kinds]


def free(question: Question, places: Places) -> Q:
    """What the kinds ask of the calendars of their own among the candidates; a Q() where none does."""
    questions = [(kind.code, kind.free_filter(own)) for kind, own in _parts(question, places)]
    if not any(asked for _, asked in questions):
        return Q()
    if len(questions) == 1:
        return questions[0][1]
    return reduce(or_, [Q(kind=code) & asked for code, asked in questions])
