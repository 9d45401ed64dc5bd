"""What the demo's data is: sound by the ledgers' own rules, with something to see for everybody."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.core.files.storage import default_storage
from django.db.models import Avg, Count, F, Q, Sum
from django.test import override_settings
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from apps.availability.models import Allocation, Stock
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.bookings.states import BookingEventType, BookingStatus, may_follow
from apps.core.periods import Period
from apps.importing.demo.actions import seed_demo
from apps.kinds.event.models import Event
from apps.listings.kinds import all_kinds, kind_of, relations
from apps.listings.models import Image, Listing
from apps.payments.models import Bill, Charge, ChargeStatus, ReceiptCounter
from apps.reviews.models import Review
from apps.users.models import User, UserRole
from tests.emptying import empty_all

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def _demo(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[datetime]:
    """The demo's data, made once, since no test here writes."""
    del django_db_setup
    now = timezone.now()
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=tmp_path_factory.mktemp("media")):
        seed_demo(now=now)
        yield now
        empty_all()


@pytest.fixture(autouse=True)
def now(_demo: datetime) -> datetime:
    """When the demo was made."""
    return _demo


def test_the_accounts_of_the_demo_can_sign_in_and_have_something_to_see() -> None:
    guest, host, staff = (User.objects.get(email=f"{name}@example.com") for name in ("guest", "host", "staff"))
    for user, role in ((guest, UserRole.GUEST), (host, UserRole.HOST), (staff, UserRole.STAFF)):
        assert user.check_password("demo-Password-1")
        assert (user.role, user.is_active, user.email_verified_at is not None) == (role, True, True)
    assert (staff.is_superuser, host.is_superuser) == (True, False)
    assert set(host.listings.values_list("kind", flat=True)) == {kind.code for kind in all_kinds()}
    statuses = set(guest.bookings.values_list("status", flat=True))
    assert statuses == {BookingStatus.COMPLETED, BookingStatus.CONFIRMED, BookingStatus.CANCELED}
    done = guest.bookings.filter(status=BookingStatus.COMPLETED)
    assert done.exclude(listing__reviews__author=guest).exists()
    assert not User.objects.exclude(email="").exclude(email__endswith="@example.com").exists()


def test_the_listings_can_be_booked_now(now: datetime) -> None:
    listings = Listing.objects.select_related(*relations())
    assert len(set(listings.values_list("time_zone", flat=True))) == 7
    assert Event.objects.filter(starts_at__gt=now).count() == 7 * 8
    parked = Allocation.objects.filter(listing__kind="PARKING_SPOT", is_active=True, period__contains=now)
    assert not parked.exists()
    tomorrow = Period(now + timedelta(days=1), now + timedelta(days=2))
    for listing in listings.filter(kind="SERVICE"):
        assert kind_of(listing).offered(listing, tomorrow, now=now), listing.title
    for listing in listings:
        capacity = kind_of(listing).capacity(listing)
        if capacity.stock is None:
            assert listing.exclusive_units.filter(is_offered=True).count() == capacity.units
        else:
            assert listing.stock.capacity == capacity.stock


def test_every_listing_has_a_picture_of_its_own() -> None:
    images = list(Image.objects.values_list("file", flat=True))
    assert len(images) == len(set(images)) == 350
    for name in images:
        with default_storage.open(name) as file:
            assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def test_the_ledgers_agree(now: datetime) -> None:
    # Lines sum to the bill; the bill to its charges; nothing is owed and nothing is open.
    totals = dict(BookingLine.objects.values_list("booking").annotate(total=Sum("amount_minor")))
    for booking in Booking.objects.select_related("bill"):
        assert totals[booking.pk] == booking.bill.total_minor
    assert not Bill.objects.exclude(captured_minor=F("total_minor")).exists()
    assert set(Charge.objects.values_list("status", flat=True)) == {ChargeStatus.SUCCEEDED}
    charged = dict(Charge.objects.values_list("bill").annotate(total=Sum("amount_minor")))
    assert charged == dict(Bill.objects.filter(total_minor__gt=0).values_list("pk", "total_minor"))
    # Receipts have no gaps.
    for counter in ReceiptCounter.objects.all():
        numbers = Charge.objects.filter(receipt_number__startswith=f"{counter.year}-").order_by("paid_at", "pk")
        taken = sorted(number or "" for number in numbers.values_list("receipt_number", flat=True))
        assert taken == [f"{counter.year}-{number:06d}" for number in range(1, counter.last + 1)]
    # Tickets taken are those of live and past bookings.
    for stock in Stock.objects.all():
        sold = Booking.objects.filter(listing=stock.pk).exclude(status=BookingStatus.CANCELED)
        assert stock.taken == (sold.aggregate(total=Sum("tickets"))["total"] or 0)
    assert not Booking.objects.filter(allocation__is_active=False).exclude(status=BookingStatus.CANCELED).exists()
    assert not Booking.objects.filter(status=BookingStatus.COMPLETED, period__endswith__gt=now).exists()
    assert not Booking.objects.filter(status=BookingStatus.CONFIRMED, period__endswith__lte=now).exists()
    assert Booking.objects.filter(status=BookingStatus.CHECKED_IN, period__contains=now).exists()


def test_the_histories_follow_the_table_of_states(now: datetime) -> None:
    stories: dict[int, list[str]] = {}
    moves = {status.value for status in BookingStatus}
    for booking_id, at, kind in BookingEvent.objects.order_by("booking", "at", "pk").values_list(
        "booking", "at", "type"
    ):
        assert at <= now
        stories.setdefault(booking_id, []).append(kind)
    for booking in Booking.objects.all():
        story = stories[booking.pk]
        assert story[0] == BookingEventType.HELD
        states = [BookingStatus.PENDING.value, *(each for each in story if each in moves)]
        assert states[-1] == booking.status
        assert all(may_follow(one, other) for one, other in pairwise(states)), story


def test_averages_are_those_of_the_reviews_and_their_authors_were_there() -> None:
    assert Review.objects.count() > 100
    rows = Listing.objects.annotate(
        told=Count("reviews"), summed=Sum("reviews__rating", default=0), mean=Avg("reviews__rating")
    )
    for listing in rows:
        assert (listing.rating_count, listing.rating_sum) == (listing.told, listing.summed)
        if listing.told:
            assert float(listing.rating_average) == pytest.approx(listing.mean, abs=0.005)
    for review in Review.objects.all():
        assert Booking.objects.filter(
            Q(listing=review.listing_id, guest=review.author_id, status=BookingStatus.COMPLETED)
        ).exists()
