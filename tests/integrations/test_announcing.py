"""What integrators are told of bookings, reviews and listings: the message of each sort, as docs/webhooks.md describes it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.bookings import actions as bookings
from apps.bookings.announcing import TYPES
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core.db import unit_of_work
from apps.hosting import actions as hosting
from apps.integrations.models import EventType, WebhookEvent
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.reviews import actions as reviews
from apps.users.models import User
from schema import root
from schema.core.ids import to_global_id
from schema.listings.types import listing_global_id
from tests.accounts.bookings import book_home, completed, lead_to
from tests.hosting.inputs import RIGHT
from tests.integrations.world import listen
from tests.recipes import MAKE, make_event, make_guest, make_property, make_staff
from tests.reviews.stays import book_ticket, visitor

pytestmark = pytest.mark.django_db

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()
AGO = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


def follow(person: User) -> None:
    listen(person, "http://127.0.0.1:9/", now=now() - AGO)


def told() -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, event.data) for event in WebhookEvent.objects.order_by("pk")]


def types() -> list[str]:
    return [type_ for type_, _ in told()]


def rows(section: str) -> Iterator[list[str]]:
    """The cells of the tables of a section of the document, without their heads."""
    part = DOCUMENT.partition(f"\n{section}\n")[2]
    for line in re.split(r"\n#", part)[0].splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            yield cells


def fits(value: Any, kind: str) -> bool:
    """Whether a value is of a sort that the document names."""
    if kind.endswith(" or null"):
        return value is None or fits(value, kind.removesuffix(" or null"))
    if kind == "money":
        return set(value) == {"amountMinor", "currency"} and isinstance(value["amountMinor"], int)
    if kind == "period":
        return set(value) == {"start", "end"} and all(fits(each, "instant") for each in value.values())
    if kind == "instant":
        return isinstance(value, str) and value.endswith("Z") and datetime.fromisoformat(value).tzinfo is not None
    if kind == "day":
        return re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None
    return isinstance(value, {"text": str, "number": int, "object": dict}[kind])


def check_described(data: dict[str, Any], sort: str) -> None:
    """The data has every field of its sort in the document, each of the type it says, and no other."""
    wanted: dict[str, str] = {path: kind for path, kind in rows(f"### {sort}")}  # noqa: C416
    found: dict[str, Any] = {}
    for name, value in data.items():
        if wanted.get(name) == "listing":
            check_described({"listing": value}, "listing")
            wanted.pop(name)
        elif name in wanted:
            found[name] = value
        else:
            found |= {f"{name}.{key}": inner for key, inner in value.items()}
    assert set(found) == set(wanted)
    assert {path: value for path, value in found.items() if not fits(value, wanted[path])} == {}


def test_the_document_names_every_event_and_no_other() -> None:
    assert [row[0] for row in rows("## What is told")] == [each.value for each in sorted(EventType, key=_place)]
    assert set(TYPES) == set(BookingEventType)


def _place(type_: EventType) -> int:
    return [row[0] for row in rows("## What is told")].index(type_.value)


def sort_of(type_: str) -> str:
    return {row[0]: row[2] for row in rows("## What is told")}[type_]


def test_every_row_of_a_bookings_history_is_told_as_described() -> None:
    home, guest = make_property(), make_guest(first_name="Zelda", last_name="Unnamed", email="unnamed@example.com")
    follow(home.host)
    booking = book_home(home, guest=guest)
    completed(booking)
    for each in BookingEventType:
        unit_of_work(booking.record)(each, now=now(), actor=Actor.SYSTEM)
    assert types()[:4] == ["booking.held", "booking.confirmed", "booking.checked_in", "booking.completed"]
    assert set(types()) == {each.value for each in TYPES.values()}
    for type_, data in told():
        check_described(data, sort_of(type_))
        assert data["booking"]["id"] == to_global_id("Booking", booking.pk)
    statuses = [data["booking"]["status"] for _, data in told()]
    assert statuses[:4] == ["PENDING", "CONFIRMED", "CHECKED_IN", "COMPLETED"]
    assert [word for word in ("Zelda", "Unnamed", "unnamed@") if word in str(told())] == []


def test_a_message_shows_how_it_was_at_its_moment() -> None:
    home, guest = make_property(price_minor=10_000), make_guest()
    follow(make_staff())
    booking = book_home(home, guest=guest)
    assert booking.check_out is not None
    bookings.change(
        viewer=guest,
        booking_id=booking.pk,
        change=BookingRequest(check_out=booking.check_out + timedelta(days=1)),
        now=now(),
    )
    bookings.cancel(viewer=home.host, booking_id=booking.pk, reason="Water damage", now=now())
    held, changed, canceled = [data for _, data in told()]
    assert types() == ["booking.held", "booking.changed", "booking.canceled"]
    assert [data["booking"]["total"]["amountMinor"] for data in (held, changed, canceled)] == [20_000, 30_000, 30_000]
    assert changed["details"]["totalMinor"] == 30_000
    assert changed["booking"]["checkOut"] == (booking.check_out + timedelta(days=1)).isoformat()
    assert (canceled["actor"], canceled["details"]) == ("HOST", {"reason": "Water damage"})
    assert (held["booking"]["canceledAt"], held["booking"]["expiresAt"] is None) == (None, False)
    assert canceled["booking"]["canceledAt"] is not None


def test_a_guests_own_words_are_not_passed_on() -> None:
    home, guest = make_property(), make_guest()
    follow(home.host)
    booking = book_home(home, guest=guest)
    bookings.cancel(viewer=guest, booking_id=booking.pk, reason="My mother is ill", now=now())
    type_, data = told()[-1]
    assert (type_, data["actor"], data["details"]) == ("booking.canceled", "GUEST", {})


def test_an_event_that_moves_is_told_for_its_live_bookings() -> None:
    event = make_event()
    follow(event.host)
    for _ in range(2):
        visitor(event)
    coming = book_ticket(event, make_guest(), status="PENDING")
    coming.refresh_from_db()
    lead_to(coming, BookingStatus.CONFIRMED)
    WebhookEvent.objects.all().delete()
    starts_at = event.event.starts_at + timedelta(days=3)
    hosting.update_listing(
        viewer=event.host,
        kind_code="EVENT",
        listing_id=event.pk,
        fields={"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=2)},
        now=now(),
    )
    assert types() == ["booking.changed", "listing.updated"]
    moved = told()[0][1]
    assert moved["booking"]["period"]["start"] == starts_at.isoformat().replace("+00:00", "Z")
    assert "previousStartsAt" in moved["details"]


def test_what_is_rolled_back_is_told_to_nobody() -> None:
    home = make_property()
    follow(home.host)
    booking = book_home(home, guest=make_guest())
    WebhookEvent.objects.all().delete()

    @unit_of_work
    def fail() -> None:
        booking.move_to(BookingStatus.CONFIRMED, now=now(), actor=Actor.SYSTEM)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert told() == []


def test_reviews_are_told_without_their_author_and_hidden_ones_without_their_words() -> None:
    event, staff = make_event(), make_staff()
    follow(event.host)
    author = visitor(event)
    author.first_name, author.last_name = "Zelda", "Unnamed"
    author.save()
    WebhookEvent.objects.all().delete()
    review = reviews.create_review(viewer=author, listing_id=event.pk, rating=4, comment="Loud.", now=now())
    reviews.update_review(viewer=author, review_id=review.pk, rating=5, now=now())
    reviews.reply_to_review(viewer=event.host, review_id=review.pk, reply="Thanks.", now=now())
    for is_hidden in (True, True, False, True):
        reviews.set_hidden(viewer=staff, review_id=review.pk, is_hidden=is_hidden, now=now())
    reviews.update_review(viewer=author, review_id=review.pk, comment="Hidden words.", now=now())
    reviews.delete_review(viewer=author, review_id=review.pk, now=now())
    assert types() == [
        "review.created", "review.updated", "review.replied", "review.hidden", "review.updated", "review.hidden",
    ]  # fmt: skip
    for type_, data in told():
        check_described(data, sort_of(type_))
    assert [data["review"].get("rating") for _, data in told()] == [4, 5, 5, None, 5, None]
    assert [word for word in ("Zelda", "Unnamed", "Hidden words") if word in str(told())] == []
    other = reviews.create_review(viewer=author, listing_id=event.pk, rating=1, comment="Again.", now=now())
    reviews.delete_review(viewer=staff, review_id=other.pk, now=now())
    assert told()[-1][0] == "review.deleted"
    check_described(told()[-1][1], "review without words")


def test_listings_are_told_as_described() -> None:
    host = make_property().host
    follow(host)
    home = hosting.create_listing(host=host, kind_code="PROPERTY", fields=RIGHT["PROPERTY"], now=now())
    same: dict[str, Any] = {"viewer": host, "listing_id": home.pk, "now": now()}
    hosting.update_listing(kind_code="PROPERTY", fields={"title": "Renamed"}, **same)
    for _ in range(2):
        hosting.publish_listing(**same)
    for _ in range(2):
        hosting.archive_listing(**same)
    hosting.delete_listing(**same)
    assert types() == [
        "listing.created", "listing.updated", "listing.published", "listing.archived", "listing.deleted",
    ]  # fmt: skip
    for _, data in told():
        check_described(data, "listing")
    assert [data["listing"]["status"] for _, data in told()] == ["DRAFT", "DRAFT", "PUBLISHED", "ARCHIVED", "ARCHIVED"]
    assert told()[1][1]["listing"]["title"] == "Renamed"


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_a_listing_has_the_id_that_the_api_knows_it_by(kind: str) -> None:
    listing: Listing = MAKE[kind]()
    follow(listing.host)
    hosting.archive_listing(viewer=listing.host, listing_id=listing.pk, now=now())
    assert root.schema
    assert told()[0][1]["listing"]["id"] == listing_global_id(listing)
