"""Who asks is found out with the first statement, and whatever has become of them, the answer is that of asking beforehand."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.test import override_settings
from pytest_django.fixtures import Settings

from apps.availability.models import Allocation
from apps.bookings.models import Booking, BookingEvent
from apps.core.db import unit_of_work
from apps.core.errors import AccountClosed
from apps.core.postgres.base import DatabaseWrapper
from apps.core.postgres.session import Cursor
from apps.core.postgres.session import Session as Connection
from apps.core.provisos import Proviso
from apps.live.models import LiveEvent
from apps.notifications.models import Letter
from apps.payments.models import Bill
from apps.users import callers
from apps.users.actions import accounts
from apps.users.actions.sessions import open_session
from apps.users.models import User
from apps.users.tokens import make_access_token
from schema import views
from schema.core import limits
from schema.core.authentication import Caller
from tests.recipes import make_guest
from tests.schema.users.assumed import FATES, Seen, World, came_of, counts, end_session, make_world
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

# `apps.bookings.actions` also has a function of this name.
holding = sys.modules["apps.bookings.actions.hold"]

MINE = "{ me { email role bookings(first: 3) { edges { node { status total { amountMinor } } } } } }"
RENAME = 'updateProfile(input: {phoneNumber: "+493012345678"}) { viewer { phoneNumber } errors { code } }'
NOTHING = "{ me { email role emailVerified user { firstName } } }"
OPERATIONS = {
    "my bookings": MINE,
    "what nothing is read for": NOTHING,
    "what everybody may see": "{ listings(first: 2) { edges { node { title host { displayName } } } } }",
    "for staff alone": "{ me { email } users(first: 1) { totalCount } }",
    "what is counted in between": "{ me { email export } }",
    "what hangs on the password": "{ me { calendarUrl } }",
    "another mutation": f"mutation {{ {RENAME} }}",
    "several mutations": f"mutation {{ a: {RENAME} becomeHost(input: {{}}) {{ viewer {{ role }} }} }}",
    "no document": "{ me { email ",
    "no such field": "{ me { nonsense } }",
    "the schema": "{ __schema { queryType { name } } }",
    "a subscription": "subscription { notificationReceived { id } }",
}
# What all of it is asked after.
WALKED = {"the same as before", "the session has ended", "staff"}
REFUSED = {
    "the session has ended",
    "the session is gone",
    "the session is another account's",
    "the account is closed",
    "all tokens were called back",
}
KINDS = ["PROPERTY", "SERVICE", "EVENT", "PARKING_SPOT"]


@pytest.fixture
def world(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> World:
    settings.RATE_LIMITS_ENABLED = True
    monkeypatch.setattr(limits, "_outage", limits._Outage())
    return make_world()


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the database is sent from now on, message by message, but for what is prepared and for looks at the session."""
    heard: list[str] = []
    say, execute = Connection._say, Cursor.execute

    def hear(self: Connection, word: str) -> None:
        if not word.startswith("PREPARE"):
            heard.append(word)
        say(self, word)

    def hear_statement(self: Cursor, query: Any, vars: Any = None) -> None:  # noqa: A002
        execute(self, query, vars)
        heard.append(str(query))

    monkeypatch.setattr(Connection, "_say", hear)
    monkeypatch.setattr(Cursor, "execute", hear_statement)
    return heard


def both(world: World, fate: Callable[[World], object], ask: Callable[[], Any]) -> tuple[Seen, Seen]:
    """What comes of a request after the fate: where the caller was assumed, and where they were asked for beforehand."""
    world.undo()
    world.be_seen()
    fate(world)
    assert world.caller(may_assume=True).proviso is not None
    assumed = came_of(world, ask)
    world.undo()
    fate(world)
    callers._memories.clear()
    return assumed, came_of(world, ask)


@pytest.mark.parametrize("fate", FATES)
def test_the_answer_is_that_of_asking_beforehand(fate: str, world: World) -> None:
    def asked(name: str, ask: Callable[[], Any]) -> Seen:
        assumed, plain = both(world, FATES[fate], ask)
        assert assumed == plain, name
        return plain

    is_whole = fate in WALKED
    for name, text in OPERATIONS.items() if is_whole else [("my bookings", MINE), ("nothing", NOTHING)]:
        asked(name, lambda text=text: world.send(text))
    asked("by GET", lambda: world.send(MINE, is_get=True))
    contact = {"email": "zoe@example.com", "firstName": "Zoë", "lastName": "O'Neil"}
    for kind in KINDS if is_whole else ["EVENT"]:
        as_account = asked(kind, lambda kind=kind: world.send(*world.booking(kind)))
        assert as_account.bookings == (fate not in REFUSED | {"not verified"})
    if is_whole:
        asked("with a contact", lambda: world.send(*world.booking("EVENT", contact=contact)))
    assert as_account.body.get("extensions", {}).get("token") == ("INVALID" if fate in REFUSED else None)


def test_fewer_messages(world: World, messages: list[str], settings: Settings) -> None:
    for _ in range(5):
        world.be_seen()
        world.send(MINE)
    messages.clear()
    world.send(MINE)
    assert len(messages) == 1, messages
    world.send("{ me { email } }")
    assert len(messages) == 2, messages
    for kind in KINDS:
        world.send(*world.booking(kind))
        messages.clear()
        assert world.send(*world.booking(kind)).json()["data"], kind
        assert len(messages) == 2, messages
    # In the plain way who is asked for by a statement of their own takes one more, and so does the lock before the booking.
    settings.COMPILED_READS = False
    world.send(*world.booking("EVENT"))
    messages.clear()
    world.send(*world.booking("EVENT"))
    assert len(messages) == 4, messages


TABLES = (Allocation, Bill, Booking, BookingEvent, Letter, LiveEvent)


def rows() -> list[int]:
    return [model._default_manager.count() for model in TABLES]


@pytest.fixture
def late(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """One whose session ends between the look at the token and the first statement."""
    world.be_seen()

    def owe(*given: Any) -> None:
        at_once([lambda: end_session(world)])
        limits.owe(*given)

    monkeypatch.setattr(views, "owe", owe)
    return world


@pytest.mark.parametrize("kind", KINDS)
def test_race_a_session_that_ends_before_the_first_statement(kind: str, late: World) -> None:
    before = rows()
    answer = late.send(*late.booking(kind)).json()
    (payload,) = answer["data"].values()
    assert (payload["booking"], [error["code"] for error in payload["errors"]]) == (None, ["REQUIRED"])
    assert answer["extensions"]["token"] == "INVALID"
    assert rows() == before


def test_without_the_proviso_it_would_have_booked(late: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Proviso, "text", lambda self, session: "SELECT 1")
    answer = late.send(*late.booking("PROPERTY")).json()
    assert answer["data"]["bookProperty"]["booking"]["status"] == "PENDING"
    assert Booking.objects.get().guest_id == late.user.pk


def test_race_a_session_that_ends_behind_it_has_booked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is where who asks is found out beforehand."""
    world.be_seen()
    found = holding._bookable

    def bookable(**given: Any) -> Any:
        answer = found(**given)
        at_once([lambda: end_session(world)])
        return answer

    monkeypatch.setattr(holding, "_bookable", bookable)
    answer = world.send(*world.booking("PROPERTY")).json()
    assert answer["data"]["bookProperty"]["booking"]["status"] == "PENDING"
    assert world.send(MINE).json()["data"] == {"me": None}


def test_what_was_counted_against_another_is_given_back(late: World) -> None:
    late.send(*late.booking("EVENT"))
    found = counts(late)
    assert [name for name in found if "user:" in name] == []
    by_limit = {name.split("/")[1]: size for name, size in found.items()}
    assert by_limit.pop("reads") > 0
    assert by_limit == {"requests": 1, "bookings": 1}


def test_nobody_is_assumed_for_what_begins_otherwise(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What compares a row under its lock with the caller's has read that one before."""
    viewers: list[User] = []

    def note(*, viewer: User, **_given: Any) -> None:
        viewers.append(viewer)
        raise AccountClosed

    monkeypatch.setattr(accounts, "update_profile", note)
    monkeypatch.setattr(accounts, "become_host", note)
    world.be_seen()
    for text in (
        OPERATIONS["another mutation"],
        "mutation { ...it } fragment it on Mutation { becomeHost(input: {}) { viewer { id } } }",
    ):
        assert world.send(text).json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert [viewer.get_deferred_fields() for viewer in viewers] == [set(), set()]


def test_a_database_that_cannot_be_asked_is_no_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.be_seen()

    def fail(self: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(DatabaseWrapper, "confirm", fail)
    response = world.send(NOTHING)
    assert response.status_code == 500
    assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["INTERNAL"]
    assert "data" not in response.json()


def test_an_assumed_caller_is_the_one_that_would_be_read(world: World) -> None:
    world.be_seen()
    assumed, plain = world.caller(may_assume=True).user, world.caller(may_assume=False).user
    assert assumed is not None
    assert plain is not None
    assert assumed.current_session is not None
    assert plain.current_session is not None
    assert assumed.current_session.access_payload == plain.current_session.access_payload
    for one, other in ((assumed, plain), (assumed.current_session, plain.current_session)):
        secret = {"password"} if one is assumed else set()
        assert one.get_deferred_fields() == secret
        for column in one._meta.concrete_fields:
            assert getattr(one, column.attname) == getattr(other, column.attname), column
    # Whatever is done to one is not done to the next.
    assumed.first_name = "Grace"
    again = world.caller(may_assume=True).user
    assert again is not None
    assert (again.first_name, again.password) == ("Ada", plain.password)


def test_nobody_is_assumed_who_is_not_known(world: World, settings: Settings) -> None:
    def is_assumed() -> bool:
        return world.caller(may_assume=True).proviso is not None

    assert not is_assumed()
    assert is_assumed()
    assert world.caller(may_assume=False).proviso is None
    ended = datetime.now(UTC) + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)
    assert world.caller(may_assume=True, now=ended) == Caller(token_state="EXPIRED")
    with transaction.atomic():
        assert not is_assumed()
    for name, value in (("COMPILED_READS", False), ("PREPARED_STATEMENTS", False), ("DATABASE_POOLER", "session")):
        with override_settings(**{name: value}):
            assert not is_assumed()
    # Another token of the session.
    first = world.token
    world.token, _ = make_access_token(user=world.user, session=world.session, now=datetime.now(UTC))
    assert not is_assumed()
    assert is_assumed()
    world.token = first
    assert not is_assumed()
    User.objects.filter(pk=world.user.pk).update(role="STAFF")
    assert world.caller(may_assume=False).user is not None
    assert not is_assumed()
    assert not is_assumed()


def test_so_many_are_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "MOST_SEEN", 2)
    callers._memories.clear()
    tokens = []
    for _ in range(3):
        user = make_guest()
        tokens.append(unit_of_work(open_session)(user=user, user_agent="", now=datetime.now(UTC)).access_token)
    for world.token in tokens:
        world.be_seen()
    seen = []
    for world.token in tokens:
        viewer = callers.viewer_seen(token=world.token, now=datetime.now(UTC))
        seen.append(viewer is not None)
    assert seen == [False, True, True]
    # Those whose token has run out make room first.
    known = callers._memories._known
    with callers._memories._lock:
        for number, memory in list(known.items()):
            known[number] = replace(memory, claims=replace(memory.claims, ends_at=datetime(2026, 1, 1, tzinfo=UTC)))
    world.token = tokens[0]
    world.be_seen()
    assert len(known) == 1
