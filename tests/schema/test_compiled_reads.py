"""The hot reads answer the same in all three ways, whatever is asked of them and by whom."""

import json
import random
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.users.models import User
from tests.hosting.inputs import NOW
from tests.recipes import MAKE
from tests.schema.listings.api import ask, global_id
from tests.schema.three_ways import PAGE, answers, paid_as, small_market

pytestmark = pytest.mark.django_db

WINDOW = '(from: "2026-12-01T00:00:00Z", to: "2026-12-20T00:00:00Z")'
PERSON = "{ id email firstName lastName displayName profilePicture joinedAt }"
LISTING = f"""
    id kind status title description distance priceUnit cancellationPolicy ratingAverage ratingCount viewerCanReview calendarUrl
    createdAt updatedAt price {{ amount amountMinor currency }} host {PERSON} images {{ id url alt position }}
    location {{ latitude longitude address city region country timeZone }} blocks{WINDOW} {{ reason source period {{ start end }} }}
    availability{WINDOW} {{ start end }} calendars {{ id name }}
    ... on Property {{ propertyType maxGuests bedrooms beds bathrooms amenities checkInTime checkOutTime minNights maxNights units
        cleaningFee {{ amount }} stay: quote(checkIn: "2026-12-10", checkOut: "2026-12-12") {{ available total {{ amount }} }} }}
    ... on Service {{ durationMinutes bufferMinutes staff openingHours {{ weekday opensAt closesAt }} slots{WINDOW} {{ start }}
        visit: quote(startsAt: "2026-12-10T09:00:00Z") {{ available errors {{ code }} }} }}
    ... on Event {{ startsAt endsAt venue totalTickets availableTickets seat: quote(tickets: 1) {{ available lines {{ label }} }} }}
    ... on ParkingSpot {{ street maxMinutes availableNow }}
"""
REVIEWS = f"""reviews(%s) {{ {PAGE} edges {{ cursor node {{
    id rating comment reply repliedAt createdAt updatedAt author {PERSON} listing {{ id }} }} }} }}"""
BOOKING = f"""
    id reference status email checkIn checkOut tickets guests paymentStatus expiresAt createdAt confirmedAt checkedInAt
    checkedOutAt canceledAt ticketCode period {{ start end }} total {{ amount }} refundable {{ amount }} guest {PERSON}
    lines {{ label quantity unitAmount {{ amount }} amount {{ amount }} }} history {{ at type actor data }}
    payments {{ id status timing amount {{ amount }} refunded {{ amount }} receiptNumber receiptUrl cardBrand cardLast4
        clientSecret nextActionUrl failureCode createdAt paidAt booking {{ id }} }}
"""
BOOKING_LISTING = f"listing {{ {LISTING} }}"


@pytest.fixture
def people() -> dict[str, User | None]:
    return small_market()


def page_of(data: DataObject, cursors: list[str]) -> str:
    """Some part of a list, by its first or last rows, maybe from a cursor that it gave out before."""
    size = data.draw(st.integers(0, 6))
    is_backwards = data.draw(st.booleans())
    cursor = data.draw(st.sampled_from([None, *cursors]))
    part = f"{'last' if is_backwards else 'first'}: {size}"
    return part if cursor is None else f'{part}, {"before" if is_backwards else "after"}: "{cursor}"'


def cursors_of(connection: Any) -> list[str]:
    return [edge["cursor"] for edge in connection["edges"]]


VIEWERS = st.sampled_from(["nobody", "guest", "host", "other", "staff"])
ORDERS = ["RELEVANCE", "PRICE_ASC", "PRICE_DESC", "RATING_DESC", "NEWEST", "STARTS_AT"]
PARTS = {
    "kind": ["[PROPERTY]", "[EVENT, SERVICE]"],
    "city": ['"ulm"', '"Bonn"'],
    "currency": ['"EUR"'],
    "minRating": ["0", "3.5"],
    "checkIn": ['"2026-12-02", checkOut: "2026-12-04"', '"2026-12-24", checkOut: "2026-12-26"'],
    "availableFrom": ['"2026-12-02T09:00:00Z", availableTo: "2026-12-02T15:00:00Z"'],
    "guests": ["2"],
}
FILTERS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in PARTS.items()})
EXAMPLES = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@EXAMPLES
@given(data=st.data())
def test_searches(people: dict[str, User | None], data: DataObject) -> None:
    viewer = people[data.draw(VIEWERS)]
    asked = data.draw(FILTERS)
    written = ", ".join(f"{name}: {value}" for name, value in asked.items())
    order = data.draw(st.sampled_from(ORDERS))
    arguments = f"filter: {{ {written} }}, orderBy: {order}"
    first = answers(f"{{ listings({arguments}) {{ edges {{ cursor }} }} }}", viewer)
    page = page_of(data, cursors_of(first["listings"]))
    reviews = REVIEWS % page_of(data, [])
    answers(
        f"{{ listings({arguments}, {page}) {{ {PAGE} edges {{ cursor node {{ {LISTING} {reviews} }} }} }} }}", viewer
    )


@EXAMPLES
@given(data=st.data())
def test_listings_with_their_reviews(people: dict[str, User | None], data: DataObject) -> None:
    viewer = people[data.draw(VIEWERS)]
    listing = data.draw(st.sampled_from(list(Listing.objects.order_by("pk"))))
    query = f"query($id: ID!) {{ listing(id: $id) {{ {LISTING} %s }} node(id: $id) {{ __typename id }} }}"
    named = {"id": global_id(listing)}
    found = answers(query % (REVIEWS % "first: 4"), viewer, named)["listing"]
    cursors = [] if found is None else cursors_of(found["reviews"])
    answers(query % (REVIEWS % page_of(data, cursors)), viewer, named)


@pytest.fixture
def booked(people: dict[str, User | None]) -> None:
    """Bookings of all kinds and of all that can become of them, in hold and paid, of two guests with one host."""
    host, guests = people["host"], [people["guest"], people["guest"], people["other"]]
    assert host is not None
    for number in range(12):
        kind = list(MAKE)[number % 4]
        starts_at = NOW + timedelta(days=20 + number, hours=1, minutes=30)
        own = {"starts_at": starts_at} if kind == "EVENT" else {}
        listing = MAKE[kind](host=host, title=f"Place {number}", **own)
        asked = {
            "PROPERTY": BookingRequest(
                check_in=starts_at.date(), check_out=starts_at.date() + timedelta(days=2), guests=1
            ),
            "SERVICE": BookingRequest(starts_at=starts_at.replace(hour=10, minute=0)),
            "EVENT": BookingRequest(tickets=number % 3 + 1),
            "PARKING_SPOT": BookingRequest(starts_at=starts_at, ends_at=starts_at + timedelta(hours=3)),
        }[kind]
        guest = guests[number % 3]
        assert guest is not None
        booking = hold(
            kind_code=kind, listing_id=listing.pk, listing_field="listing_id", request=asked, guest=guest, now=NOW
        )
        paid_as(booking, status=["PENDING", "CONFIRMED", "COMPLETED", "CANCELED"][number // 3])


def test_own_and_hosted_bookings(people: dict[str, User | None], booked: None) -> None:
    dice = random.Random(4)
    cursors: dict[str, list[str]] = {}
    shown = f"{PAGE} edges {{ cursor node {{ {BOOKING} {BOOKING_LISTING} }} }}"
    rows, pages = 0, 0
    for number in range(11):
        viewer = people["host" if number % 2 else dice.choice(["guest", "guest", "other"])]
        assert viewer is not None
        field = "hostedBookings" if number % 2 else "bookings"
        arguments = dice.choice(["", "", "status: [CONFIRMED, PENDING], ", "status: [COMPLETED, CANCELED], "])
        if field == "bookings":
            arguments += dice.choice(["", "", "when: UPCOMING, ", "when: CURRENT, ", "when: PAST, "])
        known = cursors.setdefault(f"{viewer.pk} {field} {arguments}", [])
        if not known:
            first = answers(f"{{ me {{ {field}({arguments}first: 9) {{ edges {{ cursor }} }} }} }}", viewer)
            known += cursors_of(first["me"][field])
        is_backwards = dice.random() < 0.5
        part = f"{'last' if is_backwards else 'first'}: {dice.choice([1, 2, 3, 5])}"
        if known and dice.random() < 0.6:
            part += f', {"before" if is_backwards else "after"}: "{dice.choice(known)}"'
        found = answers(f"{{ me {{ {field}({arguments}{part}) {{ {shown} }} }} }}", viewer)["me"][field]
        rows += len(found["edges"])
        pages += bool(found["edges"])
    # Nothing agrees with nothing.
    assert pages >= 7
    assert rows >= 15


# What comes along with a listing in one statement, or does not: first pages and others, windows, twice under two names.
CHILDREN = [
    "...Said",
    "images {{ id position }}",
    "reviews(first: {size}) {{ {page} edges {{ cursor node {{ id comment author {{ displayName }} }} }} }}",
    "more: reviews(first: $size) {{ edges {{ node {{ id rating reply author {person} }} }} }}",
    "last: reviews(last: {size}) {{ edges {{ node {{ id }} }} }}",
    'after: reviews(first: {size}, after: "{cursor}") {{ pageInfo {{ hasNextPage hasPreviousPage }} edges {{ node {{ id }} }} }}',
    "shown: reviews(first: {size}) @include(if: $yes) {{ edges {{ node {{ id }} }} }}",
    "left: reviews(first: {size}) @skip(if: $yes) {{ totalCount }}",
    "availability(from: $from, to: $to) {{ start end }}",
    "other: availability{window} {{ start end }}",
    "... on Property @include(if: $yes) {{ maxGuests reviews(first: {size}) {{ totalCount }} }}",
    "... @skip(if: $yes) {{ images {{ url }} }}",
]
SAID = """fragment Said on Listing { title availability(from: $from, to: $to) { start }
    said: reviews(first: 2) { edges { node { id } } } }"""
HEAD = "query($id: ID!, $from: DateTime!, $to: DateTime!, $size: Int!, $yes: Boolean!, $also: [ID!]!)"
ROOTS = [
    "listing(id: $id) {{ id {0} }}",
    "node(id: $id) {{ id ... on Listing {{ {0} }} }}",
    "listing(id: $id) {{ id {0} }} again: listing(id: $id) {{ id {1} }}",
    "nodes(ids: $also) {{ id ... on Listing {{ {0} }} }} listing(id: $id) {{ {1} }}",
    "listing(id: $id) {{ id {0} host {{ listings(first: 3) {{ edges {{ node {{ id {1} }} }} }} }} }}",
]


def test_listings_with_what_comes_along(people: dict[str, User | None]) -> None:
    dice = random.Random(11)
    listings = list(Listing.objects.order_by("pk"))
    deleted, absent = listings[-1], global_id(listings[0])[:-4] + "OTk5"
    Listing.objects.filter(pk=deleted.pk).update(deleted_at=NOW)
    # Who wrote some of the reviews is nobody any more.
    User.objects.filter(pk=people.pop("other").pk).update(deleted_at=NOW)  # type: ignore[union-attr]
    booked = set(Booking.objects.values_list("listing_id", flat=True))
    found = 0
    for number in range(15):
        listing = (
            listings[number % len(listings)]
            if number % 3
            else dice.choice([each for each in listings if each.pk in booked])
        )
        viewer = people[dice.choice(list(people))]
        first = f'{{ listing(id: "{global_id(listing)}") {{ reviews(first: 3) {{ edges {{ cursor }} }} }} }}'
        cursor = ask(first, None, viewer=viewer)["data"]
        known = [] if cursor["listing"] is None else cursors_of(cursor["listing"]["reviews"])
        children = [each for each in CHILDREN if known or "{cursor}" not in each]
        some = [
            " ".join(dice.sample(children, dice.randint(1, 5))).format(
                size=dice.choice([0, 1, 3, 10]),
                page=PAGE,
                person=PERSON,
                window=WINDOW,
                cursor=dice.choice(known or [""]),
            )
            for _ in range(2)
        ]
        query = f"{HEAD} {{ {dice.choice(ROOTS).format(*some)} }} {SAID}"
        named = {
            "id": dice.choice([*[global_id(listing)] * 6, absent]),
            "from": "2026-12-01T00:00:00Z",
            "to": "2026-12-24T12:00:00Z",
            "size": dice.choice([1, 2, 20]),
            "yes": dice.random() < 0.5,
            "also": [global_id(each) for each in dice.sample(listings, dice.randint(0, 3))],
        }
        found += '"node": {' in json.dumps(answers(spelled(query), viewer, named, may_fail=True))
    # Nothing agrees with nothing.
    assert found >= 8


def spelled(query: str) -> str:
    """The query with what it needs of fragments and variables, and no more: others are refused."""
    if "...Said" not in query:
        query = query.removesuffix(SAID)
    head, _, rest = query.partition(")")
    kept = [each for each in head.partition("(")[2].split(", ") if re.search(rf"\{each.partition(':')[0]}\b", rest)]
    return f"query({', '.join(kept)}){rest}" if kept else f"query{rest}"
