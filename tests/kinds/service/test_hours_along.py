"""Opening hours that come along with a service that is to be booked."""

from datetime import UTC, datetime, time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from apps.bookings.bookable import lock_bookable
from apps.kinds.service.models import OpeningHours
from apps.kinds.service.selectors import opening_hours_of, terms_of
from apps.listings.kinds import kind_named
from apps.listings.models import Listing
from tests.recipes import make_property, make_service

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOURS = [
    (1, time(0), time(0)),
    (2, time(8, 30), time(12)),
    (2, time(13, 0, 0, 500_000), time(23, 59, 59, 999_999)),
    (7, time(9, 0, 7), time(17)),
]


def with_hours(*hours: tuple[int, time, time]) -> Listing:
    listing = make_service()
    OpeningHours.objects.all().delete()
    for weekday, opens_at, closes_at in reversed(hours):
        OpeningHours.objects.create(service=listing.service, weekday=weekday, opens_at=opens_at, closes_at=closes_at)
    return Listing.objects.get()


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("hours", [HOURS, []])
def test_they_are_those_that_are_read_and_cost_no_statement(
    hours: list[tuple[int, time, time]], is_compiled: bool, settings: Settings
) -> None:
    settings.COMPILED_READS = is_compiled
    plain = with_hours(*hours)
    found = lock_bookable(kind=kind_named("SERVICE"), listing_id=plain.pk, guest_id=None, now=NOW)
    assert found is not None
    with CaptureQueriesContext(connection) as captured:
        along = opening_hours_of(found.listing)
        terms = terms_of(found.listing)
    assert len(captured) == 0
    assert [(each.weekday, each.opens_at, each.closes_at) for each in along] == hours
    assert along == list(plain.service.opening_hours.all())
    assert terms == terms_of(plain)


def test_other_kinds_bring_nothing() -> None:
    assert [kind_named(code).along() for code in ("PROPERTY", "EVENT", "PARKING_SPOT")] == [{}, {}, {}]
    found = lock_bookable(kind=kind_named("PROPERTY"), listing_id=make_property().pk, guest_id=None, now=NOW)
    assert found is not None
    assert not [name for name in vars(found.listing) if "along" in name]
