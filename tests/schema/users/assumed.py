"""One who books and reads, what may become of them between two requests, and what comes of a request to all who look."""

import itertools
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from unittest import mock

from django.conf import settings
from django.db.models import F
from django.test import Client

from apps.audit.models import AuditEvent
from apps.bookings.models import Booking
from apps.core import correlation
from apps.core.correlation import Work
from apps.core.db import unit_of_work
from apps.core.network import network_of
from apps.listings.models import Listing
from apps.users.actions.sessions import open_session
from apps.users.models import Session, User
from schema.core.authentication import Caller, authenticate
from schema.core.counting import shared
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_service
from tests.schema.listings.api import global_id

SHOWN = "booking { status total { amountMinor currency } guest { firstName } } errors { code field message }"
ALL_DAY = (time(0), time(23))
TOLD = ("Cache-Control", "ETag", "RateLimit-Policy", "Retry-After")


@dataclass
class World:
    """The account, its session, its token, and what it can book."""

    user: User
    session: Session
    token: str
    listings: dict[str, Listing]
    address: str
    client: Client
    turns: Iterator[int] = field(default_factory=itertools.count)

    def booking(self, kind: str, **more: Any) -> tuple[str, dict[str, Any]]:
        """A mutation that books what nobody has, with its variables."""
        day = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0)
        day += timedelta(days=30 + 2 * next(self.turns))
        kinds: dict[str, tuple[str, str, dict[str, Any]]] = {
            "PROPERTY": (
                "bookProperty",
                "propertyId",
                {"checkIn": str(day.date()), "checkOut": str(day.date() + timedelta(days=2)), "guests": 1},
            ),
            "SERVICE": ("bookService", "serviceId", {"startsAt": day.isoformat()}),
            "EVENT": ("bookEvent", "eventId", {"tickets": 1}),
            "PARKING_SPOT": ("bookParkingSpot", "parkingSpotId", {"startsAt": day.isoformat(), "minutes": 60}),
        }
        name, place, wanted = kinds[kind]
        text = f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ {SHOWN} }} }}"
        return text, {"input": {place: global_id(self.listings[kind]), **wanted, **more}}

    def send(self, query: str, variables: dict[str, Any] | None = None, *, is_get: bool = False) -> Any:
        """The response to the token's bearer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if is_get:
            return self.client.get("/graphql", {"query": query}, headers=headers)
        body = json.dumps({"query": query, "variables": variables or {}})
        return self.client.post("/graphql", body, content_type="application/json", headers=headers)

    def caller(self, *, may_assume: bool, now: datetime | None = None) -> Caller:
        return authenticate(f"Bearer {self.token}", now=now or datetime.now(UTC), may_assume=may_assume)

    def be_seen(self) -> None:
        """Let this process know who it is."""
        self.caller(may_assume=False)
        assert self.caller(may_assume=True).proviso is not None

    def undo(self) -> None:
        """Make account and session what they were at first."""
        names = [each.attname for each in User._meta.concrete_fields if not each.primary_key]
        User.objects.filter(pk=self.user.pk).update(**{name: getattr(self.user, name) for name in names})
        Session.objects.filter(pk=self.session.pk).delete()
        self.session.save(force_insert=True)


def make_world() -> World:
    # A number and a network that no other run of the tests counts by.
    chance = random.SystemRandom()
    user = make_guest(pk=chance.randrange(10**9, 10**12), email="ada@example.com")
    pair = unit_of_work(open_session)(user=user, user_agent="", now=datetime.now(UTC))
    listings = {
        "PROPERTY": make_property(),
        "SERVICE": make_service(hours=[(weekday, *ALL_DAY) for weekday in range(1, 8)]),
        "EVENT": make_event(),
        "PARKING_SPOT": make_parking_spot(),
    }
    address = f"2001:db8:{chance.randrange(16**4):x}:{chance.randrange(16**4):x}::1"
    return World(
        User.objects.get(pk=user.pk), pair.session, pair.access_token, listings, address, Client(REMOTE_ADDR=address)
    )


def _user(**fields: Any) -> Callable[[World], object]:
    return lambda world: User.objects.filter(pk=world.user.pk).update(**fields)


def _session(**fields: Any) -> Callable[[World], object]:
    return lambda world: Session.objects.filter(pk=world.session.pk).update(**fields)


end_session = _session(ended_at=datetime(2026, 1, 1, tzinfo=UTC))

FATES: dict[str, Callable[[World], object]] = {
    "the same as before": lambda world: None,
    "the session has ended": end_session,
    "the session is gone": lambda world: Session.objects.filter(pk=world.session.pk).delete(),
    "the session is another account's": lambda world: _session(user=make_guest())(world),
    "the session was renewed": _session(last_used_at=datetime(2026, 1, 1, tzinfo=UTC)),
    "the account is closed": _user(is_active=False),
    "all tokens were called back": _user(token_version=F("token_version") + 1),
    "a host": _user(role="HOST"),
    "staff": _user(role="STAFF"),
    "another name": _user(first_name="Grace", email="grace@example.com"),
    "not verified": _user(email_verified_at=None),
}


def counts(world: World) -> dict[str, int]:
    """What the limits have counted against the account and its network, by the names that they are counted under."""
    redis: Any = shared(settings.LIMITS_REDIS_URL).get_connection()
    marks = (f"user:{world.user.pk}", f"ip:{network_of(world.address)}")
    names = [name for name in redis.keys("*") if any(mark in name.decode() for mark in marks)]
    sizes = {name.decode(): redis.llen(name) if redis.type(name) == b"list" else int(redis.get(name)) for name in names}
    return {name: size for name, size in sizes.items() if size}


def forget_counts(world: World) -> None:
    redis = shared(settings.LIMITS_REDIS_URL).get_connection()
    for name in counts(world):
        redis.delete(name)


@dataclass
class Seen:
    """What came of a request: for its sender, for the limits, the audit and the logs, and for the tables."""

    status: int
    body: Any
    headers: dict[str, str]
    counts: dict[str, int]
    audited: list[Any]
    logged: tuple[int | None, str, int]
    bookings: int


def came_of(world: World, ask: Callable[[], Any]) -> Seen:
    """What comes of what `ask` sends."""
    forget_counts(world)
    audited, bookings = AuditEvent.objects.count(), Booking.objects.count()
    begun: list[Work] = []
    begin = correlation.begin

    def note(one: Work) -> Any:
        begun.append(one)
        return begin(one)

    with mock.patch.object(correlation, "begin", note):
        response = ask()
    headers = {name: text for name, text in response.headers.items() if name in TOLD}
    # When all points are there again is known to the second, which may be the next one.
    headers["left"] = response.headers.get("RateLimit", "").partition(";t=")[0]
    events = AuditEvent.objects.order_by("pk").values_list("kind", "user_id", "actor_id", "data")
    return Seen(
        response.status_code,
        _comparable(response.json()),
        headers,
        counts(world),
        list(events[audited:]),
        (begun[0].user_id, begun[0].operation, begun[0].points),
        Booking.objects.count() - bookings,
    )


def _comparable(body: Any) -> Any:
    """The answer without what was written down of the request before it."""
    export = ((body.get("data") or {}).get("me") or {}).get("export")
    if export is not None:
        del export["exportedAt"], export["securityEvents"]
    return body
