"""Who went where in the demo, who is there now, who will come, and what they said."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from django.db.models import F

from apps.availability.models import Unit
from apps.bookings.states import BookingStatus
from apps.core.periods import Period, instant, local_date
from apps.importing.demo import towns
from apps.importing.demo.catalogue import Cast, Catalogue
from apps.importing.demo.ledger import Books, Visit
from apps.kinds.event.models import Event
from apps.kinds.parking.models import ParkingSpot
from apps.kinds.property.models import Property
from apps.kinds.service.models import Service
from apps.listings.models import Listing
from apps.listings.offers import Occupancy
from apps.reviews.models import Review
from apps.users.models import User

Row = TypeVar("Row", Property, Service, Event)

DAY = timedelta(days=1)
# How often who was there says something about it.
TALKATIVE = 0.7
RATINGS, WEIGHTS = (5, 4, 3, 2), (55, 30, 11, 4)


class Stories:
    """Makes the visits of all listings and the reviews after them."""

    def __init__(self, cast: Cast, catalogue: Catalogue, *, now: datetime, paid: bool = True) -> None:
        self._cast = cast
        self._catalogue = catalogue
        self._now = now
        self._paid = paid
        self._rng = random.Random("stories")  # noqa: S311
        self._books = Books(now=now)
        self._units: dict[int, list[Unit]] = defaultdict(list)
        for unit in catalogue.units:
            self._units[unit.listing_id].append(unit)
        self._visited: list[Visit] = []

    def make(self) -> None:
        """Write all of it."""
        for home in self._catalogue.properties:
            self._stays(home)
        for service in self._catalogue.services:
            self._appointments(service)
        for event in self._catalogue.events:
            self._tickets(event)
        for spot in self._catalogue.spots:
            self._parkings(spot)
        self._guest_of_the_demo()
        self._books.write()
        self._reviews()

    def _visit(
        self,
        listing: Listing,
        occupancy: Occupancy,
        status: BookingStatus,
        *,
        unit: Unit | None = None,
        guest: User | None = None,
        lead: timedelta | None = None,
    ) -> None:
        is_over = status == BookingStatus.COMPLETED
        before = min(occupancy.period.start, self._now)
        visit = Visit(
            listing=listing,
            guest=guest or self._rng.choice(self._cast.guests),
            occupancy=occupancy,
            status=status,
            booked_at=before - (lead or timedelta(hours=self._rng.randint(6, 700))),
            unit=unit,
            paid=is_over and self._paid,
        )
        self._books.add(visit)
        if is_over and visit.guest is not self._cast.guest:
            self._visited.append(visit)

    def _stay(self, home: Property, check_in: date, nights: int) -> Occupancy:
        check_out = check_in + nights * DAY
        zone = home.listing.time_zone
        period = Period(
            instant(check_in, home.check_in_time, zone),
            instant(check_out, home.check_out_time, zone),
        )
        return Occupancy(
            period=period,
            occupied=period,
            check_in=check_in,
            check_out=check_out,
            guests=self._rng.randint(1, home.max_guests),
        )

    def _stays(self, home: Property) -> None:
        """Three past stays at most, somebody there now in every fourth, and one or two to come."""
        rng = self._rng
        today = local_date(self._now, home.listing.time_zone)
        unit = self._units[home.listing.pk][0]
        day = today - rng.randint(4, 12) * DAY
        for _ in range(rng.randint(0, 3)):
            nights = rng.randint(home.min_nights, home.min_nights + 5)
            day -= nights * DAY
            self._visit(home.listing, self._stay(home, day, nights), BookingStatus.COMPLETED, unit=unit)
            day -= rng.randint(1, 14) * DAY
        if rng.random() < 0.25:
            stay = self._stay(home, today - 2 * DAY, max(4, home.min_nights))
            self._visit(home.listing, stay, BookingStatus.CHECKED_IN, unit=unit)
        day = today + rng.randint(8, 20) * DAY
        for _ in range(rng.randint(0, 2)):
            nights = rng.randint(home.min_nights, home.min_nights + 4)
            self._visit(home.listing, self._stay(home, day, nights), BookingStatus.CONFIRMED, unit=unit)
            day += (nights + rng.randint(2, 15)) * DAY

    def _appointment(self, service: Service, day: date, place: int) -> Occupancy:
        """The `place`-th appointment of the day, counted from 0."""
        step = timedelta(minutes=service.duration_minutes + service.buffer_minutes)
        zone = service.listing.time_zone
        opens = min(
            hours.opens_at
            for hours in self._catalogue.opening_hours
            if hours.service_id == service.pk and hours.weekday == day.isoweekday()
        )
        start = instant(day, opens, zone) + place * step
        return Occupancy(
            period=Period(start, start + timedelta(minutes=service.duration_minutes)),
            occupied=Period(start, start + step),
        )

    def _appointments(self, service: Service) -> None:
        rng = self._rng
        today = local_date(self._now, service.listing.time_zone)
        unit = self._units[service.listing.pk][0]
        for days in sorted(rng.sample(range(3, 60), rng.randint(0, 4))):
            occupancy = self._appointment(service, today - days * DAY, rng.randint(0, 1))
            self._visit(service.listing, occupancy, BookingStatus.COMPLETED, unit=unit)
        for days in sorted(rng.sample(range(2, 20), rng.randint(0, 3))):
            occupancy = self._appointment(service, today + days * DAY, rng.randint(0, 1))
            self._visit(service.listing, occupancy, BookingStatus.CONFIRMED, unit=unit)

    def _tickets(self, event: Event) -> None:
        rng = self._rng
        period = Period(event.starts_at, event.ends_at)
        is_over = period.end <= self._now
        left = event.total_tickets // 2
        for guest in rng.sample(self._cast.guests, rng.randint(2, 6) if is_over else rng.randint(0, 4)):
            tickets = min(rng.randint(1, 4), left)
            if tickets:
                left -= tickets
                status = BookingStatus.COMPLETED if is_over else BookingStatus.CONFIRMED
                occupancy = Occupancy(period=period, occupied=period, quantity=tickets)
                self._visit(event.listing, occupancy, status, guest=guest)

    def _parkings(self, spot: ParkingSpot) -> None:
        """Past ones only: every spot is free now."""
        rng = self._rng
        unit = self._units[spot.listing.pk][0]
        today = local_date(self._now, spot.listing.time_zone)
        for days in sorted(rng.sample(range(2, 45), rng.randint(0, 4))):
            start = instant(today - days * DAY, time(rng.randint(7, 20), rng.randint(0, 59)), spot.listing.time_zone)
            period = Period(start, start + timedelta(minutes=rng.randint(12, min(spot.max_minutes, 300))))
            self._visit(
                spot.listing,
                Occupancy(period=period, occupied=period),
                BookingStatus.COMPLETED,
                unit=unit,
                lead=timedelta(minutes=10),
            )

    def _guest_of_the_demo(self) -> None:
        """One of everything for guest@example.com; the past stay has no review yet."""
        guest = self._cast.guest
        home = next(self._own(self._catalogue.properties))
        roomy = next(each for each in self._own(self._catalogue.properties) if each.units > 1)
        today = local_date(self._now, home.listing.time_zone)
        last = self._units[home.listing.pk][-1]
        past = self._stay(home, today - 90 * DAY, max(3, home.min_nights))
        self._visit(home.listing, past, BookingStatus.COMPLETED, unit=last, guest=guest)
        soon = self._stay(roomy, today + 30 * DAY, max(4, roomy.min_nights))
        self._visit(roomy.listing, soon, BookingStatus.CONFIRMED, unit=self._units[roomy.listing.pk][-1], guest=guest)
        dropped = self._stay(roomy, today + 60 * DAY, max(2, roomy.min_nights))
        self._visit(
            roomy.listing,
            dropped,
            BookingStatus.CANCELED,
            unit=self._units[roomy.listing.pk][-1],
            guest=guest,
            lead=3 * DAY,
        )
        service = next(self._own(self._catalogue.services))
        visited = self._appointment(service, today - 70 * DAY, 0)
        self._visit(
            service.listing, visited, BookingStatus.COMPLETED, unit=self._units[service.listing.pk][0], guest=guest
        )
        event = next(each for each in self._own(self._catalogue.events) if each.starts_at > self._now)
        period = Period(event.starts_at, event.ends_at)
        tickets = Occupancy(period=period, occupied=period, quantity=2)
        self._visit(event.listing, tickets, BookingStatus.CONFIRMED, guest=guest)

    def _own(self, rows: list[Row]) -> Iterator[Row]:
        """Those of host@example.com."""
        return (row for row in rows if row.listing.host_id == self._cast.host.pk)

    def _reviews(self) -> None:
        """What those say who were there, once each a listing, and the averages that follow from it."""
        rng = self._rng
        reviews: dict[tuple[int, int], Review] = {}
        for visit in self._visited:
            key = (visit.listing.pk, visit.guest.pk)
            if key in reviews or rng.random() > TALKATIVE:
                continue
            rating = rng.choices(RATINGS, WEIGHTS)[0]
            written_at = min(visit.occupancy.period.end + timedelta(hours=rng.randint(2, 60)), self._now)
            review = Review(
                listing=visit.listing,
                author=visit.guest,
                rating=rating,
                comment=rng.choice(towns.COMMENTS[rating]).format(city=visit.listing.city),
                created_at=written_at,
                updated_at=written_at,
            )
            if rng.random() < 0.2:
                review.reply = towns.REPLIES[0] if rating > 3 else towns.REPLIES[1]
                review.replied_at = min(written_at + timedelta(hours=9), self._now)
            reviews[key] = review
        Review.objects.bulk_create(reviews.values())
        sums: dict[int, list[int]] = defaultdict(list)
        for (listing, _), review in reviews.items():
            sums[listing].append(review.rating or 0)
        for listing, ratings in sums.items():
            Listing.objects.filter(pk=listing).update(
                rating_sum=F("rating_sum") + sum(ratings), rating_count=F("rating_count") + len(ratings)
            )
