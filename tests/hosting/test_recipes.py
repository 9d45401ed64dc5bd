"""The recipes keep their word: every kind comes whole and free."""

import pytest

from apps.availability.models import Stock, Unit
from tests.recipes import MAKE, make_guest, make_host, make_staff


@pytest.mark.django_db
@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_listing_of_each_kind_has_its_row_and_something_to_sell(kind: str) -> None:
    listing = MAKE[kind]()
    assert listing.kind == kind
    assert getattr(listing, kind.lower()).listing_id == listing.pk
    sells = Unit.objects.filter(listing=listing, is_offered=True).count()
    assert (sells, Stock.objects.filter(pk=listing.pk).count()) == ((0, 1) if kind == "EVENT" else (1, 0))


@pytest.mark.django_db
def test_accounts_have_roles_and_emails_of_their_own() -> None:
    users = [make_guest(), make_guest(), make_host(), make_staff()]
    assert [user.role for user in users] == ["GUEST", "GUEST", "HOST", "STAFF"]
    assert len({user.email for user in users}) == 4
