"""The order of a search: how a page's rows are brought in it, and asked for no longer than until the page is full.

Left to itself the planner works out for every listing of a city whether it is free and sorts those that are, where it takes
them for few. Here the candidates come in the order of the page from a subquery that cannot be merged with what is asked of
each, so that the questions end with the last row of the page.
"""

# ruff: noqa: S608
# The names put into statements are those of this file and of models; values stay parameters.

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.lookups import Exact

from apps.core.keyset import Key
from apps.core.reads import Parameter
from apps.core.shapes import Statement
from apps.listings.models import Listing

# The rows of a subquery come in its order unless several processes share the work, which this function, always true of
# what it is asked, is not allowed in. To sort the few rows again would not do: for a sort the planner has the candidates
# worked out all at once instead of one after the other.
IN_ORDER = "pg_backend_pid() <> 0"


def page_statement(
    rows: QuerySet[Listing],
    order: Sequence[Key],
    names: Sequence[str],
    *,
    free: Q,
    count: Value,
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
    count: Value,
    backwards: bool,
) -> Statement:
    some = rows.order_by().values_list(*names).query.sql_with_params()
    candidates, values = sort_all(some, order, backwards=backwards)
    if not free:
        return f"{candidates} LIMIT %s", (*values, count.value)
    itself = Exact(F("pk"), RawSQL('candidate."id"', ()))
    question, asked = Listing.objects.filter(Q(itself) & free).order_by().values("pk").query.sql_with_params()
    return (
        f"SELECT * FROM ({candidates} OFFSET 0) AS candidate WHERE {IN_ORDER} AND EXISTS ({question} OFFSET 0) LIMIT %s",
        (*values, *asked, count.value),
    )


def sort_all(some: Statement, order: Sequence[Key], *, backwards: bool) -> Statement:
    """These rows in the order, all of them gathered before."""
    terms = ", ".join(key.term(backwards=backwards) for key in order)
    return f"SELECT * FROM ({some[0]} OFFSET 0) AS gathered ORDER BY {terms}", some[1]


def one_after_the_other(statements: Sequence[Statement], *, enough: Parameter) -> Statement:
    """One statement for the first `enough` rows: those of each, and none of a statement before which there were enough."""
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
    return f"WITH {', '.join(parts)} {everything} LIMIT %s", (*values, enough.value)


def one_or_the_other(first: Statement, second: Statement, *, enough: Parameter) -> Statement:
    """One statement for both: the rows of the first where these are enough, and else those of the second."""
    had = "(SELECT count(*) FROM first)"
    return (
        f"WITH first AS MATERIALIZED ({first[0]}), second AS MATERIALIZED (SELECT * FROM ({second[0]}) AS found "
        f"WHERE {had} < %s) SELECT * FROM first WHERE {had} >= %s UNION ALL SELECT * FROM second",
        (*first[1], *second[1], enough.value, enough.value),
    )
