"""Finding listings: one, or those of a search."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import graphene
from django.db import OperationalError

from apps.bookings.quotes import QuoteResult
from apps.bookings.selectors import booked_listing_ids
from apps.core.along import Along
from apps.core.errors import NotFound
from apps.core.families import AVAILABILITY, LISTINGS
from apps.core.timeouts import took_too_long
from apps.core.versions import only
from apps.listings.models import Listing as ListingRow
from apps.listings.search import KIND_FIELDS
from apps.listings.selectors import archived_by_id, find_listings, listings_by_id
from schema.core.caching import Policy, Varies, declare, remembered
from schema.core.context import Context, Info
from schema.core.errors import QueryTooComplex
from schema.core.ids import split_global_id
from schema.core.lookahead import NOTHING_ALONG, lookahead_of
from schema.core.nodes import find_node, register_node
from schema.core.pagination import Connection, connection_field, connection_of, read_page
from schema.core.permissions import RootField, anyone
from schema.kinds import kind_types as all_kind_types
from schema.listings.along import ALONG
from schema.listings.columns import SETS
from schema.listings.filters import ListingFilter, ListingOrderEnum, read_order, read_search
from schema.listings.types import Listing, ListingConnection, kind_types, listing_type_names, quote_arguments, quote_of
from schema.listings.values import Quote

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A count reads all that the search finds, a page only its own rows.
COUNT = declare(
    Policy("ListingConnection.totalCount", invalidated_by=(LISTINGS,), varies_by=Varies.NOTHING, is_dear=True)
)
FREE_COUNT = declare(
    Policy(
        "ListingConnection(of what is free).totalCount",
        invalidated_by=(LISTINGS, AVAILABILITY),
        varies_by=Varies.NOTHING,
        is_dear=True,
        is_timed=True,
    )
)


def _in_time(read: Callable[[], T]) -> T:
    """What is read of a search. One that takes longer than a statement may is refused for what it asks: tried again, it
    takes as long.
    """
    try:
        return read()
    except OperationalError as error:
        if not took_too_long(error):
            raise
        logger.warning("A search takes too long: %s", error)
        raise QueryTooComplex(
            "This search takes too long. Ask for a place or a kind, or do without the count."
        ) from error


def visible_listings(
    context: Context, listing_ids: list[int], kinds: frozenset[str] | None = None, along: Sequence[Along] = ()
) -> dict[int, ListingRow]:
    """Those of the listings that the caller may see: archived ones too, where the account has a booking of it.

    With `kinds` only those of these kinds are of use. `along` comes with those that are not archived.
    """
    with only(LISTINGS, *listing_ids):
        found = listings_by_id(listing_ids=listing_ids, viewer=context.user, kinds=kinds, along=along)
    hidden = [pk for pk in listing_ids if pk not in found]
    if hidden and context.user is not None:
        booked = booked_listing_ids(viewer=context.user, listing_ids=hidden)
        if booked:
            found.update(archived_by_id(listing_ids=booked, kinds=kinds))
    return found


def _fetch_of(kind: str, type_name: str) -> Callable[[Context, list[int]], dict[int, ListingRow]]:
    kinds = frozenset({kind})

    def fetch(context: Context, listing_ids: list[int]) -> dict[int, ListingRow]:
        # The children of many are read in a statement each, for all of them.
        ahead = lookahead_of(context, type_name, listing_ids[0], ALONG) if len(listing_ids) == 1 else NOTHING_ALONG
        with ahead.reading(listing_ids):
            found = visible_listings(context, listing_ids, kinds, ahead.along)
        found = {pk: listing for pk, listing in found.items() if listing.kind == kind}
        ahead.hand_over(context, list(found.values()))
        return found

    return fetch


# Importing schema.kinds has filled `kind_types`.
assert all_kind_types()
for _code, _type in kind_types.items():
    register_node(_type, _fetch_of(_code, _type._meta.name))


def find_listing(context: Context, global_id: str, shown_by: Info | None = None) -> Any:
    """The listing with the id, deferred; None when there is none that the caller may see."""
    parts = split_global_id(global_id)
    if parts is None or parts[0] not in listing_type_names():
        return None
    return find_node(context, global_id, shown_by)


class ListingQueries:
    """Mixed into Query."""

    listing = RootField(
        Listing,
        id=graphene.ID(required=True, description="The listing's id."),
        permission=anyone,
        description="The listing with this id; null when there is none that you may see.",
    )
    listings = connection_field(
        ListingConnection,
        permission=anyone,
        filter=graphene.Argument(
            ListingFilter, description="What they must be like; none given: all that are published."
        ),
        order_by=graphene.Argument(
            ListingOrderEnum, default_value="RELEVANCE", description="In which order they come."
        ),
        description="Published listings of all hosts.",
    )
    quote = RootField(
        graphene.NonNull(Quote),
        listing_id=graphene.ID(required=True, description="The listing's id."),
        **quote_arguments(),
        permission=anyone,
        description="What a booking of the listing would cost, and whether it is free.",
    )

    def resolve_listing(root: None, info: Info, id: str) -> Any:  # noqa: A002
        return find_listing(info.context, id, shown_by=info)

    def resolve_listings(root: None, info: Info, **arguments: Any) -> Connection:
        page = read_page(info, arguments)
        search = read_search(arguments.get("filter"))
        order = read_order(arguments.get("order_by"), search)
        context = info.context
        # The moment matters to the kinds alone, and they are asked only what is about them.
        policy, now = (FREE_COUNT, context.now) if search.asks_for(*KIND_FIELDS) else (COUNT, context.instant)
        found = find_listings(search=search, order=order, now=now)
        shown = SETS.below(info)
        part = _in_time(lambda: found.page(limit=page.limit, place=page.place, backwards=page.backwards, shown=shown))

        def count() -> Any:
            if context.kept is None:
                return counted()
            return remembered(context, policy, policy.key(context, arguments.get("filter")), counted)

        def counted() -> int:
            return _in_time(found.count)

        def exists(*place: Any) -> bool:
            return _in_time(lambda: found.exists(*place))

        return connection_of(part, page, found.keys, count=count, exists=exists)

    async def resolve_quote(root: None, info: Info, listing_id: str, **arguments: Any) -> QuoteResult | None:
        deferred = find_listing(info.context, listing_id)
        listing = None if deferred is None else await deferred
        if listing is None:
            return QuoteResult(errors=[NotFound("There is no such listing.", field="listing_id")])
        return await quote_of(info.context, listing, arguments)
