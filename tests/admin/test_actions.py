"""What staff does to listings in Django admin, one row at a time and with the permission for it."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from apps.listings.models import Listing, ListingStatus
from apps.users.models import User
from tests.admin.test_ledgers import client_of, page
from tests.recipes import make_onlooker, make_property

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
