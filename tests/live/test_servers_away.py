"""The servers behind the site go away while people listen: Redis dies, PostgreSQL restarts. Nothing is lost or doubled.

The site of these tests has a Redis of its own, and reaches the database over a wire that can be cut.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection, transaction

from apps.listings.models import Listing
from apps.live import selectors
from apps.live.actions import number_waiting, publish
from apps.live.models import LiveEvent
from apps.users.models import User
from sandbox.processes import Watcher
from sandbox.valkey import Valkey
from schema.core.ids import to_global_id
from tests.live.clients import SocketClient, events, greeted, run, socket
from tests.live.conftest import beside, book, token_of
from tests.live.test_subscriptions import CHANGED, spot_id
from tests.live.wire import Wire
from tests.recipes import make_parking_spot
from tests.serving import OnRedis, serve


@dataclass
class Fragile(OnRedis):
    """The site with what it stands on."""

    database: Wire


@pytest.fixture(scope="module")
def _fragile(
    django_db_setup: None, django_db_blocker: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fragile]:
    folder, given = tmp_path_factory.mktemp("fragile"), connection.settings_dict
    wire, watcher = Wire(given["HOST"], int(given["PORT"])), Watcher()
    redis = Valkey(folder / "valkey", log=folder / "valkey.log", password="away", watcher=watcher, keep=False)
    redis.prepare()
    fragile = Fragile(None, redis, wire)  # type: ignore[arg-type]
    fragile.start_redis()
    database = "postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{NAME}".format(**given, port=wire.port)
    try:
        with serve(_made(folder / "site"), DATABASE_URL=database, REDIS_URL=redis.settings()["REDIS_URL"]) as site:
            fragile.site = site
            yield fragile
    finally:
        assert redis.child is not None
        redis.child.stop()
        wire.close()
        watcher.close()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture
def fragile(_fragile: Fragile, transactional_db: None) -> Iterator[Fragile]:
    _fragile.site.resume()
    yield _fragile
    _fragile.site.rest()


def here() -> str:
    """Where the log is now. Who names it is told all that happens from now on, however long subscribing takes."""
    number_waiting()
    return str(selectors.head())


def log_of(listing: Listing, *, after: str) -> list[str]:
    """The ids of the listing's changes since then, as AvailabilityChange names them, in their order."""
    rows = LiveEvent.objects.filter(topic=f"availability:{listing.pk}", position__gt=int(after))
    return [to_global_id("AvailabilityChange", pk) for pk in rows.order_by("position").values_list("pk", flat=True)]


async def told(client: SocketClient, count: int) -> list[str]:
    """The ids of the next changes, each a full answer."""
    found: list[str] = []
    for _ in range(count):
        payload = await client.next("1")
        assert "errors" not in payload, payload
        found.append(payload["data"]["availabilityChanged"]["id"])
    return found


def test_a_redis_that_is_killed_delays_and_loses_nothing(fragile: Fragile, guest: User) -> None:
    spot = make_parking_spot()
    caller = fragile.site.client(token=token_of(fragile.site, guest))
    watched = {"ids": [spot_id(spot)]}

    async def test() -> None:
        url, start = fragile.site.url, await beside(here)
        async with greeted(url) as client, events(url, CHANGED, watched, last_event_id=start) as stream:
            await client.subscribe("1", CHANGED, watched, lastEventId=start)
            await beside(lambda: book(caller, spot, hours=2))
            seen = await told(client, 1)
            try:
                await beside(fragile.kill_redis)
                for hours in (4, 6):
                    await beside(lambda hours=hours: book(caller, spot, hours=hours))  # type: ignore[misc]
                seen += await told(client, 2)
            finally:
                await beside(fragile.start_redis)
            await beside(lambda: book(caller, spot, hours=8))
            seen += await told(client, 1)
            assert await client.is_quiet()
            assert seen == await beside(lambda: log_of(spot, after=start))
            assert [(await stream.next())["data"]["availabilityChanged"]["id"] for _ in seen] == seen

    run(test())


def test_a_database_that_restarts_delays_and_loses_nothing(fragile: Fragile) -> None:
    spot = make_parking_spot()
    watched = {"ids": [spot_id(spot)]}

    def happen(count: int) -> None:
        for number in range(count):
            with transaction.atomic():
                publish(topic=f"availability:{spot.pk}", data={"number": number})

    async def test() -> None:
        url, start = fragile.site.url, await beside(here)
        async with greeted(url) as client, events(url, CHANGED, watched, last_event_id=start) as stream:
            await client.subscribe("1", CHANGED, watched, lastEventId=start)
            await beside(lambda: happen(2))
            seen = await told(client, 2)
            for _ in range(3):
                # The site loses the database in the middle of telling, or a moment before or after.
                await beside(lambda: happen(40))
                await asyncio.sleep(0.1)
                fragile.database.cut()
                await beside(lambda: happen(5))
                await asyncio.sleep(0.7)
                fragile.database.mend()
                seen += await told(client, 45)
            assert await client.is_quiet()
            assert seen == await beside(lambda: log_of(spot, after=start))
            assert [(await stream.next())["data"]["availabilityChanged"]["id"] for _ in seen] == seen

    run(test())


def test_who_comes_while_the_database_is_away_is_asked_to_come_again(fragile: Fragile, guest: User) -> None:
    watched = {"ids": [spot_id(make_parking_spot())]}
    token = token_of(fragile.site, guest)

    async def test() -> None:
        async with greeted(fragile.site.url) as client:
            fragile.database.cut()
            try:
                await client.subscribe("1", CHANGED, watched)
                assert await client.closing() == (1013, "Try again later")
                async with socket(fragile.site.url) as late:
                    await late.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
                    assert await late.closing() == (1013, "Try again later")
                async with events(fragile.site.url, CHANGED, watched, token=token) as stream:
                    assert stream.response.status_code == 503
            finally:
                fragile.database.mend()
        async with greeted(fragile.site.url, token=token) as client:
            await client.subscribe("1", CHANGED, watched)
            assert await client.is_quiet()

    run(test())
