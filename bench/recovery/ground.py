"""What is booked: one event with very many tickets and many homes of one unit. Run by `manage.py shell`."""

from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from typing import Any

from bench.bookings.ground import Ground

HOMES = 200
TICKETS = 1_000_000


def make() -> dict[str, Any]:
    """Add them to the demo's data."""
    from apps.availability.models import Stock, Unit
    from apps.kinds.event.models import Event
    from apps.kinds.property.models import Property
    from apps.listings.models import Listing, ListingStatus
    from apps.users.models import User

    common = {
        "host": User.objects.get(email="host@example.com"), "status": ListingStatus.PUBLISHED, "time_zone": "UTC",
        "price_minor": 10_000, "currency": "EUR", "cancellation_policy": "FLEXIBLE",
    }  # fmt: skip
    start = datetime.combine(datetime.now(UTC).date() + timedelta(days=30), time(18), tzinfo=UTC)
    event = Listing.objects.create(kind="EVENT", title="Concert of the outages", **common)
    Event.objects.create(
        listing=event, starts_at=start, ends_at=start + timedelta(hours=2), venue="Hall", total_tickets=TICKETS
    )
    Stock.objects.create(listing=event, capacity=TICKETS)
    homes = [Listing.objects.create(kind="PROPERTY", title=f"Home of the outages {n}", **common) for n in range(HOMES)]
    Property.objects.bulk_create(Property(listing=home, max_guests=4) for home in homes)
    Unit.objects.bulk_create(Unit(listing=home, number=1) for home in homes)
    return asdict(Ground(event=event.pk, first=homes[0].pk, homes=HOMES))
