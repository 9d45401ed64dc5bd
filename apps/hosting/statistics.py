"""How a host's listings did in a window of time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection
from django.db.models import Count, DateTimeField, Func, Q, Sum
from django.db.models.lookups import GreaterThanOrEqual, LessThan

from apps.availability.calendars import blocks_of_many
from apps.availability.models import Unit
from apps.bookings.models import Booking
from apps.bookings.states import BookingStatus
from apps.core.money import Money
from apps.core.periods import Period, subtract
from apps.listings.kinds import Kind, all_kinds, kind_of, relations
from apps.listings.models import Listing, ListingStatus
from apps.users.models import User

# Bookings that were sold, whether or not anybody came.
SOLD = (BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN, BookingStatus.COMPLETED, BookingStatus.NO_SHOW)
# Kinds say what they offer for somewhat more than two years at once.
STRETCH = timedelta(days=366)
SECONDS_SOLD = """
    SELECT COALESCE(EXTRACT(EPOCH FROM SUM(upper(inside) - lower(inside))), 0) FROM (
        SELECT booking.period * tstzrange(%(start)s, %(end)s) AS inside
        FROM bookings_booking AS booking JOIN listings_listing AS listing ON listing.id = booking.listing_id
        WHERE listing.host_id = %(host)s AND booking.status = ANY(%(sold)s) AND listing.kind = ANY(%(kinds)s)
            AND booking.period && tstzrange(%(start)s, %(end)s)
    ) AS used
"""


@dataclass(frozen=True, slots=True)
class HostStatistics:
    """`bookings` and `canceled` count what begins in the window, `revenue` is what was captured for it and not given
    back, for each currency. `occupancy` is time sold by time offered, 0 to 1, of what is not sold by the piece.
    """

    bookings: int
    canceled: int
    revenue: list[Money]
    occupancy: float


def window_of(first: date, end: date) -> Period:
    """From the start of the first day to the start of the end, in UTC. Raises ValueError when that is nothing."""
    return Period(datetime.combine(first, time(0), UTC), datetime.combine(end, time(0), UTC))


def host_statistics(*, host: User, window: Period) -> HostStatistics:
    """What the host's listings did in the window."""
    start = Func("period", function="lower", output_field=DateTimeField())
    begun = Booking.objects.filter(
        GreaterThanOrEqual(start, window.start), LessThan(start, window.end), listing__host=host
    )
    counts = begun.aggregate(
        bookings=Count("pk", filter=Q(status__in=SOLD)), canceled=Count("pk", filter=Q(status=BookingStatus.CANCELED))
    )
    revenue = (
        begun.filter(bill__captured_minor__gt=0)
        .order_by("bill__currency")
        .values_list("bill__currency")
        .annotate(minor=Sum("bill__captured_minor") - Sum("bill__refunded_minor"))
    )
    return HostStatistics(
        bookings=counts["bookings"],
        canceled=counts["canceled"],
        revenue=[Money(int(minor), currency) for currency, minor in revenue],
        occupancy=_occupancy(host=host, window=window),
    )


def _occupancy(*, host: User, window: Period) -> float:
    sold = _seconds_sold(host=host, window=window)
    offered = sum(_seconds_offered(host=host, window=part) for part in _stretches(window))
    # Opening hours that were shortened since may leave more sold than is offered.
    return min(1.0, sold / offered) if offered else float(sold > 0)


def _stretches(window: Period) -> Iterator[Period]:
    start = window.start
    while start < window.end:
        end = min(start + STRETCH, window.end)
        yield Period(start, end)
        start = end


def _sells_time(kind: Kind) -> bool:
    """What takes place once has no time that could be blocked, or sold otherwise."""
    return kind.is_blockable


def _seconds_sold(*, host: User, window: Period) -> float:
    kinds = [kind.code for kind in all_kinds() if _sells_time(kind)]
    with connection.cursor() as cursor:
        cursor.execute(
            SECONDS_SOLD,
            {"start": window.start, "end": window.end, "host": host.pk, "sold": list(SOLD), "kinds": kinds},
        )
        (seconds,) = cursor.fetchone()
    return float(seconds)


def _seconds_offered(*, host: User, window: Period) -> float:
    """By what is published now, since it is there, without what the host blocked; each unit for itself."""
    listings = [
        listing
        for listing in Listing.objects.select_related(*relations()).filter(
            host=host, status=ListingStatus.PUBLISHED, deleted_at=None, created_at__lt=window.end
        )
        if _sells_time(kind_of(listing))
    ]
    for kind in {kind_of(listing) for listing in listings}:
        kind.prepare([each for each in listings if kind_of(each) is kind])
    ids = [listing.pk for listing in listings]
    units = dict(
        Unit.objects.filter(listing__in=ids, is_offered=True).values_list("listing").annotate(number=Count("pk"))
    )
    blocks = blocks_of_many(ids, window)
    total = 0.0
    for listing in listings:
        since = Period(max(window.start, listing.created_at), window.end)
        offered = kind_of(listing).offered(listing, since, now=since.start)
        taken = [Period(block.period.lower, block.period.upper) for block in blocks[listing.pk]]
        open_for = sum(period.length.total_seconds() for period in subtract(offered, taken))
        total += open_for * units.get(listing.pk, 0)
    return total
