"""The statements of a search: a page, the number of all, whether there is more. Made once for all searches that look alike.

A page finds the keys of its rows and reads the rows behind them (`apps.core.joining`) in one statement. Where it is walked in the
order of an index, what is read of a listing is read as it is found; else it is looked up for the page's rows, so that nothing
wide is sorted.

None more than a page needs is asked whether its calendar is free (`apps.listings.in_order`).
"""

# ruff: noqa: S608
# The names put into statements are those of this file and of models; values stay parameters.

from collections.abc import Container, Mapping, Sequence, Set
from enum import Enum
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.lookups import IsNull

from apps.core.columns import Columns
from apps.core.joining import joined, selected
from apps.core.keyset import Key, Stretch, beyond, beyond_in, from_on
from apps.core.reads import Parameter
from apps.core.shapes import Places, Reading, Shaped, Statement
from apps.listings.asking import (
    COLUMNS,
    PUBLISHED,
    Question,
    candidates,
    free,
    kinds_found,
    kinds_in_question,
    place_of,
    placed_words,
    section,
    start_of,
    where,
)
from apps.listings.cards import cards
from apps.listings.geo import chord_to, distance_km_to, lies_in
from apps.listings.in_order import IN_ORDER, one_after_the_other, one_or_the_other, page_statement, sort_all
from apps.listings.kinds import kind_named
from apps.listings.models import Listing
from apps.listings.ranking import CHORD, LIKENESS, NEWEST, STARS, START, computed
from apps.listings.words import conditions

# Of a page.
MOST_ROWS = 100

# How the text of a query set says where rows come from.
ALIAS = f'"{Listing._meta.db_table}"'
TABLE = f"FROM {ALIAS}"


class Rows(Enum):
    """Which of the rows that a search finds a part of a page is of."""

    ALL = "all"
    TIMED = "what takes place at some time"
    ALWAYS = "what is always there"


class Part(NamedTuple):
    """What a statement reads of a page: the first of these rows, or of those after a place.

    `skipped` keys of the order are the same in all of them.
    """

    rows: Rows = Rows.ALL
    skipped: int = 0
    after: Stretch | None = None


class Step(NamedTuple):
    """One likeness of a page in its order: all that has it, or what comes `after` a place."""

    level: int
    after: bool
    is_gathered: bool


def place_name(key: Key) -> str:
    """What the value of a key is named in a place that a page is continued at; there is none for null."""
    return f"place_{key.name}"


def column_names(keys: Sequence[Key], names: Container[str]) -> list[str]:
    """What is read of each row of a page: the id first, its place in the order, and the distance where there is one."""
    return ["id", *(key.name for key in keys if key.name != "id"), *(["distance_km"] if "latitude" in names else [])]


def _place(keys: Sequence[Key], places: Places) -> list[Parameter | None]:
    return [places.get(place_name(key)) for key in keys]


def _ranked(question: Question, keys: Sequence[Key], places: Places) -> QuerySet[Listing]:
    return candidates(question, places).annotate(
        **computed(
            keys,
            words=placed_words(question, places),
            near=place_of(places),
            start=start_of(kinds_in_question(question.kinds)),
        )
    )


def all_found(question: Question, keys: Sequence[Key], places: Places) -> QuerySet[Listing]:
    """All that is found, with the values of the keys; in no order."""
    return _ranked(question, keys, places).filter(free(question, places))


def _measured(rows: QuerySet[Listing], places: Places) -> QuerySet[Listing]:
    near = place_of(places)
    return rows if near is None else rows.annotate(distance_km=distance_km_to(near))


def _page(
    question: Question, keys: tuple[Key, ...], part: Part, backwards: bool, shown: Columns | None, places: Places
) -> Statement | Reading | None:
    listings = None if shown is None else cards(shown, kinds_found(question))
    names = column_names(keys, places)
    is_walked = _is_walked(question, keys, part, backwards, shown, places)
    try:
        if _is_newest_somewhere(question, keys, places):
            statement = _newest_somewhere(question, part, backwards, places)
        elif _is_nearest(question, keys, places):
            statement = _nearest(question, keys, part, backwards, places)
        else:
            if is_walked and listings is not None:
                names += [name for name in _found_along(question, selected(listings)) if name not in names]
            most = Value(MOST_ROWS + 1) if is_walked else places["limit"]
            statement = _in_order(question, keys, part, backwards, names, most, places, is_walked=is_walked)
    except EmptyResultSet:
        return None
    if statement is None:
        return None
    if is_walked:
        # Of what a limit that it does not know leaves PostgreSQL expects a tenth: so one row here, where it would expect a tenth
        # of all listings, and take the plan that it could keep for dearer than one for the values.
        sql, values = statement
        limit = places["limit"].value
        statement = f"SELECT * FROM (SELECT * FROM ({sql}) AS most LIMIT %s) AS few LIMIT %s", (*values, limit, limit)
    return statement if listings is None else joined(statement, names, listings)


def _found_along(question: Question, columns: Sequence[str]) -> list[str]:
    """Those of the columns that lie in the rows which the search looks at anyway."""
    relations = [kind_named(code).relation for code, _ in question.parts or ()]
    along = relations if len(relations) == 1 else []
    return [name for name in columns if "__" not in name or name.partition("__")[0] in along]


def _in_order(
    question: Question,
    keys: tuple[Key, ...],
    part: Part,
    backwards: bool,
    names: Sequence[str],
    count: Value,
    places: Places,
    *,
    is_walked: bool = False,
) -> Statement | None:
    rows = _ranked(question, keys, places)
    if is_walked and question.parts is not None:
        # What is of another kind is passed by without looking for a row of these. Said in this way, the planner does not take
        # the kind's share twice, of the listings and of the rows.
        kinds = sorted(code for code, _ in question.parts)
        rows = rows.filter(Q(Case(When(kind__in=kinds, then=Value(True)), default=Value(False))))
    order = keys[part.skipped :]
    if part.rows is not Rows.ALL:
        rows = rows.filter(IsNull(F(START), part.rows is Rows.ALWAYS))
    if part.after is not None:
        rows = rows.filter(beyond_in(part.after, order, _place(order, places), backwards=backwards))
    return page_statement(
        _measured(rows, places), order, names, free=free(question, places), count=count, backwards=backwards
    )


# How many of the newest are looked at for what lies somewhere before it is gathered there.
LOOKED_THROUGH = 4000


def _has_indexed(question: Question) -> bool:
    """Whether an index of a kind's own can answer something of it."""
    return any(kind_named(code).indexed & set(names) for code, names in question.parts or ())


def _is_newest_somewhere(question: Question, keys: Sequence[Key], places: Places) -> bool:
    """Whether the newest are asked for that lie in a map section or a circle, wherever else they may be."""
    is_bounded = question.box is not None or question.around is not None
    return is_bounded and tuple(keys) == NEWEST and not question.words and not COLUMNS & places.keys()


def _is_nearest(question: Question, keys: Sequence[Key], places: Places) -> bool:
    """Whether the nearest are asked for, of which no other index tells which they may be."""
    others = question.words or question.box is not None or COLUMNS & places.keys() or _has_indexed(question)
    return keys[0].name == CHORD and not others


def _newest_somewhere(question: Question, part: Part, backwards: bool, places: Places) -> Statement | None:
    """The newest of a place: found among the newest of all where many lie there, and else among all that lie there.

    How many do the planner cannot know. Where the first few thousand do not fill the page, there are few to gather.
    """
    names = ("id", "created_at", "latitude", "longitude")
    listings = Listing.objects.filter(PUBLISHED)
    if part.after is not None:
        listings = listings.filter(beyond_in(part.after, NEWEST, _place(NEWEST, places), backwards=backwards))
    newest = listings.order_by(*(key.order(backwards=backwards) for key in NEWEST))[:LOOKED_THROUGH]
    walked = _walked(newest.values_list(*names).query.sql_with_params(), question, NEWEST, places)
    if question.parts is None:
        there = listings.filter(section(question, places)).order_by().values_list(*names).query.sql_with_params()
        sql, values = sort_all(there, NEWEST, backwards=backwards)
        # A fence: what is asked of each is asked behind the sorting, of no more than the page needs.
        others = _walked((f"{sql} OFFSET 0", values), question, NEWEST, places)
    else:
        # Who fulfils the rest may be rarer than who lies there.
        columns = column_names(NEWEST, places)
        rarer = _in_order(question, NEWEST, part, backwards, columns, places["limit"], places)
        if rarer is None:
            return None
        others = rarer
    return one_or_the_other(walked, others, enough=places["limit"])


# Around the place of a search, one row each, from the innermost on or from the outermost.
RINGS = (
    "unnest(%s::double precision[], %s::double precision[], %s::text[], %s::text[]) "
    "AS ring (beyond, reach, section, other)"
)


def _nearest(question: Question, keys: Sequence[Key], part: Part, backwards: bool, places: Places) -> Statement:
    """The nearest, ring by ring, each asked when its turn comes whatever else is asked of it.

    What lies in a ring is gathered and sorted where all before it do not fill the page. So nobody has to know how many lie in the
    circle: of those that are gathered the page needs about every fourth, or more.
    """
    near = place_of(places)
    assert near is not None
    rows = Listing.objects.filter(PUBLISHED, lies_in(RawSQL("part.section", ()))).annotate(**{CHORD: chord_to(near)})
    kinds = kinds_found(question)
    if kinds is not None:
        rows = rows.filter(kind__in=sorted(kinds))
    sql, values = rows.order_by().values_list("id", "latitude", "longitude", CHORD).query.sql_with_params()
    sections = "unnest(ARRAY[ring.section, ring.other]::box[]) AS part (section)"
    sql = sql.replace(TABLE, f"FROM {sections} CROSS JOIN {ALIAS}", 1)
    rings, own = RINGS, [places[f"ring_{name}"].value for name in ("beyond", "reach", "section", "other")]
    further, place = "", []
    if part.after is not None:
        # Nothing is gathered of the rings before the one that the place lies in.
        at, last = (places[place_name(key)].value for key in keys)
        rings += f" WHERE {'beyond <' if backwards else 'reach >='} %s::double precision"
        own.append(at)
        further = f' AND ("{CHORD}", "id") {"<" if backwards else ">"} (%s::double precision, %s)'
        place = [at, last]
    terms = ", ".join(key.term(backwards=backwards) for key in keys)
    # Fences: each ring in its turn, and each of its rows.
    turns = f"SELECT * FROM {rings} ORDER BY reach {'DESC' if backwards else 'ASC'} OFFSET 0"
    ring = (
        f'SELECT * FROM ({sql} OFFSET 0) AS measured WHERE "{CHORD}" > ring.beyond AND "{CHORD}" <= ring.reach{further} '
        f"ORDER BY {terms} OFFSET 0"
    )
    nearby = f"SELECT nearby.* FROM ({turns}) AS ring CROSS JOIN LATERAL ({ring}) AS nearby OFFSET 0"
    return _walked((nearby, (*own, *values, *place)), question, keys, places)


def _walked(rows: Statement, question: Question, keys: Sequence[Key], places: Places) -> Statement:
    """The first of these rows, in their order, that lie where it is asked for and fulfil what else is asked.

    Of the rows only what is needed for that is read from the table, one after the other.
    """
    found = _measured(Listing.objects.filter(where(question, places)), places)
    if keys[0].name == CHORD:
        found = found.annotate(**computed(keys, words=(), near=place_of(places), start=None))
    if question.kinds is not None or question.parts is not None:
        fulfils = Q(_is_among(candidates(question, places, has_place=True)))
        if asked := free(question, places):
            # No calendar is asked of what is out for another reason.
            fulfils = Q(Case(When(fulfils, then=_is_among(Listing.objects.filter(asked))), default=Value(False)))
        found = found.filter(fulfils)
    sql, values = found.order_by().values_list(*column_names(keys, places)).query.sql_with_params()
    selected, conditions = sql.split(TABLE, 1)
    at = selected.count("%s")
    return (
        f"{selected}FROM ({rows[0]}) AS {ALIAS}{conditions} AND {IN_ORDER} LIMIT %s",
        (*values[:at], *rows[1], *values[at:], places["limit"].value),
    )


def _is_among(rows: QuerySet[Listing]) -> Exists:
    """Whether a listing is one of these rows: a question about one, not a join with all."""
    return Exists(rows.filter(pk=OuterRef("pk")).order_by().values("pk"), template="EXISTS(%(subquery)s OFFSET 0)")


def _levels(
    question: Question, steps: tuple[Step, ...], backwards: bool, shown: Columns | None, places: Places
) -> Statement | Reading | None:
    names = column_names((Key(LIKENESS), *NEWEST), places)
    found = conditions(placed_words(question, places))
    any_likeness = candidates(question, places, has_likeness=True)
    order = NEWEST
    statements = []
    for step in steps:
        rows = any_likeness.filter(found[step.level]).annotate(**{LIKENESS: Value(step.level)})
        if step.after:
            rows = rows.filter(beyond(order, _place(order, places), backwards=backwards))
        statement = page_statement(
            _measured(rows, places),
            order,
            names,
            free=free(question, places),
            count=places["limit"],
            backwards=backwards,
            gathered=step.is_gathered,
        )
        if statement is not None:
            statements.append(statement)
    if not statements:
        return None
    statement = one_after_the_other(statements, enough=places["limit"])
    return statement if shown is None else joined(statement, names, cards(shown, kinds_found(question)))


def _count(question: Question, places: Places) -> Statement | None:
    rows = candidates(question, places)
    asked = free(question, places)
    if asked:
        rows = rows.filter(asked)
    try:
        sql, values = rows.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return None
    return f"SELECT count(*) FROM ({sql}) AS found", values


def _exists(
    question: Question, keys: tuple[Key, ...], backwards: bool, including: bool, places: Places
) -> QuerySet[Any] | None:
    rows = all_found(question, keys, places)
    condition = from_on(keys, _place(keys, places), backwards=backwards, including=including)
    return rows.filter(condition).order_by().values("pk")[:1]


# The orders that an index has for searches that ask these columns: it is walked in whatever they are asked for.
WALKED: Mapping[tuple[str, ...], Set[Set[str]]] = {
    ("created_at", "id"): {frozenset(), frozenset({"city"})},
    ("price_minor", "id"): {
        frozenset({"currency", *where, *bounds})
        for where in ((), ("city",))
        for bounds in ((), ("min_price",), ("max_price",), ("min_price", "max_price"))
    },
    (STARS, "id"): {frozenset(), frozenset({"min_rating"})},
}


def _is_walked(
    question: Question, keys: tuple[Key, ...], part: Part, backwards: bool, shown: Columns | None, places: Places
) -> bool:
    """Whether the page is read in the order of an index, and no other way may be better for some values."""
    if question.words or part.rows is not Rows.ALL:
        return False
    if _has_indexed(question):
        return False
    if {"latitude", "box_south"} & places.keys():
        is_newest = question.parts is None and _is_newest_somewhere(question, keys, places)
        return is_newest or _is_nearest(question, keys, places)
    return COLUMNS & places.keys() in WALKED.get(tuple(key.name for key in keys), frozenset())


PAGE = Shaped("search", _page, is_steady=_is_walked)
LEVELS = Shaped("search_by_likeness", _levels)
COUNT = Shaped("search_count", _count)
EXISTS = Shaped("search_beyond", _exists)
