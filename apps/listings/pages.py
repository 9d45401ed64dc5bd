"""The statements of a search: a page, the number of all, whether there is more. Made once for all searches that look alike.

None more than a page needs is asked whether its calendar is free.

Left to itself the planner works out for every listing of a city whether it is free and sorts those that are, where it takes
them for few. Here the candidates come in the order of the page from a subquery that cannot be merged with what is asked of
each, so that the questions end with the last row of the page.
"""

# ruff: noqa: S608
# The names put into statements are those of this file and of models; values stay parameters.

from collections.abc import Container, Mapping, Sequence, Set
from enum import Enum
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.lookups import Exact, IsNull

from apps.core.keyset import Key, Stretch, beyond, beyond_in, from_on
from apps.core.reads import Parameter
from apps.core.shapes import Places, Shaped, Statement
from apps.listings.asking import (
    COLUMNS,
    Question,
    candidates,
    free,
    kinds_in_question,
    place_of,
    placed_words,
    start_of,
)
from apps.listings.geo import distance_km_to
from apps.listings.kinds import kind_named
from apps.listings.models import Listing
from apps.listings.ranking import LIKENESS, NEWEST, STARS, START, computed
from apps.listings.words import conditions

# The rows of a subquery come in its order unless several processes share the work, which this function, always true of
# what it is asked, is not allowed in. To sort the few rows again would not do: for a sort the planner has the candidates
# worked out all at once instead of one after the other.
IN_ORDER = "pg_backend_pid() <> 0"


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


def _page(question: Question, keys: tuple[Key, ...], part: Part, backwards: bool, places: Places) -> Statement | None:
    rows = _ranked(question, keys, places)
    order = keys[part.skipped :]
    if part.rows is not Rows.ALL:
        rows = rows.filter(IsNull(F(START), part.rows is Rows.ALWAYS))
    if part.after is not None:
        rows = rows.filter(beyond_in(part.after, order, _place(order, places), backwards=backwards))
    return page_statement(
        _measured(rows, places),
        order,
        column_names(keys, places),
        free=free(question, places),
        count=places["limit"],
        backwards=backwards,
    )


def _levels(question: Question, steps: tuple[Step, ...], backwards: bool, places: Places) -> Statement | None:
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
            column_names((Key(LIKENESS), *order), places),
            free=free(question, places),
            count=places["limit"],
            backwards=backwards,
            gathered=step.is_gathered,
        )
        if statement is not None:
            statements.append(statement)
    return one_after_the_other(statements, enough=places["limit"]) if statements else None


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


def _is_walked(question: Question, keys: tuple[Key, ...], part: Part, backwards: bool, places: Places) -> bool:
    """Whether the page is read in the order of an index, and no other way may be better for some values."""
    others = {"latitude", "box_south"} & places.keys()
    if question.words or others or part.rows is not Rows.ALL:
        return False
    if any(kind_named(code).indexed & set(names) for code, names in question.parts or ()):
        return False
    return COLUMNS & places.keys() in WALKED.get(tuple(key.name for key in keys), frozenset())


def page_statement(
    rows: QuerySet[Listing],
    order: Sequence[Key],
    names: Sequence[str],
    *,
    free: Q,
    count: Parameter,
    backwards: bool,
    gathered: bool = False,
) -> Statement | None:
    """The statement that reads these columns of the first `count` rows in the order for which `free` is true.

    `gathered` has all candidates gathered and sorted, rather than looked for in the order of the page: right where they may
    be few or none and the planner cannot know. None where there can be no rows.
    """
    try:
        if gathered:
            return _gathered(rows, order, names, free=free, count=count, backwards=backwards)
        rows = rows.order_by(*(key.order(backwards=backwards) for key in order))
        if not free:
            sql, values = rows.values_list(*names).query.sql_with_params()
            return f"{sql} LIMIT %s", (*values, count.value)
        # What is selected is worked out after the sorting, row by row as they are asked for, and not at all for others.
        rows = rows.annotate(is_free=ExpressionWrapper(free, output_field=BooleanField()))
        sql, values = rows.values_list(*names, "is_free").query.sql_with_params()
    except EmptyResultSet:
        return None
    columns = ", ".join(f'"{name}"' for name in names)
    return (
        f'SELECT {columns} FROM ({sql} OFFSET 0) AS candidate WHERE {IN_ORDER} AND "is_free" LIMIT %s',
        (*values, count.value),
    )


def _gathered(
    rows: QuerySet[Listing],
    order: Sequence[Key],
    names: Sequence[str],
    *,
    free: Q,
    count: Parameter,
    backwards: bool,
) -> Statement:
    some, values = rows.order_by().values_list(*names).query.sql_with_params()
    terms = ", ".join(key.term(backwards=backwards) for key in order)
    candidates = f"SELECT * FROM ({some} OFFSET 0) AS gathered ORDER BY {terms}"
    if not free:
        return f"{candidates} LIMIT %s", (*values, count.value)
    itself = Exact(F("pk"), RawSQL('candidate."id"', ()))
    question, asked = Listing.objects.filter(Q(itself) & free).order_by().values("pk").query.sql_with_params()
    return (
        f"SELECT * FROM ({candidates} OFFSET 0) AS candidate WHERE {IN_ORDER} AND EXISTS ({question} OFFSET 0) LIMIT %s",
        (*values, *asked, count.value),
    )


def one_after_the_other(statements: Sequence[Statement], *, enough: Parameter) -> Statement:
    """One statement for all: the rows of each, but none of a statement before which there were enough already."""
    parts: list[str] = []
    values: list[Any] = []
    for number, (sql, own) in enumerate(statements):
        if number:
            so_far = " + ".join(f"(SELECT count(*) FROM part_{earlier})" for earlier in range(number))
            sql = f"SELECT * FROM ({sql}) AS rest WHERE {so_far} < %s"
            own = (*own, enough.value)
        parts.append(f"part_{number} AS MATERIALIZED ({sql})")
        values += own
    everything = " UNION ALL ".join(f"SELECT * FROM part_{number}" for number in range(len(parts)))
    return f"WITH {', '.join(parts)} {everything}", tuple(values)


PAGE = Shaped("search", _page, is_steady=_is_walked)
LEVELS = Shaped("search_by_likeness", _levels)
COUNT = Shaped("search_count", _count)
EXISTS = Shaped("search_beyond", _exists)
