"""What the generated listings of bench.search lack: pictures, reviews and bookings, on the newest of them."""

from datetime import datetime, timedelta

from django.db import connection

from apps.bookings.actions.hold import hold
from apps.bookings.models import Booking
from apps.listings.kinds import BookingRequest
from apps.listings.models import Listing
from apps.users.models import User
from bench.search.data import make as make_listings

WITH_PICTURES = 300
BOOKINGS = 120
GUEST = "guest@example.com"

EXTRAS = """
INSERT INTO listings_image (listing_id, file, alt, position)
SELECT id, 'listings/' || id || '-' || position || '.webp', 'A picture', position
FROM (SELECT id FROM listings_listing ORDER BY created_at DESC LIMIT %(many)s) AS newest, generate_series(0, 9) AS position;
INSERT INTO reviews_review (listing_id, author_id, rating, comment, reply, created_at, updated_at, source, external_id)
SELECT newest.id, author.id, 1 + (newest.id + author.id) %% 5, repeat('We had a very good time. ', 10), '', now(), now(), '', ''
FROM (SELECT id FROM listings_listing ORDER BY created_at DESC LIMIT %(many)s) AS newest,
    (SELECT id FROM users_user ORDER BY id LIMIT 12) AS author;
"""


def people() -> tuple[User, User]:
    """A guest with BOOKINGS bookings, all with one host, and that host."""
    guest = User.objects.get(email=GUEST)
    booking = Booking.objects.filter(guest=guest).select_related("listing__host").first()
    assert booking is not None
    assert booking.listing.host is not None
    return guest, booking.listing.host


def make(*, listings: int, now: datetime) -> None:
    """Replace everything in the database."""
    make_listings(listings=listings)
    with connection.cursor() as cursor:
        cursor.execute(EXTRAS, {"many": WITH_PICTURES})
    guest = User.objects.create(email=GUEST, first_name="Ada", last_name="Lovelace", password="!")
    spot = Listing.objects.filter(kind="PARKING_SPOT", status="PUBLISHED").order_by("-created_at").first()
    assert spot is not None
    for number in range(BOOKINGS):
        start = now + timedelta(days=300, hours=2 * number)
        request = BookingRequest(starts_at=start, ends_at=start + timedelta(hours=1))
        hold(
            kind_code="PARKING_SPOT", listing_id=spot.pk, listing_field="spot_id", request=request, guest=guest, now=now
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
