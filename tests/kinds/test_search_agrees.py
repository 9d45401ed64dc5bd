"""A search by time finds exactly what a booking would accept: the same rules, the same predicate, over generated rows."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from psycopg2.extras import DateTimeTZRange

from apps.availability.models import Allocation, Stock, Unit
from apps.availability.selectors import free_periods, is_free
from apps.core.errors import DomainError
from apps.core.periods import Period
from apps.core.shapes import filled
from apps.kinds.service.rules import grid
from apps.kinds.service.selectors import slots, terms_of
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.listings.search import ListingSearch
from tests.recipes import make_event, make_host, make_parking_spot, make_property, make_service

pytestmark = pytest.mark.django_db

ZONES = [
    "America/New_York",
    "Europe/London",
    "Pacific/Auckland",
    "Australia/Adelaide",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
]
# Around clocks that change: London and New York forward, the south back.
NOWS = [datetime(2027, 3, 13, 10, 7, tzinfo=UTC), datetime(2027, 10, 30, 22, 41, tzinfo=UTC)]


def bookable(listing: Listing, request: BookingRequest, now: datetime) -> bool:
    """What a booking decides, without writing."""
    kind = kind_of(listing)
    try:
        kind.check_request(request)
        place = kind.occupancy(listing, request, now=now)
    except DomainError:
        return False
    return is_free(listing, place.occupied, quantity=place.quantity, now=now)


def found(listings: list[Listing], search: ListingSearch, now: datetime) -> set[int]:
    kind = kind_of(listings[0])
    asked = kind.asked(search, now=now)
    if asked is None:
        return set()
    condition = kind.search_filter(filled(asked)) & kind.free_filter(filled(asked))
    return set(Listing.objects.filter(condition, kind=kind.code).values_list("pk", flat=True))


def take(listing: Listing, now: datetime, dice: random.Random, *, span_hours: int) -> None:
    """Fill the calendar with bookings, held and run-out holds, and cancelled places, none of them overlapping."""
    places: list[Allocation] = []
    for unit in Unit.objects.filter(listing=listing):
        at = now.replace(minute=0) - timedelta(hours=dice.randrange(30))
        while at < now + timedelta(days=5):
            end = at + timedelta(minutes=dice.choice([15, 60, 60 * span_hours]))
            held = dice.choice([None, None, now - timedelta(seconds=1), now, now + timedelta(minutes=9)])
            places.append(
                Allocation(
                    listing=listing,
                    unit=unit,
                    period=DateTimeTZRange(at, end),
                    holder=listing.pk * 10_000 + len(places),
                    is_active=dice.random() < 0.8,
                    held_until=held,
                    created_at=now,
                )
            )
            at = end + timedelta(minutes=dice.choice([0, 0, 30, 60, 60 * span_hours]))
    Allocation.objects.bulk_create(places)


def all_differ(listings: list[Listing], search: ListingSearch, now: datetime, accept: Callable[[Listing], bool]) -> int:
    """Asserts agreement; returns how many were found, for the test to see that both answers occur."""
    expected = {listing.pk for listing in listings if accept(listing)}
    assert found(listings, search, now) == expected, search
    return len(expected)


@pytest.mark.parametrize("now", NOWS)
def test_stays(now: datetime) -> None:
    dice = random.Random(now.month)
    host = make_host()
    homes = [
        make_property(
            host=host,
            units=dice.randint(1, 3),
            time_zone=ZONES[number % len(ZONES)],
            property__min_nights=dice.randint(1, 3),
            property__max_nights=dice.randint(3, 5),
            property__max_guests=dice.randint(1, 4),
            property__check_in_time=dice.choice([time(15), time(2, 30), time(1, 15), time(23, 59)]),
            property__check_out_time=dice.choice([time(0), time(1, 15)]),
        )
        for number in range(24)
    ]
    for home in homes:
        take(home, now, dice, span_hours=30)
    counts = []
    for offset in [*range(-2, 5), *range(728, 733)]:
        for nights in (1, 2, 4, 6):
            first = now.date() + timedelta(days=offset)
            last, guests = first + timedelta(days=nights), dice.choice([None, 1, 3])
            request = BookingRequest(check_in=first, check_out=last, guests=guests)
            search = ListingSearch(check_in=first, check_out=last, guests=guests)
            counts.append(all_differ(homes, search, now, lambda home, asked=request: bookable(home, asked, now)))  # type: ignore[misc]
    assert 0 in counts
    assert 0 < sum(counts) < len(counts) * len(homes)


@pytest.mark.parametrize(("zone", "clock"), [("Pacific/Kiritimati", time(0)), ("Pacific/Pago_Pago", time(23, 59))])
def test_the_first_and_the_last_minute_of_a_stay_count_also_where_days_begin_first_and_last(
    zone: str, clock: time
) -> None:
    now = NOWS[0]
    home = make_property(
        time_zone=zone,
        property__check_in_time=clock,
        property__check_out_time=clock,
        property__max_nights=9,
    )
    first, last = now.date() + timedelta(days=5), now.date() + timedelta(days=7)
    request = BookingRequest(check_in=first, check_out=last)
    stay = kind_of(home).occupancy(home, request, now=now).occupied
    search = ListingSearch(check_in=first, check_out=last)
    minute = timedelta(minutes=1)
    for start, is_taken in (
        (stay.start - minute, False),
        (stay.start, True),
        (stay.end - minute, True),
        (stay.end, False),
    ):
        place = Allocation.objects.create(
            listing=home,
            unit=Unit.objects.get(listing=home),
            period=DateTimeTZRange(start, start + minute),
            holder=1,
            created_at=now,
        )
        assert bookable(home, request, now) == (not is_taken)
        assert found([home], search, now) == (set() if is_taken else {home.pk})
        place.delete()


@pytest.mark.parametrize("now", NOWS)
def test_parking(now: datetime) -> None:
    dice = random.Random(now.month)
    host = make_host()
    spots = [make_parking_spot(host=host, parking_spot__max_minutes=dice.choice([30, 240, 2880])) for _ in range(16)]
    for spot in spots:
        take(spot, now, dice, span_hours=5)
    starts = [now - timedelta(seconds=61), now - timedelta(seconds=60), now, now + timedelta(days=731)]
    starts += [now + timedelta(minutes=dice.randrange(7000)) for _ in range(25)]
    counts = []
    for start in starts:
        end = start + timedelta(minutes=dice.choice([1, 30, 31, 240, 1000]), seconds=dice.choice([0, 1]))
        request = BookingRequest(starts_at=start, ends_at=end)
        search = ListingSearch(free=Period(start, end))
        counts.append(all_differ(spots, search, now, lambda spot, asked=request: bookable(spot, asked, now)))  # type: ignore[misc]
    assert counts[0] == counts[3] == 0
    assert 0 < sum(counts) < len(counts) * len(spots)


@pytest.mark.parametrize("now", NOWS)
def test_appointments(now: datetime) -> None:
    dice = random.Random(now.month)
    host = make_host()
    hours = [
        [(time(9), time(12)), (time(13), time(17))],
        [(time(0), time(0))],
        [(time(2, 30), time(6))],
        [(time(22), time(0))],
    ]
    services = [
        make_service(
            host=host,
            staff=dice.randint(1, 3),
            time_zone=ZONES[number % len(ZONES)],
            hours=[
                (weekday, *span)
                for weekday in dice.sample(range(1, 8), 5)
                for span in hours[number % 3 if number % 5 else 3]
            ],
            service__duration_minutes=dice.choice([20, 60, 95]),
            service__buffer_minutes=dice.choice([0, 10, 90]),
        )
        for number in range(16)
    ]
    for service in services:
        take(service, now, dice, span_hours=20)
    counts = []
    starts = [now - timedelta(days=1), now, now + timedelta(days=729, hours=20)]
    starts += [now + timedelta(minutes=dice.randrange(6000)) for _ in range(8)]
    for start in starts:
        window = Period(start, start + timedelta(minutes=dice.choice([10, 60, 180, 600, 3000])))
        slots_of = {service.pk: slots(listing=service, window=window, now=now) for service in services}
        for service in services:
            # Each listed slot is one that a booking takes, and no other of the grid that is still to come.
            every = grid(terms_of(service), window, latest_start=window.end)
            taken = {
                slot
                for slot in every
                if slot.start >= now and bookable(service, BookingRequest(starts_at=slot.start), now)
            }
            assert slots_of[service.pk] == sorted(taken)
        search = ListingSearch(free=window)
        counts.append(all_differ(services, search, now, lambda service, of=slots_of: bool(of[service.pk])))  # type: ignore[misc]
    assert 0 < sum(counts) < len(counts) * len(services)


@pytest.mark.parametrize("now", NOWS)
def test_tickets(now: datetime) -> None:
    host = make_host()
    events = []
    offsets = [timedelta(minutes=1), timedelta(hours=-1), timedelta(0), timedelta(hours=2), timedelta(days=731)]
    for number in range(30):
        start = now + offsets[number % 5]
        event = make_event(host=host, tickets=10, starts_at=start)
        taken = [0, 7, 10][number % 3]
        Stock.objects.filter(pk=event.pk).update(taken=taken)
        if taken and number % 2:
            Allocation.objects.create(
                listing=event,
                quantity=4,
                period=DateTimeTZRange(start, start + timedelta(hours=2)),
                holder=event.pk,
                held_until=now - timedelta(seconds=1),
                created_at=now,
            )
        events.append(event)
    for tickets in (1, 3, 4, 7, 10, 11):
        request = BookingRequest(tickets=tickets)
        count = all_differ(
            events,
            ListingSearch(tickets=tickets),
            now,
            lambda event, asked=request: bookable(event, asked, now),  # type: ignore[misc]
        )
        assert (count == 0) == (tickets == 11)
    for minutes in (0, 5, 130, 200):
        window = Period(now, now + timedelta(minutes=minutes, seconds=1))
        all_differ(
            events,
            ListingSearch(free=window),
            now,
            lambda event, window=window: (  # type: ignore[misc]
                window.contains(Period(event.event.starts_at, event.event.ends_at))
                and bookable(event, BookingRequest(tickets=1), now)
            ),
        )


def test_a_home_is_free_for_a_period_where_availability_shows_it() -> None:
    now, dice = NOWS[0], random.Random(5)
    homes = [make_property(units=dice.randint(1, 2)) for _ in range(12)]
    for home in homes:
        take(home, now, dice, span_hours=30)
    counts = []
    for _ in range(25):
        start = now + timedelta(minutes=dice.randrange(6000))
        window = Period(start, start + timedelta(minutes=dice.choice([10, 300, 2000])))
        search = ListingSearch(free=window)
        counts.append(
            all_differ(
                homes,
                search,
                now,
                # One unit for the whole time is more than some unit at each instant.
                lambda home, window=window: is_free(home, window, quantity=None, now=now),  # type: ignore[misc]
            )
        )
        for home in homes:
            if Unit.objects.filter(listing=home).count() == 1:
                shown = free_periods(home, window, now=now) == [window]
                assert shown == is_free(home, window, quantity=None, now=now)
    assert 0 < sum(counts) < len(counts) * len(homes)


@pytest.mark.parametrize(
    ("search", "kinds"),
    [
        (ListingSearch(), {"PROPERTY", "SERVICE", "EVENT", "PARKING_SPOT"}),
        (ListingSearch(guests=2), {"PROPERTY"}),
        (ListingSearch(amenities=("Wifi",)), {"PROPERTY"}),
        (ListingSearch(check_in=date(2027, 4, 1), check_out=date(2027, 4, 2)), {"PROPERTY"}),
        (ListingSearch(tickets=1), {"EVENT"}),
        (ListingSearch(starts_after=NOWS[0]), {"EVENT"}),
        (ListingSearch(starts_before=NOWS[0] + timedelta(days=9)), {"EVENT"}),
        (ListingSearch(guests=1, tickets=1), set()),
        (ListingSearch(kinds=frozenset({"SERVICE"}), guests=1), set()),
        (ListingSearch(kinds=frozenset({"SERVICE"})), {"SERVICE"}),
    ],
)
def test_a_filter_of_one_kind_only_restricts_to_it(search: ListingSearch, kinds: set[str]) -> None:
    now = NOWS[0]
    listings = [
        make_property(property__amenities=["Wifi", "Pool"]),
        make_service(),
        make_event(starts_at=now + timedelta(days=3)),
        make_parking_spot(),
    ]
    assert {listing.kind for listing in listings if found([listing], search, now)} == kinds


def test_days_that_no_calendar_near_here_has_find_nothing() -> None:
    home = make_property()
    for first, last in [(date.min, date.max), (date(9999, 12, 30), date.max), (date.min, date(1, 1, 2))]:
        assert found([home], ListingSearch(check_in=first, check_out=last), NOWS[0]) == set()
    ends = Period(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    for listing in (home, make_parking_spot(), make_event()):
        assert found([listing], ListingSearch(free=ends), NOWS[0]) in (set(), {listing.pk})
    assert found([make_service()], ListingSearch(free=ends), NOWS[0]) != set()
