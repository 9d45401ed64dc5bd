"""Quotes of many listings at once: the same as one by one, with as many statements for many as for few."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.availability.selectors import free_places, is_free
from apps.bookings.actions import hold
from apps.bookings.quotes import Asked, QuoteResult, quote, quote_all
from apps.core.errors import ErrorCode
from apps.core.periods import Period
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from tests.recipes import MAKE, make_event, make_guest, make_parking_spot, make_property, make_service

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
SOON = (NOW + timedelta(days=10)).replace(hour=11, minute=0, second=0, microsecond=0)
ARRIVAL = date.today() + timedelta(days=20)
REQUESTS = {
    "PROPERTY": BookingRequest(check_in=ARRIVAL, check_out=ARRIVAL + timedelta(days=2)),
    "SERVICE": BookingRequest(starts_at=SOON),
    "EVENT": BookingRequest(tickets=2),
    "PARKING_SPOT": BookingRequest(starts_at=SOON, ends_at=SOON + timedelta(hours=1)),
}
FIELDS = {"PROPERTY": "property_id", "SERVICE": "service_id", "EVENT": "event_id", "PARKING_SPOT": "parking_spot_id"}


def take(listing: Listing) -> None:
    """Book what REQUESTS asks of it."""
    wanted = REQUESTS[listing.kind]
    if listing.kind == "PROPERTY":
        wanted = BookingRequest(check_in=wanted.check_in, check_out=wanted.check_out, guests=1)
    if listing.kind == "PARKING_SPOT":
        wanted = BookingRequest(starts_at=wanted.starts_at, minutes=60)
    hold(
        kind_code=listing.kind, listing_id=listing.pk, listing_field=FIELDS[listing.kind], request=wanted, guest=make_guest(),
        now=NOW,
    )  # fmt: skip


def facts(result: QuoteResult) -> tuple[object, ...]:
    errors = [(error.code, error.message, error.field) for error in result.errors]
    return result.lines, result.total, result.is_available, errors


def test_many_quotes_are_what_each_is_alone() -> None:
    free = [make() for make in MAKE.values()]
    taken = [make_property(), make_service(), make_event(tickets=2), make_parking_spot()]
    for listing in taken:
        take(listing)
    far = make_property(time_zone="Pacific/Auckland")
    wrong: Asked = (free[0], BookingRequest(tickets=1))
    asked = [(listing, REQUESTS[listing.kind]) for listing in (*free, *taken, far)]
    asked += [
        wrong,
        (taken[0], BookingRequest(check_in=ARRIVAL + timedelta(days=2), check_out=ARRIVAL + timedelta(days=3))),
    ]

    found = quote_all(asked=asked, now=NOW)

    alone = [quote(listing=listing, request=request, now=NOW) for listing, request in asked]
    assert [facts(found[each]) for each in asked] == [facts(each) for each in alone]
    assert [found[each].is_available for each in asked] == [True] * 4 + [False] * 4 + [True, False, True]
    codes = [[error.code for error in found[each].errors] for each in asked]
    assert codes == [[]] * 4 + [[ErrorCode.UNAVAILABLE]] * 4 + [[], [ErrorCode.INVALID], []]
    assert [found[each].total is None for each in asked] == [False] * 9 + [True, False]


def test_many_places_are_free_as_each_is_alone() -> None:
    homes = [make_property() for _ in range(3)]
    take(homes[1])
    day = datetime(ARRIVAL.year, ARRIVAL.month, ARRIVAL.day, tzinfo=UTC)
    periods = [Period(day + timedelta(days=shift), day + timedelta(days=shift + 1)) for shift in (-2, 0, 1, 5)]
    places = [(home.pk, period) for home in homes for period in periods]

    found = free_places(places, now=NOW)

    alone = {(home.pk, period) for home in homes for period in periods if is_free(home, period, quantity=None, now=NOW)}
    assert found == alone
    assert len(found) == len(places) - 2
    assert free_places([], now=NOW) == set()


@pytest.mark.parametrize("kind", MAKE)
def test_many_quotes_cost_as_many_statements_as_few(kind: str) -> None:
    listings = [MAKE[kind]() for _ in range(6)]

    def statements(number: int) -> int:
        rows = list(
            Listing.objects.select_related("property", "service", "event", "parking_spot").filter(kind=kind)[:number]
        )
        with CaptureQueriesContext(connection) as captured:
            quote_all(asked=[(row, REQUESTS[kind]) for row in rows], now=NOW)
        return len(captured)

    assert len(listings) == 6
    assert statements(6) == statements(2) == statements(1) <= 2
