"""A world in which there are so many of everything, and of everything in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from apps.availability.models import Block
from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.bookings.states import BookingStatus
from apps.hosting.models import ImportedCalendar
from apps.integrations.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from apps.listings.models import Image, Listing
from apps.listings.offers import BookingRequest
from apps.notifications.models import Notification
from apps.payments.models import Card, Charge
from apps.reviews.models import Review
from apps.users.models import Session, User
from schema.core.context import Context
from schema.core.ids import to_global_id
from tests.accounts.bookings import book_home, lead_to
from tests.recipes import MAKE, make_guest, make_host, make_staff

CALLERS = ("anonymous", "guest", "host", "staff")
TYPES = {"PROPERTY": "Property", "SERVICE": "Service", "EVENT": "Event", "PARKING_SPOT": "ParkingSpot"}

_keys = count(1)


@dataclass(slots=True)
class Many:
    """`ids` are global ids by type, as many as there are of each."""

    users: dict[str, User]
    ids: dict[str, list[str]]
    now: datetime

    def context(self, caller: str) -> Context:
        """The context of a new request of the caller."""
        user = self.users.get(caller)
        if user is None:
            return Context(now=self.now, ip="198.51.100.9")
        user = User.objects.get(pk=user.pk)
        user.current_session = user.sessions.latest("pk")
        return Context(now=self.now, user=user, session=user.current_session, ip="198.51.100.9")

    def variables(self, type_name: str | None) -> dict[str, Any]:
        """What a query of the walk wants to know, with the ids of the objects of one type, or some of all."""
        tomorrow = (self.now + timedelta(days=1)).replace(hour=10, minute=0, second=0, microsecond=0)
        every = [identity for ids in self.ids.values() for identity in ids]
        return {
            "ids": every if type_name is None else self.ids.get(type_name, []),
            "from": tomorrow.isoformat(),
            "to": (tomorrow + timedelta(hours=len(self.ids["Event"]))).isoformat(),
            "arrival": tomorrow.date().isoformat(),
            "departure": (tomorrow + timedelta(days=2)).date().isoformat(),
            "listing": self.ids["Event"][0],
            "first": 100,
        }


def make_many(number: int) -> Many:
    """`number` listings of each kind with as many pictures, reviews, blocks and calendars each; as many bookings with as
    many payments each; and as many people with as many listings each.
    """
    now = datetime.now(UTC)
    users = {"guest": make_guest(), "host": make_host(), "staff": make_staff()}
    authors = [users["guest"], *(make_guest() for _ in range(number))]
    hosts = [users["host"], *(make_host() for _ in range(number))]
    listings = {code: [make(host=hosts[0]) for _ in range(number)] for code, make in MAKE.items()}
    for other in hosts[1:]:
        for _ in range(number):
            MAKE["PARKING_SPOT"](host=other)
    for each in (row for rows in listings.values() for row in rows):
        _furnish(each, authors, now=now)
    bookings = _bookings(listings, authors, now=now)
    for user in users.values():
        _equip(user, bookings, number, now=now)
    for booking in bookings:
        _pay(booking, number, now=now)
    ids = {TYPES[code]: [to_global_id(TYPES[code], row.pk) for row in rows] for code, rows in listings.items()}
    # Others than the callers, who see more of themselves.
    others = [user for pair in zip(hosts[1:], authors[1:], strict=True) for user in pair]
    ids["User"] = [to_global_id("User", user.pk) for user in others[:number]]
    ids["Viewer"] = [to_global_id("Viewer", user.pk) for user in users.values()]
    ids["Booking"] = [to_global_id("Booking", row.pk) for row in bookings]
    models: dict[str, Any] = {"Review": Review, "Image": Image, "Payment": Charge, "Notification": Notification}
    for name, model in models.items():
        ids[name] = [
            to_global_id(name, pk) for pk in model.objects.order_by("-pk").values_list("pk", flat=True)[:number]
        ]
    return Many(users=users, ids=ids, now=now)


def _furnish(listing: Listing, authors: list[User], *, now: datetime) -> None:
    many = range(len(authors))
    Image.objects.bulk_create(Image(listing=listing, position=place, file="listings/none.png") for place in many)
    Review.objects.bulk_create(
        Review(listing=listing, author=author, rating=4, comment="Good.", created_at=now, updated_at=now)
        for author in authors
    )
    Block.objects.bulk_create(
        Block(listing=listing, period=(now, now + timedelta(days=3)), created_at=now) for _ in many
    )
    ImportedCalendar.objects.bulk_create(
        ImportedCalendar(
            listing=listing,
            name=f"Site {place}",
            url="https://calendars.example/feed",
            created_at=now,
            next_sync_at=now,
        )
        for place in many
    )


def _bookings(listings: dict[str, list[Listing]], guests: list[User], *, now: datetime) -> list[Booking]:
    """Of the first guest as many of each kind, and of each guest one of the same home."""
    soon = (now + timedelta(days=14)).replace(hour=11, minute=0, second=0, microsecond=0)
    requests = {
        "SERVICE": ("service_id", BookingRequest(starts_at=soon)),
        "EVENT": ("event_id", BookingRequest(tickets=1)),
        "PARKING_SPOT": ("parking_spot_id", BookingRequest(starts_at=soon, minutes=60)),
    }
    bookings = [book_home(home, guest=guests[0]) for home in listings["PROPERTY"]]
    for code, (field, request) in requests.items():
        bookings += [
            hold(kind_code=code, listing_id=row.pk, listing_field=field, request=request, guest=guests[0], now=now)
            for row in listings[code]
        ]
    bookings += [book_home(listings["PROPERTY"][0], guest=guest, weeks=6 + week) for week, guest in enumerate(guests)]
    return [lead_to(booking, BookingStatus.CONFIRMED) for booking in bookings]


def _pay(booking: Booking, number: int, *, now: datetime) -> None:
    Charge.objects.bulk_create(
        Charge(
            bill=booking.bill, payer=booking.guest, amount_minor=100, currency="EUR", payment_method="pm_card_visa",
            timing="NOW", status="FAILED", idempotency_key=f"many-{next(_keys)}", created_at=now,
        )
        for _ in range(number)
    )  # fmt: skip


def _equip(user: User, bookings: list[Booking], number: int, *, now: datetime) -> None:
    """Sessions, cards, notifications, and endpoints with deliveries that were tried."""
    Session.objects.bulk_create(
        Session(user=user, device="Firefox", created_at=now, last_used_at=now) for _ in range(number)
    )
    Card.objects.bulk_create(
        Card(
            user=user, payment_method=f"pm_{place}", fingerprint=f"f{place}", brand="visa", last4="4242", exp_month=1,
            exp_year=2031, created_at=now,
        )
        for place in range(number)
    )  # fmt: skip
    Notification.objects.bulk_create(
        Notification(
            recipient=user, type="MESSAGE", title="T", body="B", key=f"many-{place}", created_at=now, booking=booking
        )
        for place, booking in enumerate(bookings[:number])
    )
    events = WebhookEvent.objects.bulk_create(
        WebhookEvent(
            type="booking.held",
            version=1,
            host_id=user.pk,
            topic=f"booking:{booking.pk}",
            data={},
            at=now,
            fanned_out_at=now,
        )
        for booking in bookings[:number]
    )
    endpoints = WebhookEndpoint.objects.bulk_create(
        WebhookEndpoint(
            owner=user, url=f"https://hooks.example/{place}", types=["booking.held"], created_at=now, updated_at=now
        )
        for place in range(number)
    )
    deliveries = WebhookDelivery.objects.bulk_create(
        WebhookDelivery(endpoint=endpoint, event=event, status="FAILED", created_at=now, started_at=now)
        for endpoint in endpoints
        for event in events
    )
    WebhookAttempt.objects.bulk_create(
        WebhookAttempt(delivery=delivery, at=now, milliseconds=1, status_code=500)
        for delivery in deliveries
        for _ in range(number)
    )
