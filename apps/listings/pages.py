"""How the rows of a page of a search are read: none more than the page needs is asked whether its calendar is free.

Left to itself the planner works out for every listing of a city whether it is free and sorts those that are, where it takes
them for few. Here the candidates come in the order of the page from a subquery that cannot be merged with what is asked of
each, so that the questions end with the last row of the page.
"""

# ruff: noqa: S608
# The names put into statements are those of this file and of models; values stay parameters.

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.lookups import Exact

from apps.core.keyset import Key
from apps.listings.models import Listing

Statement = tuple[str, tuple[Any, ...]]

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
    count: int,
    backwards: bool,
    gathered: bool = False,
) -> Statement | None:
    """The statement that reads these columns of the first `count` rows in the order for which `free` is true.

    `gathered` has all candidates gathered and sorted, rather than looked for in the order of the page: right where they may
    be few or none and the planner cannot know. None where there can be no rows.
    """
    rows = rows.values_list(*names)
    in_order = rows.order_by(*(key.order(backwards=backwards) for key in order))
    try:
        if gathered:
            some, values = rows.order_by().query.sql_with_params()
            terms = ", ".join(key.term(backwards=backwards) for key in order)
            candidates = f"SELECT * FROM ({some} OFFSET 0) AS gathered ORDER BY {terms}"
            if not free:
                return f"{candidates} LIMIT {count}", values
        elif not free:
            return in_order[:count].query.sql_with_params()
        else:
            candidates, values = in_order.query.sql_with_params()
        itself = Exact(F("pk"), RawSQL('candidate."id"', ()))
        question, asked = Listing.objects.filter(Q(itself) & free).order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return None
    sql = f"SELECT * FROM ({candidates} OFFSET 0) AS candidate WHERE {IN_ORDER} AND EXISTS ({question} OFFSET 0) LIMIT {count}"
    return sql, (*values, *asked)


def one_after_the_other(statements: Sequence[Statement], *, enough: int) -> Statement:
    """One statement for all: the rows of each, but none of a statement before which there were enough already."""
    parts: list[str] = []
    values: list[Any] = []
    for number, (sql, own) in enumerate(statements):
        if number:
            so_far = " + ".join(f"(SELECT count(*) FROM part_{earlier})" for earlier in range(number))
            sql = f"SELECT * FROM ({sql}) AS rest WHERE {so_far} < {enough}"
        parts.append(f"part_{number} AS MATERIALIZED ({sql})")
        values += own
    everything = " UNION ALL ".join(f"SELECT * FROM part_{number}" for number in range(len(parts)))
    return f"WITH {', '.join(parts)} {everything}", tuple(values)


def fetched(statement: Statement | None) -> list[tuple[Any, ...]]:
    """The rows of the statement."""
    if statement is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
