"""The demo's accounts and listings."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import TypeVar

from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from apps.availability.models import Stock, Unit
from apps.core.periods import instant, local_date
from apps.importing.demo import towns
from apps.importing.demo.pictures import VARIANTS, picture
from apps.importing.demo.towns import TOWNS, Town
from apps.importing.words import FIRST_NAMES, LAST_NAMES
from apps.kinds.event.models import Event
from apps.kinds.parking.models import ParkingSpot
from apps.kinds.property.models import Property
from apps.kinds.service.models import OpeningHours, Service
from apps.listings.kinds import kind_of
from apps.listings.models import CancellationPolicy, Image, Listing, ListingStatus
from apps.users.models import User, UserRole

Thing = TypeVar("Thing")

SOURCE = "demo"
PASSWORD = "demo-Password-1"  # noqa: S105
GUEST, HOST, STAFF = "guest@example.com", "host@example.com", "staff@example.com"
HOSTS = 24
GUESTS = 60
HOMES, SERVICES, EVENTS, SPOTS = 18, 10, 10, 12
# Listings of the demo's host, of each kind: the first ones of the first towns.
OWN = 2
EVERY_DAY = range(1, 8)


@dataclass(slots=True)
class Cast:
    """Everybody in the demo."""

    guest: User
    host: User
    staff: User
    hosts: list[User] = field(default_factory=list)
    guests: list[User] = field(default_factory=list)


def make_cast(*, now: datetime) -> Cast:
    """The three accounts that can sign in, and hosts and guests who cannot."""
    password = make_password(PASSWORD)

    def account(key: str, first: str, last: str, role: UserRole, *, email: str = "", days: int) -> User:
        return User(
            email=email,
            first_name=first,
            last_name=last,
            role=role,
            password=password if email else make_password(None),
            is_superuser=role == UserRole.STAFF,
            email_verified_at=now,
            joined_at=now - timedelta(days=days),
            source=SOURCE,
            external_id=key,
        )

    cast = Cast(
        guest=account("guest", "Gala", "Linden", UserRole.GUEST, email=GUEST, days=400),
        host=account("host", "Hugo", "Harlow", UserRole.HOST, email=HOST, days=900),
        staff=account("staff", "Signe", "Stone", UserRole.STAFF, email=STAFF, days=1000),
    )
    names = [(first, last) for last in LAST_NAMES for first in FIRST_NAMES]
    random.Random("names").shuffle(names)  # noqa: S311
    for number in range(HOSTS + GUESTS):
        role = UserRole.HOST if number < HOSTS else UserRole.GUEST
        people = cast.hosts if role == UserRole.HOST else cast.guests
        people.append(account(f"{role.lower()}-{number}", *names[number], role, days=200 + 7 * number))
    User.objects.bulk_create([cast.guest, cast.host, cast.staff, *cast.hosts, *cast.guests])
    return cast


class Catalogue:
    """Makes the listings, town by town. The same on every machine for the same day."""

    def __init__(self, cast: Cast, *, now: datetime) -> None:
        self._cast = cast
        self._now = now
        self._rng = random.Random("catalogue")  # noqa: S311
        self.listings: list[Listing] = []
        self.properties: list[Property] = []
        self.services: list[Service] = []
        self.opening_hours: list[OpeningHours] = []
        self.events: list[Event] = []
        self.spots: list[ParkingSpot] = []
        self.units: list[Unit] = []
        self.stocks: list[Stock] = []

    def make(self) -> None:
        """Write all of it."""
        for number, town in enumerate(TOWNS):
            for kind in (self._homes, self._service_points, self._occasions, self._parking):
                kind(town, is_own=number < OWN)
        for age, listing in enumerate(reversed(self.listings)):
            listing.created_at = self._now - timedelta(days=150, minutes=37 * age)
        Listing.objects.bulk_create(self.listings)
        Property.objects.bulk_create(self.properties)
        Service.objects.bulk_create(self.services)
        OpeningHours.objects.bulk_create(self.opening_hours)
        Event.objects.bulk_create(self.events)
        ParkingSpot.objects.bulk_create(self.spots)
        Unit.objects.bulk_create(self.units)
        Stock.objects.bulk_create(self.stocks)
        Image.objects.bulk_create(self._pictures())

    def _listing(
        self, kind: str, town: Town, *, title: str, description: str, address: str, price: int, is_own: bool
    ) -> Listing:
        rng = self._rng
        listing = Listing(
            host=self._cast.host if is_own else rng.choice(self._cast.hosts),
            kind=kind,
            status=ListingStatus.PUBLISHED,
            title=title,
            description=description,
            latitude=round(town.latitude + rng.uniform(-0.05, 0.05), 6),
            longitude=round(town.longitude + rng.uniform(-0.06, 0.06), 6),
            address=address,
            city=town.city,
            region=town.region,
            country=town.country,
            time_zone=town.time_zone,
            price_minor=price * town.scale,
            currency=town.currency,
            cancellation_policy=rng.choices(list(CancellationPolicy), weights=(5, 3, 1, 1))[0],
        )
        self.listings.append(listing)
        return listing

    def _address(self) -> str:
        return f"{self._rng.randint(1, 99)} {self._rng.choice(towns.STREETS)}"

    def _homes(self, town: Town, *, is_own: bool) -> None:
        rng = self._rng
        for number, (quality, (name, property_type, guests, bedrooms)) in enumerate(self._pairs(towns.HOMES, HOMES)):
            address = self._address()
            listing = self._listing(
                "PROPERTY",
                town,
                title=f"{quality} {name} on {address.split(' ', 1)[1]}",
                description=f"A {quality.lower()} {name.lower()} in {town.city} for up to {guests} guests. Fresh linen, "
                "a proper desk, and a market around the corner.",
                address=address,
                price=rng.randrange(45, 260, 5),
                is_own=is_own and number < OWN,
            )
            units = 5 if number == 1 else rng.choice((1, 1, 1, 2))
            details = Property(
                listing=listing,
                property_type=property_type,
                max_guests=guests,
                bedrooms=bedrooms,
                beds=bedrooms + rng.randint(0, 1),
                bathrooms=Decimal(rng.choice(("1", "1", "1.5", "2"))),
                amenities=sorted(rng.sample(towns.AMENITIES, rng.randint(4, 9))),
                min_nights=rng.choice((1, 1, 1, 2, 3)),
                max_nights=rng.choice((14, 28, 90, 365)),
                cleaning_fee_minor=rng.choice((None, 20, 35)),
                units=units,
            )
            if details.cleaning_fee_minor is not None:
                details.cleaning_fee_minor *= town.scale
            self.properties.append(details)
            self.units += [Unit(listing=listing, number=unit) for unit in range(1, units + 1)]

    def _service_points(self, town: Town, *, is_own: bool) -> None:
        rng = self._rng
        for number, (quality, (name, minutes, buffer, price)) in enumerate(self._pairs(towns.SERVICES, SERVICES)):
            address = self._address()
            listing = self._listing(
                "SERVICE",
                town,
                title=f"{name} on {address.split(' ', 1)[1]}, {town.city}",
                description=f"{name}, {minutes} minutes, in a {quality.lower()} place in {town.city}. Open every day.",
                address=address,
                price=price,
                is_own=is_own and number < OWN,
            )
            staff = rng.choice((1, 1, 2, 3))
            details = Service(listing=listing, duration_minutes=minutes, buffer_minutes=buffer, staff=staff)
            self.services.append(details)
            split = rng.random() < 0.3
            for weekday in EVERY_DAY:
                spans = [(9, 12), (13, 18)] if split and weekday < 6 else [(10, 16) if weekday > 5 else (9, 18)]
                self.opening_hours += [
                    OpeningHours(service=details, weekday=weekday, opens_at=time(opens), closes_at=time(closes))
                    for opens, closes in spans
                ]
            self.units += [Unit(listing=listing, number=unit) for unit in range(1, staff + 1)]

    def _occasions(self, town: Town, *, is_own: bool) -> None:
        rng = self._rng
        today = local_date(self._now, town.time_zone)
        for number, (_, (name, price, tickets)) in enumerate(self._pairs(towns.EVENTS, EVENTS)):
            venue = rng.choice(towns.VENUES)
            # The last two of each town are over: they have guests who were there.
            day = today + timedelta(days=rng.randint(3, 110) if number < EVENTS - 2 else -rng.randint(8, 60))
            starts_at = instant(day, time(rng.choice((11, 15, 19, 20))), town.time_zone)
            listing = self._listing(
                "EVENT",
                town,
                title=f"{name}, {town.city}",
                description=f"{name} at {venue}. Doors open half an hour before.",
                address=self._address(),
                price=price,
                is_own=is_own and (number < OWN or number == EVENTS - 1),
            )
            ends_at = starts_at + timedelta(hours=rng.choice((2, 3)))
            self.events.append(
                Event(listing=listing, starts_at=starts_at, ends_at=ends_at, venue=venue, total_tickets=tickets)
            )
            self.stocks.append(Stock(listing=listing, capacity=tickets))

    def _parking(self, town: Town, *, is_own: bool) -> None:
        rng = self._rng
        for number in range(SPOTS):
            address = self._address()
            name = towns.SPOTS[number % len(towns.SPOTS)]
            street = address.split(" ", 1)[1]
            listing = self._listing(
                "PARKING_SPOT",
                town,
                title=f"{name} {number + 1}, {street}, {town.city}",
                description=f"{name} in {town.city}, lit at night. Drive in, and pay for the minutes you stayed.",
                address=address,
                price=rng.randint(2, 6),
                is_own=is_own and number < OWN,
            )
            self.spots.append(
                ParkingSpot(listing=listing, street=street, max_minutes=rng.choice((120, 240, 720, 1440)))
            )
            self.units.append(Unit(listing=listing, number=1))

    def _pairs(self, things: Sequence[Thing], count: int) -> Iterator[tuple[str, Thing]]:
        """That many things in turn, each with another quality, so that no host has two of the same title."""
        qualities = self._rng.sample(towns.QUALITIES, len(towns.QUALITIES))
        for number in range(count):
            yield qualities[number % len(qualities)], things[number % len(things)]

    def _pictures(self) -> list[Image]:
        """One file for each listing, since a host may delete a picture."""
        images = []
        for number, listing in enumerate(self.listings):
            motif = kind_of(listing).relation
            name = f"listings/demo/{motif}-{number}.png"
            default_storage.delete(name)
            saved = default_storage.save(name, ContentFile(picture(motif, number % VARIANTS)))
            images.append(
                Image(
                    listing=listing,
                    file=saved,
                    alt=f"A drawing: {listing.title}",
                    position=0,
                    created_at=listing.created_at,
                )
            )
        return images
