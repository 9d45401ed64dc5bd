"""The demo's data: whole, and made once, on any day."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.bookings.models import Booking
from apps.importing.demo import catalogue
from apps.importing.demo.actions import seed_demo
from apps.importing.demo.stories import Stories
from apps.listings.models import Image, Listing
from apps.payments.models import Bill, Charge, ReceiptCounter
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
