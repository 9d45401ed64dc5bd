"""A hold has run out, and somebody wants its place while somebody else is giving it back."""

import sys
from collections import Counter
from datetime import timedelta

import pytest

from apps.availability.models import Allocation
from apps.bookings.actions import expire_holds, hold
from apps.bookings.models import Booking
from apps.listings.models import Listing
from tests.concurrency import test_races
from tests.concurrency.test_leaving_races import Meanwhile
from tests.concurrency.test_races import holding, now, two_nights
from tests.recipes import make_property
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

# `apps.bookings.actions` also has a function of this name.
EXPIRING = sys.modules["apps.bookings.actions.expire"]


@pytest.fixture
def home() -> Listing:
    """With a hold that has run out and that nobody has cleared away."""
    listing = make_property()
    assert holding(listing, two_nights(listing))() == "BOOKED"
    past = now() - timedelta(seconds=1)
    Allocation.objects.update(held_until=past)
    Booking.objects.update(expires_at=past)
    return listing


def sweep() -> str:
    expire_holds(now=now())
    return "SWEPT"


def states() -> Counter[str]:
    return Counter(Booking.objects.values_list("status", flat=True))


def test_a_dead_hold_gives_its_place_to_exactly_one_of_many(home: Listing) -> None:
    outcomes = at_once([*[holding(home, two_nights(home))] * 24, *[sweep] * 8])
    counted = Counter(outcomes)
    assert (counted["BOOKED"], counted["UNAVAILABLE"]) == (1, 23)
    assert states() == {"EXPIRED": 1, "PENDING": 1}


def test_who_comes_while_it_is_being_cleared_away_waits_for_that(
    home: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    comer = Meanwhile(monkeypatch, EXPIRING, "expire", holding(home, two_nights(home)), waits=True)
    sweep()
    assert comer.outcome() == "BOOKED"
    assert states() == {"EXPIRED": 1, "PENDING": 1}


def test_twin_who_does_not_wait_is_turned_away_from_a_place_that_nobody_has(
    home: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_races, "hold", hold.__wrapped__)  # type: ignore[attr-defined]
    comer = Meanwhile(monkeypatch, EXPIRING, "expire", holding(home, two_nights(home)), waits=False)
    sweep()
    assert comer.outcome() == "UNAVAILABLE"
    assert states() == {"EXPIRED": 1}


def test_a_place_that_is_taken_indeed_is_refused_as_ever(home: Listing) -> None:
    # Of the nights that are wanted, after the dead hold's somebody else has them.
    assert holding(home, two_nights(home))() == "BOOKED"
    Allocation.objects.create(
        listing=home, period=(now() - timedelta(days=9), now() - timedelta(days=8)), holder=9, created_at=now(),
        held_until=now() - timedelta(seconds=1),
    )  # fmt: skip
    assert holding(home, two_nights(home))() == "UNAVAILABLE"
    assert states() == {"EXPIRED": 1, "PENDING": 1}
