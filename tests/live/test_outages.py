"""Processes die and Redis goes away: nothing is lost, nothing is told twice."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from apps.live import selectors
from apps.live.actions import KEPT, number_waiting, publish, publish_waiting
from apps.live.models import LiveEvent
from apps.users.models import User
from tests.live.clients import greeted, run
from tests.live.conftest import beside, book, token_of
from tests.live.test_subscriptions import CHANGED, spot_id
from tests.recipes import make_parking_spot
from tests.serving import Site, at_once, eventually


def test_without_the_bell_events_arrive_a_little_later(site: Site, guest: User) -> None:
    spot = make_parking_spot()

    def unrung() -> None:
        with transaction.atomic():
            publish(topic=f"availability:{spot.pk}")
            # The publisher dies between its commit and the ring.
            transaction.get_connection().run_on_commit.clear()

    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("1", CHANGED, {"ids": [spot_id(spot)]})
            await beside(unrung)
            assert (await client.next("1"))["data"]["availabilityChanged"]["period"] is None
            assert await client.is_quiet(seconds=2)

    run(test())


def test_after_the_web_process_was_killed_a_client_is_told_what_it_missed(site: Site, guest: User) -> None:
    spots = [make_parking_spot() for _ in range(3)]
    caller = site.client(token=token_of(site, guest))
    watched = {"ids": [spot_id(spot) for spot in spots]}

    def kill_and_start() -> None:
        web = site.children["web"]
        assert web.pid is not None
        os.killpg(web.pid, signal.SIGKILL)
        eventually(lambda: web.ended() is not None, "the web server ended")
        # In the thread that lives on: the kernel ends a child with the thread that started it.
        web.start()

    def while_nobody_serves() -> None:
        with transaction.atomic():
            publish(topic=f"availability:{spots[1].pk}")

    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("1", CHANGED, watched)
            await beside(lambda: book(caller, spots[0]))
            seen = (await client.next("1"))["extensions"]["eventId"]
            kill_and_start()
        await beside(while_nobody_serves)
        await beside(lambda: eventually(lambda: answers(site), "the web server answers again"))
        await beside(lambda: book(caller, spots[2]))
        async with greeted(site.url, lastEventId=seen) as client:
            await client.subscribe("1", CHANGED, watched)
            told = [(await client.next("1"))["data"]["availabilityChanged"]["listing"]["id"] for _ in range(2)]
            assert told == [spot_id(spots[1]), spot_id(spots[2])]
            assert await client.is_quiet()

    run(test())


def answers(site: Site) -> bool:
    try:
        return bool(site.client().data("{ __typename }"))
    except (OSError, AssertionError):
        return False


@pytest.mark.django_db(transaction=True)
def test_positions_follow_visibility_however_transactions_overlap() -> None:
    def write(number: int) -> None:
        with transaction.atomic():
            publish(topic=f"booking:{number}")
        number_waiting()

    at_once([lambda number=number: write(number) for number in range(32)])  # type: ignore[misc]
    rows = list(LiveEvent.objects.order_by("position"))
    assert len(rows) == 32
    assert None not in {row.position for row in rows}
    assert selectors.head() == rows[-1].position


@pytest.mark.django_db(transaction=True)
def test_the_sweep_numbers_what_its_publisher_left_and_forgets_what_is_old() -> None:
    with transaction.atomic():
        publish(topic="booking:1")
    assert publish_waiting(now=datetime.now(UTC)) == 1
    first = LiveEvent.objects.get()
    assert first.position is not None
    assert selectors.is_kept_since(first.position)
    assert selectors.is_kept_since(first.position - 1)
    publish_waiting(now=datetime.now(UTC) + KEPT - timedelta(seconds=30))
    assert LiveEvent.objects.count() == 1

    publish_waiting(now=datetime.now(UTC) + KEPT + timedelta(seconds=30))

    assert LiveEvent.objects.count() == 0
    assert selectors.is_kept_since(first.position)
    assert not selectors.is_kept_since(first.position - 1)
    assert not selectors.is_kept_since(first.position + 1)


@pytest.mark.django_db(transaction=True)
def test_publishing_needs_a_transaction() -> None:
    with pytest.raises(RuntimeError):
        publish(topic="booking:1")
    assert LiveEvent.objects.count() == 0


def test_an_idle_socket_outlives_redis_time_outs(site: Site, guest: User) -> None:
    spot = make_parking_spot()
    caller = site.client(token=token_of(site, guest))

    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("1", CHANGED, {"ids": [spot_id(spot)]})
            await asyncio.sleep(7)
            await beside(lambda: book(caller, spot))
            begun = asyncio.get_running_loop().time()
            await client.next("1")
            assert asyncio.get_running_loop().time() - begun < 3

    run(test())
