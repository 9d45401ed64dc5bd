"""A search done by reading every listing: what the database must agree with. Knows nothing of indexes."""

import re
from datetime import datetime, time, timedelta
from functools import cmp_to_key
from math import asin, cos, inf, radians, sin, sqrt
from typing import Any

from apps.core.periods import Period, instant, local_date
from apps.listings.models import Listing
from apps.listings.search import Box, ListingOrder, ListingSearch, Near


def distance_km(near: Near, listing: Listing) -> float:
    """The haversine formula, as in the textbooks."""
    if listing.latitude is None or listing.longitude is None:
        return inf
    first, second = radians(near.latitude), radians(listing.latitude)
    across = radians(listing.longitude - near.longitude)
    half = sin((second - first) / 2) ** 2 + cos(first) * cos(second) * sin(across / 2) ** 2
    return 2 * 6371.0 * asin(min(1.0, sqrt(half)))


def errors_between(first: str, second: str) -> int:
    """How many letters must be replaced, added, dropped or swapped with their neighbour."""
    rows = [
        [max(row, column) if 0 in (row, column) else 0 for column in range(len(second) + 1)]
        for row in range(len(first) + 1)
    ]
    for row in range(1, len(first) + 1):
        for column in range(1, len(second) + 1):
            same = first[row - 1] == second[column - 1]
            rows[row][column] = min(
                rows[row - 1][column] + 1, rows[row][column - 1] + 1, rows[row - 1][column - 1] + (not same)
            )
            if row > 1 and column > 1 and first[row - 1] == second[column - 2] and first[row - 2] == second[column - 1]:
                rows[row][column] = min(rows[row][column], rows[row - 2][column - 2] + 1)
    return rows[-1][-1]


def words(text: str) -> list[str]:
    return list(dict.fromkeys(re.findall("[a-z0-9]+", text.lower())))


def finds(sought: str, written: str) -> bool:
    if sought == written or (len(sought) >= 3 and written.startswith(sought)):
        return True
    return len(written) >= 5 and not sought.isdecimal() and errors_between(sought, written) == 1


def likeness(search: ListingSearch, listing: Listing) -> int:
    """0 when a word is not found."""
    title = words(listing.title)
    everything = words(f"{listing.title} {listing.city} {listing.description}")
    total = 0
    for word in words(search.text):
        near = [written for written in everything if finds(word, written)]
        if not near:
            return 0
        if word in title:
            total += 4
        elif word in everything:
            total += 3
        else:
            total += 2 if any(finds(word, written) for written in title) else 1
    return total


def is_inside(box: Box, listing: Listing) -> bool:
    if listing.latitude is None or listing.longitude is None or not box.south <= listing.latitude <= box.north:
        return False
    meridians = {listing.longitude} | ({-180.0} if listing.longitude == 180.0 else set())
    if box.west > box.east:
        return any(each >= box.west or each <= box.east for each in meridians)
    return any(box.west <= each <= box.east for each in meridians)


def is_free(listing: Listing, period: Period, taken: dict[int, list[Period]]) -> bool:
    """Whether some unit has none of its taken periods in the way. `taken` is by unit."""
    return any(
        not any(each.overlaps(period) for each in taken.get(unit.pk, []))
        for unit in listing.exclusive_units.all()
        if unit.is_offered
    )


def matches(search: ListingSearch, listing: Listing, *, taken: dict[int, list[Period]], now: datetime) -> bool:
    checks = [
        listing.status == "PUBLISHED" and listing.deleted_at is None,
        search.kinds is None or listing.kind in search.kinds,
        not search.text or likeness(search, listing) > 0,
        not search.city or listing.city.lower() == search.city.lower(),
        search.host_id in (None, listing.host_id),
        not search.currency or listing.currency == search.currency,
        search.min_price_minor is None or listing.price_minor >= search.min_price_minor,
        search.max_price_minor is None or listing.price_minor <= search.max_price_minor,
        search.min_rating is None or (listing.rating_average or -1) >= search.min_rating,
        search.near is None or distance_km(search.near, listing) <= search.near.radius_km * (1 + 1e-9),
        search.box is None or is_inside(search.box, listing),
    ]
    return all(checks) and _kind_matches(search, listing, taken=taken, now=now)


def _kind_matches(search: ListingSearch, listing: Listing, *, taken: dict[int, list[Period]], now: datetime) -> bool:
    if search.guests is not None or search.amenities or search.check_in is not None:
        if listing.kind != "PROPERTY":
            return False
        home = listing.property
        if search.guests is not None and home.max_guests < search.guests:
            return False
        if not set(search.amenities) <= set(home.amenities):
            return False
        if search.check_in is not None and search.check_out is not None:
            nights = (search.check_out - search.check_in).days
            stay = Period(
                instant(search.check_in, home.check_in_time, listing.time_zone),
                instant(search.check_out, home.check_out_time, listing.time_zone),
            )
            if not home.min_nights <= nights <= home.max_nights or not is_free(listing, stay, taken):
                return False
    if search.tickets is not None or search.starts_after is not None or search.starts_before is not None:
        if listing.kind != "EVENT":
            return False
        event = listing.event
        if search.starts_after is not None and event.starts_at < search.starts_after:
            return False
        if search.starts_before is not None and event.starts_at >= search.starts_before:
            return False
        if search.tickets is not None and not (event.starts_at > now and _left(listing) >= search.tickets):
            return False
    if search.free is not None:
        match listing.kind:
            case "EVENT":
                event = listing.event
                whole = search.free.start <= event.starts_at and event.ends_at <= search.free.end
                return whole and event.starts_at > now and _left(listing) >= (search.tickets or 1)
            case "PARKING_SPOT":
                fits = search.free.length.total_seconds() <= listing.parking_spot.max_minutes * 60
                return fits and is_free(listing, search.free, taken)
            case "PROPERTY":
                return is_free(listing, search.free, taken)
            case _:
                return any(
                    search.free.start <= slot.start and slot.end <= search.free.end and is_free(listing, slot, taken)
                    for slot in _appointments(listing, search.free)
                )
    return True


def _appointments(listing: Listing, period: Period) -> list[Period]:
    """The recipe's services: an hour each, from 9 to 17, every day."""
    first = local_date(period.start, listing.time_zone)
    days = (local_date(period.end, listing.time_zone) - first).days + 1
    starts = [
        instant(first + timedelta(days=day), time(hour), listing.time_zone)
        for day in range(days)
        for hour in range(9, 17)
    ]
    return [Period(start, start + timedelta(hours=1)) for start in starts]


def _left(listing: Listing) -> int:
    return int(listing.stock.capacity - listing.stock.taken)


def _place(order: ListingOrder, search: ListingSearch, listing: Listing) -> list[tuple[Any, bool]]:
    """What is compared in turn, each with whether the greater comes first."""
    newest = [(listing.created_at, True), (listing.pk, True)]
    currency = [] if search.currency else [(listing.currency, False)]
    match order:
        case ListingOrder.RELEVANCE if search.text:
            return [(likeness(search, listing), True), *newest]
        case ListingOrder.PRICE_ASC:
            return [*currency, (listing.price_minor, False), (listing.pk, False)]
        case ListingOrder.PRICE_DESC:
            return [*currency, (listing.price_minor, True), (listing.pk, True)]
        case ListingOrder.RATING_DESC:
            return [(listing.rating_average or 0, True), (listing.pk, True)]
        case ListingOrder.DISTANCE:
            assert search.near is not None
            # What is equally far to a micrometre is told apart by its number.
            return [(round(distance_km(search.near, listing), 9), False), (listing.pk, False)]
        case ListingOrder.STARTS_AT:
            is_event = listing.kind == "EVENT"
            return [(is_event, True), *([(listing.event.starts_at, False)] if is_event else []), *newest]
        case _:
            return newest


def expected(
    search: ListingSearch,
    order: ListingOrder,
    listings: list[Listing],
    *,
    taken: dict[int, list[Period]],
    now: datetime,
) -> list[int]:
    """The keys of all that the search must find, in order."""

    def compare(first: Listing, second: Listing) -> int:
        for (left, falling), (right, _) in zip(
            _place(order, search, first), _place(order, search, second), strict=False
        ):
            if left != right:
                return -1 if (left > right) == falling else 1
        return 0

    found = [listing for listing in listings if matches(search, listing, taken=taken, now=now)]
    return [listing.pk for listing in sorted(found, key=cmp_to_key(compare))]
