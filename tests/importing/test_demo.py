"""The demo's data: whole, sound by the ledgers' own rules, and made once."""

from datetime import timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db.models import Avg, Count, F, Q, Sum
from django.utils import timezone

from apps.availability.models import Allocation, Stock
from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.bookings.states import BookingEventType, BookingStatus, may_follow
from apps.core.periods import Period
from apps.importing.demo import catalogue
from apps.importing.demo.actions import seed_demo
from apps.importing.demo.stories import Stories
from apps.kinds.event.models import Event
from apps.listings.kinds import all_kinds, kind_of, relations
from apps.listings.models import Image, Listing
from apps.payments.models import Bill, Charge, ChargeStatus, ReceiptCounter
from apps.reviews.models import Review
from apps.users.models import User, UserRole

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_media(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def test_the_demo_is_made_once() -> None:
    out = StringIO()
    call_command("seed_demo", stdout=out)
    assert out.getvalue().startswith("350 listings; sign in as guest@example.com, host@example.com or staff@")
    before = (User.objects.count(), Listing.objects.count(), Booking.objects.count(), Review.objects.count())

    again = StringIO()
    call_command("seed_demo", stdout=again)

    assert again.getvalue() == "the demo's data is there already\n"
    assert before == (User.objects.count(), Listing.objects.count(), Booking.objects.count(), Review.objects.count())


def test_the_accounts_of_the_demo_can_sign_in_and_have_something_to_see() -> None:
    now = timezone.now()
    seed_demo(now=now)
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


def test_the_listings_can_be_booked_now() -> None:
    now = timezone.now()
    seed_demo(now=now)
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
    seed_demo(now=timezone.now())
    images = list(Image.objects.values_list("file", flat=True))
    assert len(images) == len(set(images)) == 350
    for name in images:
        with default_storage.open(name) as file:
            assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def test_the_ledgers_agree() -> None:
    now = timezone.now()
    seed_demo(now=now)
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


def test_the_histories_follow_the_table_of_states() -> None:
    now = timezone.now()
    seed_demo(now=now)
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
    seed_demo(now=timezone.now())
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


def test_two_machines_get_the_same_demo() -> None:
    now = timezone.now()
    seed_demo(now=now)
    first = sorted(Booking.objects.values_list("reference", "listing__title", "guest__external_id", "period"))
    with_images = sorted(Image.objects.values_list("file", "listing__title"))
    Review.objects.all().delete()
    Charge.objects.all().delete()
    Booking.objects.all().delete()
    Bill.objects.all().delete()
    Listing.objects.all().delete()
    ReceiptCounter.objects.all().delete()
    User.objects.all().delete()

    seed_demo(now=now)

    assert first == sorted(Booking.objects.values_list("reference", "listing__title", "guest__external_id", "period"))
    assert with_images == sorted(Image.objects.values_list("file", "listing__title"))


def test_a_demo_that_breaks_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_self: Stories) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stories, "_reviews", breaks)
    with pytest.raises(KeyboardInterrupt):
        seed_demo(now=timezone.now())
    assert (User.objects.count(), Listing.objects.count(), Booking.objects.count(), Bill.objects.count()) == (
        0,
        0,
        0,
        0,
    )
    monkeypatch.undo()
    assert seed_demo(now=timezone.now()) == 350


def test_an_account_of_somebody_else_is_not_taken_over() -> None:
    user = User.objects.create_user(catalogue.STAFF.upper(), "somebody-Else-1")
    with pytest.raises(CommandError, match=r"staff@example\.com is an account here already"):
        call_command("seed_demo")
    user.refresh_from_db()
    assert (user.role, User.objects.count(), Listing.objects.count()) == (UserRole.GUEST, 1, 0)


@pytest.mark.parametrize("days", [1, 2, 3, 150])
def test_the_demo_can_be_made_on_any_day(days: int) -> None:
    """Weekdays, changes of the clocks and month ends: the constraints refuse what would overlap."""
    now = timezone.now() + timedelta(days=days)
    assert seed_demo(now=now) == 350
