"""Reads of listings: always "visible to whom"."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import DateTimeField, F, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Lower
from django.db.models.lookups import Exact, GreaterThanOrEqual, IsNull

from apps.core.keyset import Key, Slice, exists_beyond, read_slice
from apps.listings.geo import around, distance_km_to, inside, within
from apps.listings.kinds import Kind, all_kinds, relations
from apps.listings.models import Listing, ListingStatus
from apps.listings.ranking import ranking, stars
from apps.listings.search import KIND_FIELDS, ListingOrder, ListingSearch
from apps.listings.words import SoughtWord, finding, sought_words
from apps.users.models import User, UserRole

PUBLISHED = Q(status=ListingStatus.PUBLISHED, deleted_at=None)


def visible_to(viewer: User | None) -> QuerySet[Listing]:
    """Published listings to everybody, those of any status to their host and to staff. A deleted one to nobody."""
    if viewer is None:
        return Listing.objects.filter(PUBLISHED)
    if viewer.role == UserRole.STAFF:
        return Listing.objects.filter(deleted_at=None)
    return Listing.objects.filter(Q(status=ListingStatus.PUBLISHED) | Q(host=viewer), deleted_at=None)


def listings_of(*, host_id: int, viewer: User | None) -> QuerySet[Listing]:
    """What a host offers, as far as the viewer may see it. To be read newest first."""
    return with_relations(visible_to(viewer).filter(host=host_id))


def with_relations(rows: QuerySet[Listing]) -> QuerySet[Listing]:
    """Listings with their host and their kind's own row, in the same statement."""
    return rows.select_related("host", *relations())


def listings_by_id(*, listing_ids: Iterable[int], viewer: User | None) -> dict[int, Listing]:
    """Those of the listings that the viewer may see, with host and kind. What a booking shows to its guest is not in here."""
    return with_relations(visible_to(viewer)).in_bulk(list(listing_ids))


def archived_by_id(*, listing_ids: Iterable[int]) -> dict[int, Listing]:
    """Those of the listings that are archived; for viewers of whom the caller knows that they booked them."""
    return with_relations(Listing.objects.filter(status=ListingStatus.ARCHIVED, deleted_at=None)).in_bulk(
        list(listing_ids)
    )


def any_listings_by_id(*, listing_ids: Iterable[int]) -> dict[int, Listing]:
    """The listings whatever their state, deleted ones too; for whoever reaches them through something of their own."""
    return with_relations(Listing.objects.all()).in_bulk(list(listing_ids))


def find_listings(*, search: ListingSearch, order: ListingOrder, now: datetime) -> "FoundListings":
    """What the search finds among the published listings, in the order."""
    return FoundListings(search=search, order=order, now=now)


class FoundListings:
    """A search that reads what is asked of it: a page, the number of all, whether there is more.

    A page is two statements for any number of listings: the keys of its rows alone, and then those rows with host and
    kind. `text` costs one more. Listings found near a place carry `distance_km`, the number that was compared.
    """

    def __init__(self, *, search: ListingSearch, order: ListingOrder, now: datetime) -> None:
        words = sought_words(search.text) if search.text else []
        kinds = _kinds_in_question(search)
        ranked = ranking(search=search, order=order, words=words, start=_start(kinds))
        self.keys: tuple[Key, ...] = ranked.keys
        self._near = search.near
        rows = Listing.objects.filter(PUBLISHED)
        if search.text and not words:
            rows = rows.none()
        rows = _filtered(rows, search, words, now)
        if search.near is not None:
            bounds = around(search.near)
            rows = rows.filter(within(search.near), *([inside(bounds)] if bounds else []))
        self._rows = rows.annotate(**ranked.computed)
        # The order by start is read in two parts, each by an index of its own: what takes place, and what is always there.
        self._has_parts = "rank_start" in ranked.computed

    def page(self, *, limit: int, place: Sequence[Any] | None = None, backwards: bool = False) -> Slice[Listing]:
        """At most `limit` listings after the place, or before it. They carry the values of `keys`."""
        if self._has_parts:
            part = self._part_by_start(limit=limit, place=place, backwards=backwards)
        else:
            part = self._read(self._rows, self.keys, limit=limit, place=place, backwards=backwards)
        return Slice(_hydrated(part.rows), part.has_more)

    def _read(
        self,
        rows: QuerySet[Listing],
        order: Sequence[Key],
        *,
        limit: int,
        place: Sequence[Any] | None,
        backwards: bool,
    ) -> Slice[Any]:
        names = dict.fromkeys(["id", *(key.name for key in self.keys)])
        if self._near is not None:
            rows = rows.annotate(distance_km=distance_km_to(self._near))
            names["distance_km"] = None
        return read_slice(rows.values_list(*names, named=True), order, limit=limit, place=place, backwards=backwards)

    def _part_by_start(self, *, limit: int, place: Sequence[Any] | None, backwards: bool) -> Slice[Any]:
        timed, always = (self._rows.filter(IsNull(F("rank_start"), missing)) for missing in (False, True))
        is_timed = None if place is None else place[0] is not None
        first: Slice[Any] = Slice([], False)
        if not backwards:
            if is_timed is not False:
                first = self._read(timed, self.keys, limit=limit, place=place, backwards=False)
                if first.has_more:
                    return first
            rest = self._read(
                always,
                self.keys[1:],
                limit=limit - len(first.rows),
                place=place[1:] if place is not None and not is_timed else None,
                backwards=False,
            )
            return Slice(first.rows + rest.rows, rest.has_more)
        if is_timed is not True:
            first = self._read(
                always, self.keys[1:], limit=limit, place=None if place is None else place[1:], backwards=True
            )
            if first.has_more:
                return first
        rest = self._read(
            timed, self.keys, limit=limit - len(first.rows), place=place if is_timed else None, backwards=True
        )
        return Slice(rest.rows + first.rows, rest.has_more)

    def count(self) -> int:
        """How many there are in all."""
        return self._rows.order_by().count()

    def exists(self, place: Sequence[Any], backwards: bool, including: bool) -> bool:
        """Whether a listing lies after the place (before it when backwards), with `including` also at it."""
        return exists_beyond(self._rows, self.keys, place, backwards=backwards, including=including)


def _hydrated(found: list[Any]) -> list[Listing]:
    """The listings of the rows, in their order, with what the rows computed."""
    listings = with_relations(Listing.objects.all()).in_bulk([row.id for row in found])
    hydrated = []
    for row in found:
        # One that was deleted for good between the two statements is no longer there.
        if (listing := listings.get(row.id)) is not None:
            for name, value in row._asdict().items():
                setattr(listing, name, value)
            hydrated.append(listing)
    return hydrated


def _kinds_in_question(search: ListingSearch) -> list[Kind]:
    return [kind for kind in all_kinds() if search.kinds is None or kind.code in search.kinds]


def _start(kinds: Sequence[Kind]) -> Combinable | None:
    paths = [F(kind.start_path) for kind in kinds if kind.start_path]
    if not paths:
        return None
    return paths[0] if len(paths) == 1 else Coalesce(*paths, output_field=DateTimeField())


def _filtered(
    rows: QuerySet[Listing], search: ListingSearch, words: Sequence[SoughtWord], now: datetime
) -> QuerySet[Listing]:
    if words:
        rows = rows.filter(finding(words))
    if search.city:
        rows = rows.filter(Exact(Lower("city"), Lower(Value(search.city))))
    if search.host_id is not None:
        rows = rows.filter(host=search.host_id)
    if search.currency:
        rows = rows.filter(currency=search.currency)
    if search.min_price_minor is not None:
        rows = rows.filter(price_minor__gte=search.min_price_minor)
    if search.max_price_minor is not None:
        rows = rows.filter(price_minor__lte=search.max_price_minor)
    if search.min_rating is not None:
        # The unrated count as 0 in the index: only asking for 0 and more would let them in.
        rows = rows.filter(GreaterThanOrEqual(stars(), Decimal(repr(search.min_rating))), rating_count__gt=0)
    if search.box is not None:
        rows = rows.filter(inside(search.box))
    return _of_kinds(rows, search, now)


def _of_kinds(rows: QuerySet[Listing], search: ListingSearch, now: datetime) -> QuerySet[Listing]:
    """The kinds' own parts of the filter, joined by OR; none where nothing is asked of them."""
    if not search.asks_for(*KIND_FIELDS):
        return rows if search.kinds is None else rows.filter(kind__in=sorted(search.kinds))
    parts = []
    for kind in _kinds_in_question(search):
        part = kind.search_filter(search, now=now)
        if part is not None:
            parts.append(Q(kind=kind.code) & part)
    return rows.filter(reduce(or_, parts)) if parts else rows.none()
