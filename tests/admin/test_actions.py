"""What staff does to bookings and listings in Django admin, one row at a time and with the permission for it."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from apps.bookings.actions import cancel, hold
from apps.bookings.models import Booking, BookingEvent
from apps.bookings.states import BookingStatus
from apps.listings.models import Listing, ListingStatus
from apps.listings.offers import BookingRequest
from apps.users.models import User
from tests.admin.test_ledgers import client_of, page
from tests.recipes import make_event, make_guest, make_onlooker, make_property

pytestmark = pytest.mark.django_db(transaction=True)


def allow(user: User, codename: str) -> User:
    user.user_permissions.add(Permission.objects.get(codename=codename))
    return User.objects.get(pk=user.pk)


def act(user: User, model: Any, action: str, *rows: Any) -> list[str]:
    """Run an action on rows; what staff is told."""
    form = {"action": action, "_selected_action": [row.pk for row in rows]}
    answer = client_of(user).post(page(model), form, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def held(event: Listing) -> Booking:
    """A ticket for nothing, so it is confirmed at once."""
    return hold(
        kind_code="EVENT",
        listing_id=event.pk,
        listing_field="event_id",
        request=BookingRequest(tickets=1),
        guest=make_guest(),
        now=timezone.now(),
    )


def test_staff_cancels_bookings_with_the_permission() -> None:
    staff = make_onlooker()
    event = make_event(price_minor=0)
    coming, gone = held(event), held(event)
    cancel(viewer=gone.guest, booking_id=gone.pk, now=timezone.now())
    assert coming.status == BookingStatus.CONFIRMED

    act(staff, Booking, "cancel_selected", coming)
    coming.refresh_from_db()
    assert coming.status == BookingStatus.CONFIRMED

    told = act(allow(staff, "change_booking"), Booking, "cancel_selected", coming, gone)

    coming.refresh_from_db()
    assert coming.status == BookingStatus.CANCELED
    assert "Canceled: 1" in told
    assert any(text.startswith(f"{gone.reference}: ") for text in told)
    assert list(BookingEvent.objects.filter(booking=coming, type="CANCELED").values_list("actor", flat=True)) == [
        "STAFF"
    ]
    assert LogEntry.objects.filter(user=staff, object_id=str(coming.pk)).count() == 1
    assert not LogEntry.objects.filter(object_id=str(gone.pk)).exists()


def test_staff_takes_listings_off_the_market_and_puts_them_back() -> None:
    staff = make_onlooker()
    listing = make_property(status=ListingStatus.PUBLISHED)
    act(staff, Listing, "archive", listing)
    listing.refresh_from_db()
    assert listing.status == ListingStatus.PUBLISHED

    staff = allow(staff, "change_listing")
    assert act(staff, Listing, "archive", listing) == ["Archived: 1"]
    listing.refresh_from_db()
    assert listing.status == ListingStatus.ARCHIVED

    assert act(staff, Listing, "publish", listing) == ["Published: 1"]
    listing.refresh_from_db()
    assert listing.status == ListingStatus.PUBLISHED
