"""Real files of other people, where they are at hand: every row goes in or is refused, and none twice."""

import os
from pathlib import Path

import pytest

from apps.availability.models import BLOCK_HOLDER, Allocation, Block, Stock, Unit
from apps.listings.models import Listing
from apps.reviews.models import Review
from tests.importing.files import Imported, run

DATA = Path(os.environ.get("HOLDFAST_DATA") or Path(__file__).parents[3] / "shared" / "data")

# Together they take most of a minute.
large = pytest.mark.skipif("HOLDFAST_DATA" not in os.environ, reason="read only where HOLDFAST_DATA names its folder")

pytestmark = pytest.mark.django_db(transaction=True)


def imported(name: str, form: str, **options: str) -> Imported:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not at hand; HOLDFAST_DATA names the folder with it")
    return run(path, form, None, **options)


def assert_whole(done: Imported, *, read: int, refused: int) -> None:
    summary = done.summary
    assert (summary.read, summary.refused, summary.accepted) == (read, refused, read - refused)
    assert len(done.refused) == refused


@large
def test_new_york_stays() -> None:
    done = imported("nyc_ab_2019.csv.gz", "airbnb-summary")
    # 16 blank names and 11 prices of 0.
    assert_whole(done, read=48_895, refused=27)
    assert Listing.objects.count() == Unit.objects.count() == 48_868
    assert Listing.objects.filter(title__contains="<").exists()
    assert not Listing.objects.filter(title__contains="\n").exists()


@large
def test_boston_stays() -> None:
    # A price is blank in 782 rows.
    done = imported("boston_2024_listings.csv.gz", "airbnb-full", city="Boston")
    assert_whole(done, read=4_325, refused=782)
    assert Listing.objects.filter(city="Boston").count() == 3_543
    assert max(len(each) for each in Listing.objects.values_list("external_id", flat=True)) == 19
    again = imported("boston_2024_listings.csv.gz", "airbnb-full", city="Boston")
    assert (again.summary.unchanged, again.summary.changed, again.summary.new) == (3_543, 0, 0)


def test_albany_with_its_calendar_and_reviews() -> None:
    assert_whole(imported("albany_2024_listings.csv.gz", "airbnb-full", city="Albany"), read=410, refused=6)
    # The days and reviews of the six stays without a price have nowhere to go.
    assert_whole(imported("albany_2024_calendar.csv.gz", "airbnb-calendar"), read=149_650, refused=6 * 365)
    assert_whole(imported("albany_2024_reviews.csv.gz", "airbnb-reviews"), read=21_879, refused=24)
    blocks = Block.objects.count()
    assert blocks == Allocation.objects.filter(holder=BLOCK_HOLDER, is_active=True).count() > 1000
    assert Review.objects.count() == 21_855
    assert not Review.objects.filter(comment__icontains="<br/>").exists()
    assert not Listing.objects.filter(rating_count__gt=0).exists()
    again = imported("albany_2024_calendar.csv.gz", "airbnb-calendar").summary
    assert (again.changed, Block.objects.count()) == (0, blocks)


@large
def test_new_york_meters() -> None:
    # 2,304 are not in use; the five numbers that repeat are ten meters.
    assert_whole(imported("nyc_meters.csv.gz", "nyc-meters", rate="2.50"), read=15_560, refused=2_304)
    assert Listing.objects.filter(kind="PARKING_SPOT", price_minor=250).count() == 13_256


def test_new_york_events() -> None:
    # Ten end before they start.
    assert_whole(imported("nyc_public_events_2026.json.gz", "nyc-events", tickets="60"), read=2_252, refused=10)
    assert Stock.objects.filter(capacity=60, taken=0).count() == 2_242
    assert Listing.objects.filter(latitude=None).count() > 900
