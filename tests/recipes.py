"""Rows that tests begin with: accounts of each role and a published, bookable listing of each kind.

    host = make_host()
    home = make_property(host=host, units=3, price_minor=12_000)
    stay = make_property(property__min_nights=2, status=ListingStatus.DRAFT)

Fields of the kind's own row carry its name as a prefix, as in a lookup. Every listing has its units or stock in the
availability ledger. The functions work inside and outside of a transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from model_bakery import baker

from apps.availability.actions import set_capacity
from apps.kinds.event.models import Event
from apps.kinds.parking.models import ParkingSpot
from apps.kinds.property.models import Property
from apps.kinds.service.models import OpeningHours, Service
from apps.listings.kinds import Capacity
from apps.listings.models import Listing, ListingStatus
from apps.users.models import User, UserRole

PASSWORD = "test-Password-1"

_numbers = count(1)

# weekday, opens at, closes at
Hours = tuple[int, time, time]
EVERY_DAY_NINE_TO_FIVE: Sequence[Hours] = [(weekday, time(9), time(17)) for weekday in range(1, 8)]


def make_user(*, role: str = UserRole.GUEST, password: str | None = None, **fields: Any) -> User:
    """An account with a verified email. Without `password` it cannot sign in by one, which spares the hashing."""
    number = next(_numbers)
    given = {
        "email": f"{role.lower()}{number}@example.com",
        "first_name": "Ada",
        "last_name": f"Person{number}",
        "email_verified_at": datetime.now(UTC),
        **fields,
    }
    user: User = baker.prepare(User, role=role, **given)
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    user.save()
    return user


def make_guest(**fields: Any) -> User:
    return make_user(role=UserRole.GUEST, **fields)


def make_host(**fields: Any) -> User:
    return make_user(role=UserRole.HOST, **fields)


def make_staff(**fields: Any) -> User:
    return make_user(role=UserRole.STAFF, **fields)


def make_onlooker(**fields: Any) -> User:
    """Staff who sees every table of the admin, and changes none."""
    staff = make_staff(**fields)
    staff.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return User.objects.get(pk=staff.pk)


def make_clerk(role: str, **fields: Any) -> User:
    """Staff in a role of `apps.users.roles`."""
    staff = make_staff(**fields)
    staff.groups.add(Group.objects.get_or_create(name=role)[0])
    return User.objects.get(pk=staff.pk)


def _split(fields: dict[str, Any], prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of the listing, and those of the kind's own row without their prefix."""
    own = {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}
    return {name: value for name, value in fields.items() if not name.startswith(prefix)}, own


def _make_listing(kind: str, fields: dict[str, Any]) -> Listing:
    number = next(_numbers)
    given = {
        "host": fields.get("host") or make_host(),
        "status": ListingStatus.PUBLISHED,
        "title": f"Listing {number}",
        "description": "As described.",
        "address": "Prenzlauer Allee 1",
        "city": "Berlin",
        "region": "Berlin",
        "country": "Germany",
        "latitude": 52.52,
        "longitude": 13.405,
        "time_zone": "Europe/Berlin",
        "price_minor": 10_000,
        "currency": "EUR",
        **fields,
    }
    listing: Listing = baker.make(Listing, kind=kind, **given)
    return listing


def _offer(listing: Listing, capacity: Capacity) -> Listing:
    set_capacity(listing.pk, capacity, field="units", now=datetime.now(UTC))
    return Listing.objects.get(pk=listing.pk)


@transaction.atomic
def make_property(*, units: int = 1, **fields: Any) -> Listing:
    """A home in Berlin at 100.00 EUR a night: 15:00 to 11:00, 1..365 nights, 4 guests."""
    common, own = _split(fields, "property__")
    listing = _make_listing("PROPERTY", common)
    baker.make(Property, listing=listing, **{"max_guests": 4, "property_type": "Apartment", "units": units, **own})
    return _offer(listing, Capacity(units=units))


@transaction.atomic
def make_service(*, staff: int = 1, hours: Sequence[Hours] = EVERY_DAY_NINE_TO_FIVE, **fields: Any) -> Listing:
    """Appointments of an hour, every day from 9 to 17."""
    common, own = _split(fields, "service__")
    listing = _make_listing("SERVICE", common)
    service = baker.make(Service, listing=listing, **{"duration_minutes": 60, "staff": staff, **own})
    OpeningHours.objects.bulk_create(
        OpeningHours(service=service, weekday=weekday, opens_at=opens_at, closes_at=closes_at)
        for weekday, opens_at, closes_at in hours
    )
    return _offer(listing, Capacity(units=staff))


@transaction.atomic
def make_event(*, tickets: int = 100, starts_at: datetime | None = None, **fields: Any) -> Listing:
    """An event of two hours, in thirty days at 18:00 UTC unless `starts_at` says otherwise."""
    common, own = _split(fields, "event__")
    listing = _make_listing("EVENT", common)
    start = starts_at or (datetime.now(UTC) + timedelta(days=30)).replace(hour=18, minute=0, second=0, microsecond=0)
    times = {"starts_at": start, "ends_at": start + timedelta(hours=2)}
    baker.make(Event, listing=listing, **{"venue": "Town hall", "total_tickets": tickets, **times, **own})
    return _offer(listing, Capacity(stock=tickets))


@transaction.atomic
def make_parking_spot(**fields: Any) -> Listing:
    """A parking spot at 100.00 EUR an hour, for at most a day."""
    common, own = _split(fields, "parking_spot__")
    listing = _make_listing("PARKING_SPOT", common)
    baker.make(ParkingSpot, listing=listing, **{"street": "Prenzlauer Allee", **own})
    return _offer(listing, Capacity(units=1))


# By the kind's code, for tests that hold for all kinds.
MAKE = {
    "PROPERTY": make_property,
    "SERVICE": make_service,
    "EVENT": make_event,
    "PARKING_SPOT": make_parking_spot,
}
