"""Relay connections over keyset pages.

    ReviewConnection = connection_type(Review)

    class Listing(...):
        reviews = connection_field(ReviewConnection, description="Its reviews, newest first.")

        def resolve_reviews(parent: ListingModel, info: Info, **arguments: object) -> Connection:
            page = read_page(info, arguments, owner=parent.pk)
            return paginate(reviews_of(listing=parent, viewer=info.context.user), NEWEST, page)

On Query, where a field needs a permission: `connection_field(..., permission=anyone, filter=graphene.Argument(...))`.

For a connection inside a list, read the pages of all parents at once, in a batch function:

    def review_pages(context: Context, keys: list[tuple[int, Page]]) -> dict[tuple[int, Page], Connection]:
        return paginate_many(reviews_visible_to(context.user), NEWEST, keys, parent="listing_id")

    def resolve_reviews(parent, info, **arguments):
        return info.context.load(review_pages, (parent.pk, read_page(info, arguments, owner=parent.pk)))

A cursor carries the keys of its row under a keyed digest (BLAKE2b) over the field, its owner and its other arguments: a
cursor that was changed, or that another connection, filter or order gave out, is BAD_USER_INPUT. `totalCount` and the far
side of `pageInfo` cost a query only when they are asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import graphene
from django.db.models import Count, F, QuerySet

from apps.core.keyset import Key, Slice, exists_beyond, key_of, key_reader, keys, read_slice, read_slices
from schema.core.cursors import cursor_writer, read_cursor
from schema.core.errors import BadUserInput
from schema.core.permissions import Permission, RootField

if TYPE_CHECKING:
    from apps.core.along import Along
    from apps.core.read_pages import ReadPages
    from schema.core.context import Info

DEFAULT_PAGE = 20
LARGEST_PAGE = 100

NEWEST = keys("-created_at", "-id")
PAGE_ARGUMENTS = frozenset({"first", "after", "last", "before"})
SCOPES = json.JSONEncoder(sort_keys=True, default=str)


class PageInfo(graphene.ObjectType):
    """Where a page of a connection begins and ends, and whether there is more on either side."""

    has_next_page = graphene.Boolean(required=True, description="Whether something follows this page.")
    has_previous_page = graphene.Boolean(required=True, description="Whether something precedes this page.")
    start_cursor = graphene.String(description="The cursor of the first edge; null on an empty page.")
    end_cursor = graphene.String(description="The cursor of the last edge; null on an empty page.")


def connection_type(node_type: Any) -> Any:
    """`XConnection`, with its `XEdge`, for the graphene type X. Call it once for each type."""
    name = node_type._meta.name
    edge = type(
        f"{name}Edge",
        (graphene.ObjectType,),
        {
            "__doc__": f"One place in a connection of {name}.",
            "__module__": node_type.__module__,
            "cursor": graphene.String(required=True, description="Continue from here with `after` or `before`."),
            "node": graphene.Field(node_type, required=True, description="What is at this place."),
        },
    )
    return type(
        f"{name}Connection",
        (graphene.ObjectType,),
        {
            "__doc__": f"A page of a list of {name}.",
            "__module__": node_type.__module__,
            "edges": graphene.List(graphene.NonNull(edge), required=True, description="The places of this page."),
            "page_info": graphene.Field(PageInfo, required=True, description="How this page lies in the whole list."),
            "total_count": graphene.Int(
                required=True, description="How many there are in all; counted only when it is asked for."
            ),
            "Edge": edge,
        },
    )


def page_arguments() -> dict[str, graphene.Argument]:
    """The four arguments of every connection."""
    return {
        "first": graphene.Int(
            description=f"How many from the start or after the cursor: {DEFAULT_PAGE} unless said, at most {LARGEST_PAGE}."
        ),
        "after": graphene.String(description="Only what follows this cursor."),
        "last": graphene.Int(description=f"How many from the end, or before the cursor; {LARGEST_PAGE} at most."),
        "before": graphene.String(description="Only what precedes this cursor."),
    }


def connection_field(
    connection: Any, *, description: str, permission: Permission | None = None, **arguments: Any
) -> graphene.Field:
    """A non-null field with the page arguments and further ones. Root fields need the permission."""
    # The contract writes a search's own arguments before the page's.
    options = {"required": True, "description": description, **arguments, **page_arguments()}
    if permission is not None:
        return RootField(connection, permission=permission, **options)
    return graphene.Field(connection, **options)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a connection is wanted: `limit` rows from `place` on, or towards the start when `backwards`.

    `scope` is the connection it is a part of; cursors are good within it only.
    """

    limit: int
    backwards: bool
    place: tuple[Any, ...] | None
    scope: bytes

    @property
    def is_first(self) -> bool:
        """Whether it is read from the start on."""
        return self.place is None and not self.backwards


def read_page(info: Info, arguments: Mapping[str, Any], *, owner: object = "") -> Page:
    """The page that the arguments of a connection field ask for.

    `arguments` are all arguments of the field: those beside the page's own tell connections apart, and so does `owner`,
    the key of the object that the field is read on.

    Raises BadUserInput for a negative size, both directions at once, and a cursor that is
    unreadable or of another connection.
    """
    first, last = arguments.get("first"), arguments.get("last")
    after, before = arguments.get("after"), arguments.get("before")
    if first is not None and last is not None:
        raise BadUserInput("Give first or last, not both.")
    if (first is not None and first < 0) or (last is not None and last < 0):
        raise BadUserInput("first and last must not be negative.")
    if (after is not None and last is not None) or (before is not None and first is not None):
        raise BadUserInput("after goes with first, and before goes with last.")
    if after is not None and before is not None:
        raise BadUserInput("Give after or before, not both.")
    backwards = last is not None or before is not None
    size = last if backwards else first
    cursor = before if backwards else after
    scope = _scope(info, arguments, owner)
    return Page(
        limit=min(DEFAULT_PAGE if size is None else size, LARGEST_PAGE),
        backwards=backwards,
        place=None if cursor is None else read_cursor(cursor, scope),
        scope=scope,
    )


def _scope(info: Info, arguments: Mapping[str, Any], owner: object) -> bytes:
    others = {name: value for name, value in arguments.items() if name not in PAGE_ARGUMENTS}
    named = (info.parent_type.name, info.field_name, str(owner))
    return _digest(*named, others) if others else _plain_scope(*named)


@lru_cache(maxsize=1024)
def _plain_scope(type_name: str, field_name: str, owner: str) -> bytes:
    """The same for all pages of a list that is asked for nothing but a page."""
    return _digest(type_name, field_name, owner, {})


def _digest(*named: Any) -> bytes:
    return hashlib.sha256(SCOPES.encode(named).encode()).digest()


class Edge:
    """One row. Its cursor is made only when it is asked for."""

    __slots__ = ("_cursor", "node")

    def __init__(self, node: Any, cursor: Callable[[Any], str]) -> None:
        self.node = node
        self._cursor = cursor

    @property
    def cursor(self) -> str:
        return self._cursor(self.node)


class PageFacts:
    """`pageInfo`. The side that the page was read towards is known; the other one is looked up when it is asked for."""

    def __init__(self, edges: list[Edge], *, next_page: Callable[[], bool], previous_page: Callable[[], bool]) -> None:
        self._edges = edges
        self._next_page = next_page
        self._previous_page = previous_page

    @cached_property
    def has_next_page(self) -> bool:
        return self._next_page()

    @cached_property
    def has_previous_page(self) -> bool:
        return self._previous_page()

    @property
    def start_cursor(self) -> str | None:
        return self._edges[0].cursor if self._edges else None

    @property
    def end_cursor(self) -> str | None:
        return self._edges[-1].cursor if self._edges else None


class Connection:
    """What a connection field returns. `count` may return a deferred value."""

    def __init__(self, edges: list[Edge], page_info: PageFacts, count: Callable[[], Any]) -> None:
        self.edges = edges
        self.page_info = page_info
        self._count = count

    @property
    def total_count(self) -> Any:
        return self._count()


def connection_of(
    part: Slice[Any],
    page: Page,
    order: Sequence[Key],
    *,
    count: Callable[[], Any],
    exists: Callable[[tuple[Any, ...], bool, bool], bool],
) -> Connection:
    """A connection over rows that were read elsewhere (raw SQL, a batch).

    `exists(place, backwards, including)` answers whether a row lies beyond a place, for the side that was not read.
    """

    key: Callable[[Any], tuple[Any, ...]] | None = None
    write: Callable[[Sequence[Any]], str] | None = None

    def cursor(row: Any) -> str:
        nonlocal key, write
        if key is None or write is None:
            # Most pages are shown without cursors.
            key, write = key_reader(order), cursor_writer(page.scope)
        return write(key(row))

    def far_side() -> bool:
        if part.rows:
            edge = part.rows[-1] if page.backwards else part.rows[0]
            # Nothing lies before the start of a list that was read from its start.
            return page.place is not None and exists(key_of(edge, order), not page.backwards, False)
        return page.place is not None and exists(page.place, not page.backwards, True)

    def near_side() -> bool:
        return part.has_more

    edges = [Edge(row, cursor) for row in part.rows]
    sides = (far_side, near_side) if page.backwards else (near_side, far_side)
    return Connection(edges, PageFacts(edges, next_page=sides[0], previous_page=sides[1]), count)


def paginate(
    rows: QuerySet[Any], order: Sequence[Key], page: Page, *, count: Callable[[], Any] | None = None
) -> Connection:
    """The page of a query set in the order. One query; `count` replaces the plain COUNT of `totalCount`."""
    part = read_slice(rows, order, limit=page.limit, place=page.place, backwards=page.backwards)
    return connection_of(
        part,
        page,
        order,
        count=count or (lambda: rows.order_by().count()),
        exists=lambda place, backwards, including: exists_beyond(
            rows, order, place, backwards=backwards, including=including
        ),
    )


def paginate_many(
    rows: QuerySet[Any], order: Sequence[Key], wanted: Iterable[tuple[Any, Page]], *, parent: str
) -> dict[tuple[Any, Page], Connection]:
    """The pages of many parents: one query for all that ask alike, and one more for all their counts when one is asked
    for.
    """

    def read(owners: Iterable[Any], **part: Any) -> dict[Any, Slice[Any]]:
        return read_slices(rows, order, parent=parent, parents=owners, **part)

    return _connections(wanted, order, read, lambda: rows, parent=parent)


def _connections(
    wanted: Iterable[tuple[Any, Page]],
    order: Sequence[Key],
    read: Callable[..., dict[Any, Slice[Any]]],
    rows: Callable[[], QuerySet[Any]],
    *,
    parent: str,
) -> dict[tuple[Any, Page], Connection]:
    alike: dict[tuple[Any, ...], list[tuple[Any, Page]]] = {}
    for key in wanted:
        page = key[1]
        alike.setdefault((page.limit, page.backwards, page.place), []).append(key)
    totals = _Totals(rows, parent, [owner for keys_ in alike.values() for owner, _ in keys_])
    connections = {}
    for (limit, backwards, place), its in alike.items():
        parts = read({owner for owner, _ in its}, limit=limit, place=place, backwards=backwards)
        for owner, page in its:
            connections[owner, page] = connection_of(
                parts[owner],
                page,
                order,
                count=lambda owner=owner: totals.of(owner),
                exists=lambda place, backwards, including, owner=owner: exists_beyond(
                    rows().filter(**{parent: owner}), order, place, backwards=backwards, including=including
                ),
            )
    return connections


def paginate_read(
    pages: ReadPages[Any], page: Page, *shape: Hashable, along: Sequence[Along] = (), **values: Any
) -> Connection:
    """The page of a list that is read compiled. One statement, with all of `along`."""
    part = pages.slice(*shape, limit=page.limit, place=page.place, backwards=page.backwards, along=along, **values)
    return connection_of(
        part,
        page,
        pages.order,
        count=lambda: pages.query_set(*shape, **values).count(),
        exists=lambda place, backwards, including: exists_beyond(
            pages.query_set(*shape, **values), pages.order, place, backwards=backwards, including=including
        ),
    )


def paginate_each(
    pages: ReadPages[Any],
    wanted: Iterable[tuple[int, Page]],
    *shape: Hashable,
    came: dict[int, list[Any]] | None = None,
    **values: Any,
) -> dict[tuple[int, Page], Connection]:
    """The pages of many parents, as `paginate_many` has them, of a list that is read compiled.

    `came` is what came along with the parents, where all that is wanted is their first page.
    """

    def read(owners: Iterable[int], **part: Any) -> dict[int, Slice[Any]]:
        if came is not None:
            return pages.first_slices(came, limit=part["limit"])
        return pages.slices(owners, *shape, **part, **values)

    return _connections(wanted, pages.order, read, lambda: pages.query_set(*shape, **values), parent=pages.parent)


class _Totals:
    """The number of rows of each parent, counted together at the first question."""

    def __init__(self, rows: Callable[[], QuerySet[Any]], parent: str, owners: list[Any]) -> None:
        self._rows, self._parent, self._owners = rows, parent, owners

    @cached_property
    def _counts(self) -> dict[Any, int]:
        own = self._rows().filter(**{f"{self._parent}__in": self._owners}).order_by()
        return dict(own.values(self._parent).annotate(number=Count(F("pk"))).values_list(self._parent, "number"))

    def of(self, owner: Any) -> int:
        return self._counts.get(owner, 0)
