"""Why something is unavailable: the page says what the API says, and every reason for it."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.availability.models import Block
from apps.bookings import actions
from apps.core.errors import DomainError
from apps.core.ids import global_id
from apps.hosting.blocks import block_period
from apps.listings.models import Listing, ListingStatus
from apps.listings.offers import BookingRequest
from apps.staff.explaining import explain
from tests.admin.test_ledgers import client_of
from tests.bookings.life import held, nights, paid
from tests.recipes import make_event, make_guest, make_onlooker, make_parking_spot, make_property, make_service
from tests.schema.users.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)
QUOTE = """query ($id: ID!, $checkIn: Date, $checkOut: Date, $startsAt: DateTime, $endsAt: DateTime, $tickets: Int) {
  quote(listingId: $id, checkIn: $checkIn, checkOut: $checkOut, startsAt: $startsAt, endsAt: $endsAt, tickets: $tickets) {
    available total { amountMinor currency } errors { code message }
  }
}"""
# What a quote is not asked, and a booking is.
NOT_QUOTED = {"guests", "minutes"}
TYPES = {"PROPERTY": "Property", "SERVICE": "Service", "EVENT": "Event", "PARKING_SPOT": "ParkingSpot"}


def asked(chance: random.Random, listing: Listing, now: datetime) -> BookingRequest:
    """Something that somebody could ask for, often wrong."""
    day = (now + timedelta(days=chance.choice([-3, 0, 1, 2, 3, 5, 8, 12, 15, 20, 900]))).date()
    hour = (now + timedelta(days=chance.choice([-1, 0, 1, 2, 40, 800]))).replace(
        hour=chance.choice([3, 8, 9, 10, 11, 14, 20]), minute=chance.choice([0, 0, 0, 30]), second=0, microsecond=0
    )
    by_kind: dict[str, dict[str, Any]] = {
        "PROPERTY": {
            "check_in": day,
            "check_out": day + timedelta(days=chance.choice([-1, 1, 2, 3, 9])),
            "guests": chance.choice([None, None, None, 0, 1, 9]),
        },
        "SERVICE": {"starts_at": hour},
        "EVENT": {"tickets": chance.choice([-1, 1, 2, 3, 4, 99])},
        "PARKING_SPOT": {
            "starts_at": hour,
            "ends_at": hour + timedelta(minutes=chance.choice([0, 30, 600, 5000])),
            "minutes": chance.choice([None, None, None, 30]),
        },
    }
    given = by_kind[listing.kind]
    if chance.random() < 0.1:
        given["tickets" if listing.kind != "EVENT" else "guests"] = 1
    if chance.random() < 0.1:
        given.pop(chance.choice(sorted(given)))
    return BookingRequest(**given)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def a_market(now: datetime) -> list[Listing]:
    """Listings of all kinds that are partly taken, blocked, hidden and closed."""
    home = make_property(units=2, property__min_nights=2, property__max_nights=5)
    for days in (1, 2):
        paid(held(home, now=now, **nights(home, 2, first=timedelta(days=days), now=now)), now=now)
    held(home, now=now - timedelta(hours=5), **nights(home, 2, first=timedelta(days=5), now=now))
    block_period(
        viewer=home.host, listing_id=home.pk, start=now + timedelta(days=8), end=now + timedelta(days=9), now=now
    )
    spot = make_parking_spot(parking_spot__max_minutes=700)
    held(spot, now=now, starts_at=now + timedelta(days=1), minutes=600)
    event = make_event(tickets=4)
    held(event, now=now, tickets=2)
    service = make_service(staff=1)
    drafted = make_event(status=ListingStatus.DRAFT)
    archived = make_property(status=ListingStatus.ARCHIVED)
    return [home, spot, event, service, drafted, archived]


def test_the_page_never_disagrees_with_the_api() -> None:
    now = timezone.now()
    chance = random.Random(7)
    listings = a_market(now)
    seen: dict[str, set[str]] = {}
    for number in range(120):
        listing = listings[number % len(listings)]
        request = asked(chance, listing, now)
        told = explain(listing=listing, request=request, now=timezone.now())
        given = {camel(name): getattr(request, name) for name in request.given()}
        values = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in given.items()}
        answer = told.answer
        assert (told.problems == []) == answer.is_available
        if number % 8 == 0 or request.given() & NOT_QUOTED:
            assert booked(listing, request) == answer.is_available
        if request.given() & NOT_QUOTED:
            continue
        said = Api().data(QUOTE, id=global_id(TYPES[listing.kind], listing.pk), **values)["quote"]
        total = answer.total and {"amountMinor": answer.total.minor, "currency": answer.total.currency}
        assert (answer.is_available, total) == (said["available"], said["total"]), (listing, request, said, answer)
        assert [error.code for error in told.problems[:1]] == [error["code"] for error in said["errors"]], (
            request,
            said,
        )
        if listing.status == ListingStatus.PUBLISHED:
            assert [error.message for error in told.problems[:1]] == [error["message"] for error in said["errors"]]
            seen.setdefault(listing.kind, set()).update([str(each.code) for each in told.problems] or ["FREE"])
            taken = [unit for unit in told.units if unit.takers]
            assert (told.units != [] and len(taken) == len(told.units)) == (
                told.occupancy is not None and told.occupancy.quantity is None and not answer.is_available
            )
    assert seen["PROPERTY"] >= {"FREE", "UNAVAILABLE", "OUTSIDE_RULES", "INVALID"}
    assert seen["EVENT"] >= {"FREE", "UNAVAILABLE", "OUTSIDE_RULES", "INVALID"}
    assert seen["SERVICE"] >= {"FREE", "OUTSIDE_RULES"}
    assert seen["PARKING_SPOT"] >= {"FREE", "OUTSIDE_RULES", "INVALID"}


def booked(listing: Listing, request: BookingRequest) -> bool:
    """Whether somebody new can book that, who then gives it up."""
    now, guest = timezone.now(), make_guest()
    try:
        booking = actions.hold(
            kind_code=listing.kind, listing_id=listing.pk, listing_field="id", request=request, guest=guest, now=now
        )
    except DomainError:
        return False
    actions.cancel(viewer=guest, booking_id=booking.pk, now=now)
    return True


def test_every_reason_is_told_with_the_way_to_it() -> None:
    now = timezone.now()
    home = make_property(units=2, property__min_nights=2)
    stay = paid(held(home, now=now, **nights(home, 2, now=now)), now=now)
    assert stay.check_in is not None
    first, after = stay.check_in, stay.check_in + timedelta(days=2)
    client = client_of(make_onlooker())

    def page(**said: Any) -> str:
        answer = client.get("/admin/why/", {"listing": home.pk, **said})
        assert answer.status_code == 200
        return str(answer.content.decode())

    free = page(check_in=first, check_out=after)
    assert "It is available" in free
    assert "200.00 EUR" in free
    assert f"booking {stay.reference}, confirmed" in free
    one = page(check_in=first, check_out=after, unit=2)
    assert stay.reference not in one
    both = page(check_in=first, check_out=first + timedelta(days=1), guests=30)
    for reason in ("A stay has at least 2 nights.", "At most 4 guests can stay."):
        assert reason in both
    # The same, asked by the booking itself.
    assert f'value="{first}"' in client.get("/admin/why/", {"listing": stay.reference}).content.decode()

    block_period(
        viewer=home.host,
        listing_id=home.pk,
        start=stay.span.end,
        end=stay.span.end + timedelta(days=9),
        reason="Paint",
        now=now,
    )
    later = page(check_in=after, check_out=after + timedelta(days=2))
    for reason in (
        "This period is taken.",
        "a block of the host: Paint",
        f"/admin/availability/block/{Block.objects.get().pk}/",
    ):
        assert reason in later, reason
    home.status = ListingStatus.ARCHIVED
    home.save(update_fields=["status"])
    home.host.is_active = False
    home.host.save(update_fields=["is_active"])
    hidden = page(check_in=first, check_out=after)
    for reason in ("The listing is archived: nobody can book it.", "The host&#x27;s account is closed"):
        assert reason in hidden, reason
    event = make_event(tickets=3)
    sold = held(event, now=now, tickets=2)
    tickets = client.get("/admin/why/", {"listing": event.pk, "tickets": 2}).content.decode()
    for reason in (
        "Fewer tickets are left.",
        "1 of 3 tickets are left",
        f"booking {sold.reference}, pending, held until",
    ):
        assert reason in tickets, reason


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"listing": "none"},
        {"listing": "9" * 30},
        {"listing": "\x00"},
        {"listing": "1", "check_in": "x"},
        {"listing": "ß"},
    ],
)
def test_nonsense_is_answered(said: dict[str, str]) -> None:
    make_property()
    assert client_of(make_onlooker()).get("/admin/why/", said).status_code == 200


def test_the_page_is_for_staff() -> None:
    assert client_of(make_guest()).get("/admin/why/").status_code == 302
