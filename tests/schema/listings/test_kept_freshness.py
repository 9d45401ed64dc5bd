"""Whatever is committed is seen at once by everybody who asks what was kept before."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from apps.bookings.actions import expire_holds, hold
from apps.bookings.models import Booking
from apps.core import versions
from apps.listings.models import Listing, ListingStatus
from apps.listings.offers import BookingRequest
from apps.users.models import User
from schema.core import answer_cache
from schema.core.ids import to_global_id
from tests.recipes import make_event, make_guest, make_host, make_parking_spot, make_property, make_service
from tests.reviews.stays import book_ticket
from tests.schema.listings.api import global_id
from tests.schema.listings.keeping import answer, data, is_kept, outcomes

pytestmark = pytest.mark.django_db(transaction=True)

CARD = """
    id title description status ratingAverage ratingCount updatedAt
    host { id firstName displayName profilePicture }
    location { city } price { amountMinor currency } images { url alt position }
"""
PAGE = """
    query Page($id: ID!, $from: DateTime!, $to: DateTime!) {
      listing(id: $id) {
        %s
        reviews(first: 5) { totalCount edges { node { rating comment reply author { displayName } listing { title } } } }
        availability(from: $from, to: $to) { start end }
        ... on Property { units quote(checkIn: "%s", checkOut: "%s") { available errors { code } } }
        ... on Service { openingHours { weekday opensAt } slots(from: $from, to: $to) { start end } }
        ... on Event { availableTickets totalTickets quote(tickets: 1) { available } }
        ... on ParkingSpot { availableNow }
      }
    }
"""
SEARCH = "{ listings(first: 20, orderBy: NEWEST) { totalCount pageInfo { hasNextPage } edges { node { %s } } } }"
FREE = """query Free($from: DateTime!, $to: DateTime!) {
  listings(filter: { availableFrom: $from, availableTo: $to }, orderBy: NEWEST) { totalCount edges { node { id } } }
}"""
FREE_TIMES = """query Times($id: ID!, $from: DateTime!, $to: DateTime!) {
  listing(id: $id) { availability(from: $from, to: $to) { start end } }
}"""
NODES = """query Nodes($ids: [ID!]!) { nodes(ids: $ids) {
  __typename id
  ... on Listing { title }
  ... on User { displayName listings(first: 5) { totalCount edges { node { id title } } } }
} }"""


@pytest.fixture(autouse=True)
def _kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.CACHE_SECONDS = 60
    settings.SWEEP_SECONDS = 60
    monkeypatch.setattr(versions, "outage", versions._Outage())
    yield
    # What this test has changed is nothing to the next one.
    settings.CACHE_SECONDS = 0


INPUTS = dict.fromkeys(("archiveListing", "publishListing", "deleteListing"), "ListingIdInput") | {
    "deleteReview": "ReviewIdInput"
}


class House:
    """A host with one listing of each kind, and guests."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.host = make_host(first_name="Grace")
        self.guest = make_guest()
        self.home = make_property(host=self.host, units=1)
        self.service = make_service(host=self.host)
        self.event = make_event(host=self.host, tickets=3)
        self.spot = make_parking_spot(host=self.host)
        self.day = (self.now + timedelta(days=40)).replace(hour=0, minute=0, second=0, microsecond=0)
        self.booking: Booking | None = None

    @property
    def listings(self) -> list[Listing]:
        return [self.home, self.service, self.event, self.spot]

    def questions(self) -> list[tuple[str, dict[str, Any]]]:
        window = {"from": self.day.isoformat(), "to": (self.day + timedelta(days=3)).isoformat()}
        page = PAGE % (CARD, self.day.date(), (self.day + timedelta(days=1)).date())
        ids = [*map(global_id, self.listings), to_global_id("User", self.host.pk)]
        return [
            *((page, {"id": global_id(listing), **window}) for listing in self.listings),
            (SEARCH % CARD, {}),
            (FREE, window),
            (NODES, {"ids": ids}),
        ]

    def mutate(self, name: str, given: dict[str, Any], viewer: User) -> Any:
        kind = INPUTS.get(name, f"{name[0].upper()}{name[1:]}Input") + "!"
        found = data(
            f"mutation($input: {kind}) {{ it: {name}(input: $input) {{ errors {{ code field }} }} }}",
            {"input": given},
            viewer=viewer,
        )
        assert found["it"]["errors"] == [], (name, found)

    def hold(self, kind: str, listing: Listing, **asked: Any) -> Booking:
        return hold(
            kind_code=kind,
            listing_id=listing.pk,
            listing_field="id",
            request=BookingRequest(**asked),
            guest=self.guest,
            now=datetime.now(UTC),
        )


def stay(house: House) -> dict[str, Any]:
    return {"check_in": house.day.date(), "check_out": (house.day + timedelta(days=1)).date()}


def review(house: House) -> str:
    from apps.reviews.models import Review

    return to_global_id("Review", Review.objects.get(author=house.guest).pk)


def was_there(house: House) -> None:
    book_ticket(house.event, house.guest)


def by_hand(house: House) -> None:
    """Past every action, as the admin and a shell write."""
    Listing.objects.filter(pk=house.spot.pk).update(title="Written by hand")


def booked(house: House) -> None:
    house.mutate("bookEvent", {"eventId": global_id(house.event), "tickets": 1}, house.guest)
    house.booking = Booking.objects.filter(listing=house.event, status="PENDING").latest("pk")


def canceled(house: House) -> None:
    assert house.booking is not None
    house.mutate("cancelBooking", {"bookingId": to_global_id("Booking", house.booking.pk)}, house.guest)


def window(house: House) -> dict[str, Any]:
    return {
        "listingId": global_id(house.home),
        "start": house.day.isoformat(),
        "end": (house.day + timedelta(days=2)).isoformat(),
    }


# Each write after which strangers are shown something else.
STEPS: list[tuple[str, Callable[[House], Any]]] = [
    ("a title", lambda it: it.mutate("updateProperty", {"id": global_id(it.home), "title": "Lighthouse"}, it.host)),
    (
        "hours",
        lambda it: it.mutate(
            "updateService",
            {
                "id": global_id(it.service),
                "openingHours": [
                    {"weekday": day, "opensAt": "10:00:00", "closesAt": "12:00:00"} for day in range(1, 8)
                ],
            },
            it.host,
        ),
    ),
    ("tickets", lambda it: it.mutate("updateEvent", {"id": global_id(it.event), "totalTickets": 7}, it.host)),
    ("a block", lambda it: it.mutate("blockPeriod", window(it), it.host)),
    ("an unblock", lambda it: it.mutate("unblockPeriod", window(it), it.host)),
    ("a booking", booked),
    ("a cancel", canceled),
    ("a stay", lambda it: it.hold("PROPERTY", it.home, guests=1, **stay(it))),
    ("an expiry", lambda it: expire_holds(now=datetime.now(UTC) + timedelta(days=1))),
    ("a visit", was_there),
    (
        "a review",
        lambda it: it.mutate(
            "createReview", {"listingId": global_id(it.event), "rating": 4, "comment": "Loud."}, it.guest
        ),
    ),
    ("another", lambda it: it.mutate("updateReview", {"reviewId": review(it), "rating": 2}, it.guest)),
    ("a reply", lambda it: it.mutate("replyToReview", {"reviewId": review(it), "reply": "Sorry."}, it.host)),
    ("a name", lambda it: it.mutate("updateProfile", {"firstName": "Rear"}, it.host)),
    ("no review", lambda it: it.mutate("deleteReview", {"reviewId": review(it)}, it.guest)),
    ("by hand", by_hand),
    ("an archive", lambda it: it.mutate("archiveListing", {"id": global_id(it.spot)}, it.host)),
    ("a return", lambda it: it.mutate("publishListing", {"id": global_id(it.spot)}, it.host)),
    ("an end", lambda it: it.mutate("deleteListing", {"id": global_id(it.service)}, it.host)),
    ("a new one", lambda it: make_property(host=it.host, status=ListingStatus.PUBLISHED)),
]


def asked(house: House) -> list[Any]:
    return [data(query, variables) for query, variables in house.questions()]


def fresh(house: House) -> list[Any]:
    return [data(query, variables, keeps=False) for query, variables in house.questions()]


def test_what_is_committed_is_seen_at_once() -> None:
    house = House()
    asked(house)
    before = asked(house)
    for name, write in STEPS:
        found = [is_kept(answer(query, variables)) for query, variables in house.questions()]
        assert all(found), (name, found)
        write(house)
        after = asked(house)
        assert after == fresh(house), name
        assert after != before, name
        before = after


def test_the_accounts_see_it_at_once_too() -> None:
    """Single fields are kept for accounts: those of the one who wrote, and of others."""
    house = House()
    query, variables = house.questions()[1]
    others = [house.guest, house.host, make_guest()]
    for _ in range(3):
        before = [data(query, variables, viewer=viewer) for viewer in others]
    house.hold("SERVICE", house.service, starts_at=house.day.replace(hour=10))
    after = [data(query, variables, viewer=viewer) for viewer in others]
    assert after == [data(query, variables, viewer=viewer, keeps=False) for viewer in others]
    assert after != before


def test_a_write_of_one_listing_leaves_the_pages_of_others() -> None:
    house = House()
    for _ in range(3):
        asked(house)
    house.mutate("blockPeriod", window(house), house.host)
    house.mutate("updateProperty", {"id": global_id(house.home), "title": "Other"}, house.host)
    # The search shows them all, and of each host's page all that they offer.
    page = "query($id: ID!) { listing(id: $id) { title images { url } reviews { totalCount } } }"
    service, home = ({"id": global_id(listing)} for listing in (house.service, house.home))
    for _ in range(3):
        data(page, service), data(page, home)
    assert is_kept(answer(page, service))
    house.mutate("updateProperty", {"id": global_id(house.home), "title": "Third"}, house.host)
    assert is_kept(answer(page, service))
    assert not is_kept(answer(page, home))


def test_a_booking_of_one_leaves_what_is_kept_of_the_calendars_of_others() -> None:
    house = House()
    about = {name: value for name, value in house.questions()[0][1].items() if name != "id"}
    for _ in range(3):
        data(FREE_TIMES, {"id": global_id(house.spot), **about})
    booked(house)
    canceled(house)
    house.hold("PROPERTY", house.home, guests=1, **stay(house))
    assert is_kept(answer(FREE_TIMES, {"id": global_id(house.spot), **about}))


def fail_in_transaction(house: House) -> None:
    with transaction.atomic():
        by_hand(house)
        raise RuntimeError


def test_what_was_rolled_back_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    told: list[set[str]] = []
    monkeypatch.setattr(versions, "raise_versions", lambda tags: told.append(set(tags)))
    with pytest.raises(RuntimeError):
        fail_in_transaction(house)
    with transaction.atomic(), pytest.raises(RuntimeError):
        fail_in_transaction(house)
    assert told == []
    with transaction.atomic():
        by_hand(house)
        assert told == []
    assert told == [{"listings", "listings:*"}]


def test_a_sign_in_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[set[str]] = []
    guest = make_guest()
    monkeypatch.setattr(versions, "raise_versions", lambda tags: told.append(set(tags)))
    guest.last_login = datetime.now(UTC)
    guest.save(update_fields=["last_login", "updated_at"])
    make_guest()
    assert told == []
    guest.save(update_fields=["first_name", "updated_at"])
    assert told == [{"people", "people:*"}]


def test_inside_a_transaction_nothing_is_read_that_was_kept() -> None:
    house = House()
    query = "query($id: ID!) { listing(id: $id) { title } }"
    about = {"id": global_id(house.spot)}
    for _ in range(3):
        data(query, about)
    with transaction.atomic():
        by_hand(house)
        found = answer(query, about)
        assert not is_kept(found)
        assert found.data["listing"]["title"] == "Written by hand"
        transaction.set_rollback(True)
    assert is_kept(answer(query, about))


def test_a_mutation_shows_what_it_has_written_and_not_what_was_kept() -> None:
    house = House()
    mutation = """mutation($input: BlockPeriodInput!, $from: DateTime!, $to: DateTime!) {
      blockPeriod(input: $input) { listing { availability(from: $from, to: $to) { start end } } }
    }"""
    about = {name: value for name, value in house.questions()[0][1].items() if name != "id"}
    for _ in range(3):
        before = data(FREE_TIMES, {"id": global_id(house.home), **about}, viewer=house.host)
    looked = outcomes("Listing.availability")
    found = data(mutation, {"input": window(house), **about}, viewer=house.host)
    assert outcomes("Listing.availability") == looked
    present = data(FREE_TIMES, {"id": global_id(house.home), **about}, keeps=False)["listing"]["availability"]
    assert found["blockPeriod"]["listing"]["availability"] == present != before["listing"]["availability"]


def test_a_reader_of_the_past_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody commits between the reading and the keeping: what was read is not kept as the present."""
    house = House()
    query = "query($id: ID!) { listing(id: $id) { title } }"
    about = {"id": global_id(house.spot)}
    data(query, about)
    keep = answer_cache.keep

    def late(entries: dict[str, answer_cache.Entry], *, clock: int) -> None:
        by_hand(house)
        keep(entries, clock=clock)

    monkeypatch.setattr(answer_cache, "keep", late)
    assert data(query, about)["listing"]["title"] == house.spot.title
    monkeypatch.setattr(answer_cache, "keep", keep)
    assert data(query, about)["listing"]["title"] == "Written by hand"
