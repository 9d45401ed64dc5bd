"""Reads of listings: always "visible to whom"."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import DateTimeField, F, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Lower
from django.db.models.lookups import Exact, GreaterThanOrEqual, IsNull

from apps.core.keyset import Key, Slice, beyond, exists_beyond, read_slice, slice_of
from apps.core.reads import INTEGER, INTEGERS, OneOf, Parameter, Read
from apps.listings.geo import distance_km_to, inside, reached, within
from apps.listings.kinds import Kind, all_kinds, relations
from apps.listings.models import Listing, ListingStatus
from apps.listings.pages import Statement, fetched, one_after_the_other, page_statement
from apps.listings.ranking import ranking, stars
from apps.listings.search import KIND_FIELDS, ListingOrder, ListingSearch
from apps.listings.words import FREQUENT, Level, finding, levels, sought_words
from apps.users.models import User, UserRole
from apps.users.selectors import UNSHOWN

PUBLISHED = Q(status=ListingStatus.PUBLISHED, deleted_at=None)


def visible_to(viewer: User | None) -> QuerySet[Listing]:
    """Published listings to everybody, those of any status to their host and to staff. A deleted one to nobody."""
    return _seen(_sight_of(viewer), None if viewer is None else viewer.pk)


def listings_of(*, host_id: int, viewer: User | None) -> QuerySet[Listing]:
    """What a host offers, as far as the viewer may see it. To be read newest first."""
    return with_relations(visible_to(viewer).filter(host=host_id))


def with_relations(rows: QuerySet[Listing]) -> QuerySet[Listing]:
    """Listings with their host and their kind's own row, in the same statement."""
    return rows.select_related("host", *relations())


class Sight(Enum):
    """Which listings are meant: those that somebody sees, or all of a state."""

    ANYBODY = "what is published"
    PERSON = "that, and the viewer's own"
    STAFF = "what is not deleted"
    ARCHIVED = "what is archived"
    ALL = "what there ever was"


def _seen(sight: Sight, viewer_id: Any) -> QuerySet[Listing]:
    match sight:
        case Sight.ANYBODY:
            return Listing.objects.filter(PUBLISHED)
        case Sight.PERSON:
            return Listing.objects.filter(Q(status=ListingStatus.PUBLISHED) | Q(host_id=viewer_id), deleted_at=None)
        case Sight.STAFF:
            return Listing.objects.filter(deleted_at=None)
        case Sight.ARCHIVED:
            return Listing.objects.filter(status=ListingStatus.ARCHIVED, deleted_at=None)
        case Sight.ALL:
            return Listing.objects.all()


def _sight_of(viewer: User | None) -> Sight:
    if viewer is None:
        return Sight.ANYBODY
    return Sight.STAFF if viewer.role == UserRole.STAFF else Sight.PERSON


def _listings(sight: Sight, kinds: frozenset[str] | None, *, ids: Parameter, viewer_id: Parameter) -> QuerySet[Listing]:
    """With the rows of these kinds, of all where it is None: of a listing of another kind its own row is not read."""
    related = [kind.relation for kind in all_kinds() if kinds is None or kind.code in kinds]
    rows = _seen(sight, viewer_id).filter(OneOf("pk", ids)).select_related("host", *related)
    return rows.defer(*(f"host__{name}" for name in UNSHOWN))


LISTINGS: Read[Listing] = Read(_listings, ids=INTEGERS, viewer_id=INTEGER)


def _by_id(
    sight: Sight, listing_ids: Iterable[int], *, kinds: frozenset[str] | None = None, viewer: User | None = None
) -> dict[int, Listing]:
    rows = LISTINGS.rows(sight, kinds, ids=list(listing_ids), viewer_id=None if viewer is None else viewer.pk)
    return {row.pk: row for row in rows}


def listings_by_id(
    *, listing_ids: Iterable[int], viewer: User | None, kinds: frozenset[str] | None = None
) -> dict[int, Listing]:
    """Those of the listings that the viewer may see, with host and kind. What a booking shows to its guest is not in here.

    With `kinds` only those of these kinds are of use.
    """
    return _by_id(_sight_of(viewer), listing_ids, kinds=kinds, viewer=viewer)


def archived_by_id(*, listing_ids: Iterable[int], kinds: frozenset[str] | None = None) -> dict[int, Listing]:
    """Those of the listings that are archived; for viewers of whom the caller knows that they booked them."""
    return _by_id(Sight.ARCHIVED, listing_ids, kinds=kinds)


def any_listings_by_id(*, listing_ids: Iterable[int]) -> dict[int, Listing]:
    """The listings whatever their state, deleted ones too; for whoever reaches them through something of their own."""
    return _by_id(Sight.ALL, listing_ids)


def find_listings(*, search: ListingSearch, order: ListingOrder, now: datetime) -> "FoundListings":
    """What the search finds among the published listings, in the order."""
    return FoundListings(search=search, order=order, now=now)


class FoundListings:
    """A search that reads what is asked of it: a page, the number of all, whether there is more.

    A page is two statements for any number of listings: the keys of its rows alone, and then those rows with host and
    kind. `text` costs one more, and so may a later page of an order that both rises and falls. Listings found near a
    place carry `distance_km`, the number that was compared.
    """

    def __init__(self, *, search: ListingSearch, order: ListingOrder, now: datetime) -> None:
        words = sought_words(search.text) if search.text else []
        kinds = _kinds_in_question(search)
        ranked = ranking(search=search, order=order, words=words, start=_start(kinds))
        self.keys: tuple[Key, ...] = ranked.keys
        self._near = search.near
        self._kinds = search.kinds
        rows = Listing.objects.filter(PUBLISHED)
        if search.text and not words:
            rows = rows.none()
        rows = _filtered(rows, search, now)
        if search.near is not None:
            rows = rows.filter(within(search.near), reached(search.near, in_its_order="rank_chord" in ranked.computed))
        # What is asked of the columns, and what is then asked of the calendar of each that was found.
        self._candidates = rows.filter(finding(words)) if words else rows
        self._free = _free(kinds, search, now)
        self._computed = ranked.computed
        # The order by start is read in two parts, each by an index of its own: what takes place, and what is always there.
        self._has_parts = "rank_start" in ranked.computed
        # The order by likeness is read level by level, each in the order of an index.
        # Having a likeness says that the words are found; saying so again would have the planner expect too few.
        self._of_any_likeness = rows
        self._levels = levels(words) if "rank_likeness" in ranked.computed else None

    @property
    def _ranked(self) -> QuerySet[Listing]:
        return self._candidates.annotate(**self._computed)

    @property
    def _rows(self) -> QuerySet[Listing]:
        return self._ranked.filter(self._free) if self._free else self._ranked

    def page(self, *, limit: int, place: Sequence[Any] | None = None, backwards: bool = False) -> Slice[Listing]:
        """At most `limit` listings after the place, or before it. They carry the values of `keys`."""
        if self._has_parts:
            part = self._part_by_start(limit=limit, place=place, backwards=backwards)
        elif self._levels is not None:
            part = self._part_by_level(self._levels, limit=limit, place=place, backwards=backwards)
        else:
            part = self._read(self._ranked, self.keys, limit=limit, place=place, backwards=backwards)
        return Slice(_hydrated(part.rows, self._names, self._kinds), part.has_more)

    @property
    def _names(self) -> list[str]:
        """What is read of each row of a page."""
        near = ["distance_km"] if self._near is not None else []
        return list(dict.fromkeys(["id", *(key.name for key in self.keys), *near]))

    def _statement(
        self, rows: QuerySet[Listing], order: Sequence[Key], *, count: int, backwards: bool, gathered: bool = False
    ) -> Statement | None:
        if self._near is not None:
            rows = rows.annotate(distance_km=distance_km_to(self._near))
        return page_statement(
            rows, order, self._names, free=self._free, count=count, backwards=backwards, gathered=gathered
        )

    def _read(
        self,
        rows: QuerySet[Listing],
        order: Sequence[Key],
        *,
        limit: int,
        place: Sequence[Any] | None,
        backwards: bool,
    ) -> Slice[Any]:
        def first_of(some: QuerySet[Listing], count: int) -> list[Any]:
            return fetched(self._statement(some, order, count=count, backwards=backwards))

        return read_slice(rows, order, limit=limit, place=place, backwards=backwards, first_of=first_of)

    def _part_by_level(
        self, levels: Mapping[int, Level], *, limit: int, place: Sequence[Any] | None, backwards: bool
    ) -> Slice[Any]:
        statements = []
        for level in sorted(levels, reverse=not backwards):
            rows = self._of_any_likeness.filter(levels[level].condition).annotate(rank_likeness=Value(level))
            if place is not None:
                if level > place[0] if not backwards else level < place[0]:
                    continue
                if level == place[0]:
                    rows = rows.filter(beyond(self.keys[1:], place[1:], backwards=backwards))
            rare = levels[level].share < FREQUENT
            statement = self._statement(rows, self.keys[1:], count=limit + 1, backwards=backwards, gathered=rare)
            if statement is not None:
                statements.append(statement)
        found = fetched(one_after_the_other(statements, enough=limit + 1)) if statements else []
        return slice_of(found[: limit + 1], limit, backwards)

    def _part_by_start(self, *, limit: int, place: Sequence[Any] | None, backwards: bool) -> Slice[Any]:
        timed, always = (self._ranked.filter(IsNull(F("rank_start"), missing)) for missing in (False, True))
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


def _hydrated(found: list[Any], names: Sequence[str], kinds: frozenset[str] | None) -> list[Listing]:
    """The listings of the rows, in their order, with what the rows computed. The first name is the key's.

    `kinds` are those that the search asked for.
    """
    listings = _by_id(Sight.ALL, [row[0] for row in found], kinds=kinds) if found else {}
    hydrated = []
    for row in found:
        # One that was deleted for good between the two statements is no longer there.
        if (listing := listings.get(row[0])) is not None:
            for name, value in zip(names, row, strict=True):
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


def _filtered(rows: QuerySet[Listing], search: ListingSearch, now: datetime) -> QuerySet[Listing]:
    """What is asked of the columns but for words and distance."""
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


def _free(kinds: Sequence[Kind], search: ListingSearch, now: datetime) -> Q:
    """What the kinds ask of the calendars of their own; a Q() where none does."""
    questions = [
        (kind.code, kind.free_filter(search, now=now))
        for kind in kinds
        if kind.search_filter(search, now=now) is not None
    ]
    if not any(question for _, question in questions):
        return Q()
    return reduce(or_, [Q(kind=code) & question for code, question in questions])
