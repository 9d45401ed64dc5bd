"""What is booked: one event with very many tickets and many homes of one unit, and what must hold of them afterwards."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

HOMES = 2_000
TICKETS = 10_000_000
# How many numbers all clients of one measurement together may use up; the nights of all homes must suffice for all.
NUMBERS = 16_000
NIGHTS = 700


@dataclass(frozen=True, slots=True)
class Ground:
    """Primary keys: the event, and the homes `first` to `first + homes - 1`."""

    event: int
    first: int
    homes: int

    def home_and_night(self, number: int) -> tuple[int, int]:
        """The home and the night that the number stands for, as in `plain/spread.sql`."""
        return self.first + number % self.homes, number // self.homes


def make() -> dict[str, Any]:
    """Make the rows in an empty database."""
    from apps.availability.models import Stock, Unit
    from apps.kinds.event.models import Event
    from apps.kinds.property.models import Property
    from apps.listings.models import Listing, ListingStatus
    from apps.users.models import User, UserRole

    host = User.objects.create(email="host@example.com", role=UserRole.HOST, password="!")
    common = {
        "host": host, "status": ListingStatus.PUBLISHED, "time_zone": "UTC", "price_minor": 10_000, "currency": "EUR",
    }  # fmt: skip
    start = datetime.combine(datetime.now(UTC).date() + timedelta(days=30), time(18), tzinfo=UTC)
    event = Listing.objects.create(kind="EVENT", title="Concert", **common)
    Event.objects.create(
        listing=event, starts_at=start, ends_at=start + timedelta(hours=2), venue="Hall", total_tickets=TICKETS
    )
    Stock.objects.create(listing=event, capacity=TICKETS)
    homes = Listing.objects.bulk_create(
        Listing(kind="PROPERTY", title=f"Home {number}", **common) for number in range(HOMES)
    )
    Property.objects.bulk_create(Property(listing=home, max_guests=4) for home in homes)
    Unit.objects.bulk_create(Unit(listing=home, number=1) for home in homes)
    return asdict(Ground(event=event.pk, first=homes[0].pk, homes=HOMES))


# Each names what it counts; the right count is 0.
WRONGS = {
    "stocks whose counter is not the sum of their allocations": """
        SELECT count(*) FROM availability_stock s WHERE taken > capacity OR taken <> (
            SELECT coalesce(sum(quantity), 0) FROM availability_allocation a
            WHERE a.listing_id = s.listing_id AND unit_id IS NULL AND is_active)""",
    "nights sold twice": """
        SELECT count(*) FROM availability_allocation a JOIN availability_allocation b
        ON a.unit_id = b.unit_id AND a.id < b.id AND a.period && b.period AND a.is_active AND b.is_active""",
    "allocations without one booking": """
        SELECT count(*) FROM availability_allocation a
        LEFT JOIN (SELECT allocation_id, count(*) AS many FROM bookings_booking GROUP BY 1) b ON b.allocation_id = a.id
        WHERE many IS DISTINCT FROM 1""",
    "bookings whose ticket count is not their allocation's": """
        SELECT count(*) FROM bookings_booking b JOIN availability_allocation a ON a.id = b.allocation_id
        WHERE a.quantity <> coalesce(b.tickets, 1) OR a.listing_id <> b.listing_id OR a.period <> b.period""",
    "bookings whose lines do not sum to their bill": """
        SELECT count(*) FROM bookings_booking b JOIN payments_bill p ON p.id = b.bill_id
        LEFT JOIN (SELECT booking_id, sum(amount_minor) AS lines FROM bookings_bookingline GROUP BY 1) l
        ON l.booking_id = b.id WHERE lines IS DISTINCT FROM total_minor""",
    "bookings without one line of history": """
        SELECT count(*) FROM bookings_booking b
        LEFT JOIN (SELECT booking_id, count(*) AS many FROM bookings_bookingevent GROUP BY 1) e ON e.booking_id = b.id
        WHERE many IS DISTINCT FROM 1""",
}


def check() -> dict[str, Any]:
    """How many bookings there are, and what of WRONGS was found."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM bookings_booking")
        (bookings,) = cursor.fetchone()
        found = {}
        for name, statement in WRONGS.items():
            cursor.execute(statement)
            (count,) = cursor.fetchone()
            if count:
                found[name] = count
    return {"bookings": bookings, "wrong": found}
