"""Accounts side by side never see each other's events: tried for every subscription that the schema has."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.live import selectors
from apps.live.actions import number_waiting
from schema.core.ids import to_global_id
from schema.root import schema
from tests.live.clients import PATIENCE_SECONDS, QUIET_SECONDS, SocketClient, greeted, run
from tests.live.conftest import beside, book
from tests.live.test_subscriptions import BERLIN, CANCEL
from tests.live.test_tokens import token_for
from tests.recipes import PASSWORD, make_host, make_parking_spot, make_property, make_staff
from tests.serving import Site

SEND = """mutation($to: [ID!]!, $t: String!) {
    sendNotification(input: {userIds: $to, title: $t, body: "You.", idempotencyKey: $t}) { errors { code } } }"""
BLOCK = """mutation($l: ID!, $s: DateTime!, $e: DateTime!) {
    blockPeriod(input: {listingId: $l, start: $s, end: $e}) { errors { code } } }"""


class Person:
    """A host with a draft, who has also booked something of somebody else's."""

    def __init__(self, site: Site) -> None:
        self.user = make_host(password=PASSWORD)
        self.token = token_for(self.user, seconds=250)
        self.caller = site.client(token=self.token)
        self.draft_id = to_global_id("Property", make_property(host=self.user, status="DRAFT").pk)
        self.booking_id: str = book(self.caller, make_parking_spot())["booking"]["id"]
        self.staff = site.client(token=token_for(make_staff(), seconds=250))

    def cancel(self) -> None:
        assert self.caller.data(CANCEL, {"id": self.booking_id})["cancelBooking"]["errors"] == []

    def block(self) -> None:
        start = datetime.now(UTC) + timedelta(days=3)
        given = {"l": self.draft_id, "s": start.isoformat(), "e": (start + timedelta(days=1)).isoformat()}
        assert self.caller.data(BLOCK, given)["blockPeriod"]["errors"] == []

    def be_told(self) -> None:
        given = {"to": [to_global_id("User", self.user.pk)], "t": f"for {self.user.email}"}
        assert self.staff.data(SEND, given)["sendNotification"]["errors"] == []


@dataclass(frozen=True)
class Scene:
    """A subscription, what a person asks it for, what happens to the person, and whose business an answer is."""

    query: str
    arguments: Callable[[Person], dict[str, Any]]
    happen: Callable[[Person], None]
    mark: Callable[[Person], str]
    marked: Callable[[Any], str]


SCENES = {
    "bookingUpdated": Scene(
        "subscription($id: ID!) { bookingUpdated(id: $id) { id status } }",
        lambda person: {"id": person.booking_id},
        Person.cancel,
        lambda person: person.booking_id,
        lambda told: str(told["id"]),
    ),
    "availabilityChanged": Scene(
        """subscription($ids: [ID!], $box: BoxInput) {
            availabilityChanged(listingIds: $ids, box: $box) { listing { id } } }""",
        lambda person: {"ids": [person.draft_id], "box": BERLIN},
        Person.block,
        lambda person: person.draft_id,
        lambda told: str(told["listing"]["id"]),
    ),
    "notificationReceived": Scene(
        "subscription { notificationReceived { title } }",
        lambda person: {},
        Person.be_told,
        lambda person: f"for {person.user.email}",
        lambda told: str(told["title"]),
    ),
}


def test_every_subscription_has_its_scene() -> None:
    root = schema.graphql_schema.subscription_type
    assert root is not None
    assert set(SCENES) == set(root.fields)


def here() -> str:
    """Where the log is now. Who names it is told all that happens from now on, however long subscribing takes."""
    number_waiting()
    return str(selectors.head())


class Ear:
    """Listens on a client until the test is over: whose business it is told of, and the codes of the refusals."""

    def __init__(self, client: SocketClient, field: str) -> None:
        self.marks: list[str] = []
        self.codes: set[str] = set()
        self._client = client
        self._field = field
        self.task = asyncio.create_task(self._listen())

    async def hears(self, mark: str) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while mark not in self.marks:
            assert time.monotonic() < until, f"not told of {mark}: {self.marks} {self.codes}"
            assert not self.task.done()
            await asyncio.sleep(0.05)

    async def _listen(self) -> None:
        while True:
            message = await self._client.receive(seconds=300)
            if message["type"] == "next":
                assert "errors" not in message["payload"], message
                self.marks.append(SCENES[self._field].marked(message["payload"]["data"][self._field]))
            elif message["type"] == "error":
                self.codes |= {each["extensions"]["code"] for each in message["payload"]}


@pytest.mark.parametrize("field", SCENES)
def test_two_accounts_never_see_each_other_s_events(site: Site, field: str) -> None:
    scene = SCENES[field]
    one, other = Person(site), Person(site)
    start = here()

    async def test(*, live: bool) -> None:
        async with (
            greeted(site.url, token=one.token) as mine,
            greeted(site.url, token=other.token) as others,
            greeted(site.url) as nobody,
        ):
            # Each asks for its own, and all ask for what is the first one's.
            for client in (mine, others, nobody):
                await client.subscribe("theirs", scene.query, scene.arguments(one), lastEventId=start)
            await others.subscribe("own", scene.query, scene.arguments(other), lastEventId=start)
            if live:
                await beside(lambda: scene.happen(one))
                await beside(lambda: scene.happen(other))
            ears = [Ear(client, field) for client in (mine, others, nobody)]
            await ears[0].hears(scene.mark(one))
            await ears[1].hears(scene.mark(other))
            # What is still to come has had the time that those took.
            await asyncio.sleep(QUIET_SECONDS)
            assert set(ears[0].marks) == {scene.mark(one)}
            assert set(ears[1].marks) == {scene.mark(other)}
            assert ears[2].marks == []
            assert ears[2].codes <= {"NOT_FOUND", "UNAUTHENTICATED"}
            for ear in ears:
                ear.task.cancel()

    # As it happens, and then all of it again out of the log.
    run(test(live=True))
    run(test(live=False))
