"""Reads of listings: always "visible to whom"."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from apps.core.along import Along, read_along
from apps.core.columns import EVERYTHING, Columns
from apps.core.keyset import Key, Slice, Stretch, slice_of, stretches
from apps.core.reads import INTEGER, INTEGERS, OneOf, Parameter, Read
from apps.core.shapes import Put, filled
from apps.listings.asking import PUBLISHED, ask, kinds_found, kinds_in_question
from apps.listings.cards import with_columns
from apps.listings.kinds import relations
from apps.listings.models import Listing, ListingStatus
from apps.listings.pages import (
    COUNT,
    EXISTS,
    LEVELS,
    MOST_ROWS,
    PAGE,
    Part,
    Rows,
    Step,
    all_found,
    column_names,
    place_name,
)
from apps.listings.ranking import CHORD, KEY_TYPES, LIKENESS, START, ranking
from apps.listings.search import ListingOrder, ListingSearch
from apps.listings.words import FREQUENT, levels, sought_words
from apps.users.models import User, UserRole


def visible_to(viewer: User | None) -> QuerySet[Listing]:
    """Published listings to everybody, those of any status to their host and to staff. A deleted one to nobody."""
    return _seen(_sight_of(viewer), None if viewer is None else viewer.pk)


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
    return with_columns(_seen(sight, viewer_id).filter(OneOf("pk", ids)), EVERYTHING, kinds)


LISTINGS: Read[Listing] = Read(_listings, ids=INTEGERS, viewer_id=INTEGER)


def _by_id(
    sight: Sight,
    listing_ids: Iterable[int],
    *,
    kinds: frozenset[str] | None = None,
    viewer: User | None = None,
    along: Sequence[Along] = (),
) -> dict[int, Listing]:
    viewer_id = None if viewer is None else viewer.pk
    rows = read_along(LISTINGS, sight, kinds, along=along, ids=list(listing_ids), viewer_id=viewer_id)
    return {row.pk: row for row in rows}


def listings_by_id(
    *,
    listing_ids: Iterable[int],
    viewer: User | None,
    kinds: frozenset[str] | None = None,
    along: Sequence[Along] = (),
) -> dict[int, Listing]:
    """Those of the listings that the viewer may see, with host and kind. What a booking shows to its guest is not in here.

    With `kinds` only those of these kinds are of use. `along` comes with them.
    """
    return _by_id(_sight_of(viewer), listing_ids, kinds=kinds, viewer=viewer, along=along)


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

    A page is one statement for any number of listings. `text` costs one more, and so may a later page of an order that both
    rises and falls. Listings found near a place carry `distance_km`, the number that was compared.
    """

    def __init__(self, *, search: ListingSearch, order: ListingOrder, now: datetime) -> None:
        words = sought_words(search.text) if search.text else []
        self.keys = ranking(
            order,
            has_words=bool(words),
            has_currency=bool(search.currency),
            is_near=search.near is not None,
            has_start=any(kind.start_path for kind in kinds_in_question(search.kinds)),
        )
        first = self.keys[0].name
        # None where nothing can be found.
        self._asked = ask(search, words=words, by_distance=first == CHORD, now=now)
        # The order by start is read in two parts, each by an index of its own: what takes place, and what is always there.
        self._has_parts = first == START
        # The order by likeness is read level by level, each in the order of an index.
        self._levels = levels(words) if first == LIKENESS else None

    def page(
        self,
        *,
        limit: int,
        place: Sequence[Any] | None = None,
        backwards: bool = False,
        shown: Columns = EVERYTHING,
    ) -> Slice[Listing]:
        """At most `limit` listings after the place, or before it. They carry the values of `keys`.

        `shown` is what is read of each, beside what all cards need. Raises ValueError for a limit above MOST_ROWS.
        """
        if limit > MOST_ROWS:
            raise ValueError(f"a page has {MOST_ROWS} listings at most")
        if self._asked is None:
            return Slice([], False)
        question, puts = self._asked
        # The plain way reads the keys of the rows, and then whole listings.
        read = shown if settings.COMPILED_READS else None
        found: list[Any] = []
        if self._levels is not None:
            steps = _steps(self._levels, place, backwards=backwards)
            if steps:
                values = {**puts, "limit": Put(limit + 1, INTEGER), **_place(self.keys[1:], place and place[1:])}
                found = LEVELS.rows((question, steps, backwards, read), values)
        else:
            for part in self._parts(place, backwards=backwards):
                own = None if part.after is None or place is None else place[part.skipped :]
                lacking = Put(limit + 1 - len(found), INTEGER)
                values = {**puts, "limit": lacking, **_place(self.keys[part.skipped :], own)}
                found += PAGE.rows((question, self.keys, part, backwards, read), values)
                if len(found) > limit:
                    break
        slice_ = slice_of(found, limit, backwards)
        if read is not None:
            return slice_
        names = column_names(self.keys, puts)
        return Slice(_hydrated(slice_.rows, names, kinds_found(question)), slice_.has_more)

    def _parts(self, place: Sequence[Any] | None, *, backwards: bool) -> list[Part]:
        """What a page is read from, one after the other until it is full."""
        if not self._has_parts:
            return [Part(after=stretch) for stretch in (stretches(self.keys) if place is not None else [None])]
        timed, always = Part(rows=Rows.TIMED), Part(rows=Rows.ALWAYS, skipped=1)
        both = [always, timed] if backwards else [timed, always]
        if place is None:
            return both
        # Behind the place's own part lies the other one, or nothing.
        at = both.index(always if place[0] is None else timed)
        return [both[at]._replace(after=Stretch.ALL), *both[at + 1 :]]

    def query_set(self) -> QuerySet[Listing]:
        """All that is found with the values of `keys`, in no order and in the plain way, for what is to be asked besides."""
        return (
            Listing.objects.none()
            if self._asked is None
            else all_found(self._asked[0], self.keys, filled(self._asked[1]))
        )

    def count(self) -> int:
        """How many there are in all."""
        if self._asked is None:
            return 0
        question, puts = self._asked
        found = COUNT.rows((question,), puts)
        return int(found[0][0]) if found else 0

    def exists(self, place: Sequence[Any], backwards: bool, including: bool) -> bool:
        """Whether a listing lies after the place (before it when backwards), with `including` also at it."""
        if self._asked is None:
            return False
        question, puts = self._asked
        values = {**puts, **_place(self.keys, place)}
        return bool(EXISTS.rows((question, self.keys, backwards, including), values))


def _steps(known: Mapping[int, float], place: Sequence[Any] | None, *, backwards: bool) -> tuple[Step, ...]:
    """The levels that a page may reach, in its order. A level that is not frequent is gathered."""
    return tuple(
        Step(level, after=place is not None and level == place[0], is_gathered=known[level] < FREQUENT)
        for level in sorted(known, reverse=not backwards)
        if place is None or (level >= place[0] if backwards else level <= place[0])
    )


def _place(keys: Sequence[Key], place: Sequence[Any] | None) -> dict[str, Put]:
    values = zip(keys, place or (), strict=place is not None)
    return {place_name(key): Put(value, KEY_TYPES[key.name]) for key, value in values if value is not None}


def _hydrated(found: list[Any], names: Sequence[str], kinds: frozenset[str] | None) -> list[Listing]:
    """The listings of the rows, in their order, with what the rows computed. The first name is the key's.

    `kinds` are those that may be among them, None for all.
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
