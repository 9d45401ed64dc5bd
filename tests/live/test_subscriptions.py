"""What subscribers are told, against the real processes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from apps.listings.models import Listing
from apps.live.actions import publish
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.live.clients import events, greeted, run
from tests.live.conftest import beside, book, token_of
from tests.recipes import PASSWORD, make_event, make_guest, make_host, make_parking_spot, make_property, make_staff
from tests.serving import Site

CHANGED = """
    subscription($ids: [ID!], $box: BoxInput) {
      availabilityChanged(listingIds: $ids, box: $box) {
        id at listing { id title } period { start end } availableTickets availableNow
      }
    }
"""
UPDATED = (
    "subscription($id: ID!, $t: String) { bookingUpdated(id: $id, accessToken: $t) { id status history { type } } }"
)
CANCEL = """
    mutation($id: ID!, $t: String) {
      cancelBooking(input: {bookingId: $id, accessToken: $t}) { booking { status } errors { code } }
    }
"""
BERLIN = {"south": 52.0, "west": 13.0, "north": 53.0, "east": 14.0}


def spot_id(listing: Listing) -> str:
    return to_global_id("ParkingSpot", listing.pk)


def test_a_hold_and_its_cancelation_reach_who_watches_the_listing_or_the_map(site: Site, guest: User) -> None:
    spot, elsewhere = make_parking_spot(), make_parking_spot(latitude=48.1, longitude=11.5)
    caller = site.client(token=token_of(site, guest))

    async def test() -> None:
        async with greeted(site.url) as by_id, greeted(site.url) as by_box, greeted(site.url) as far:
            await by_id.subscribe("1", CHANGED, {"ids": [spot_id(spot)]})
            await by_box.subscribe("1", CHANGED, {"box": BERLIN})
            await far.subscribe("1", CHANGED, {"box": {"south": 40, "west": -10, "north": 45, "east": 0}})

            booking = (await beside(lambda: book(caller, spot)))["booking"]
            told = await by_id.next("1")
            change = told["data"]["availabilityChanged"]
            assert change["listing"] == {"id": spot_id(spot), "title": spot.title}
            assert (change["availableTickets"], change["availableNow"]) == (None, True)
            start = datetime.fromisoformat(change["period"]["start"])
            assert datetime.fromisoformat(change["period"]["end"]) - start == timedelta(hours=1)
            assert (await by_box.next("1")) == told

            await beside(lambda: book(caller, elsewhere))
            await beside(lambda: caller.data(CANCEL, {"id": booking["id"]}))
            freed = await by_id.next("1")
            assert freed["data"]["availabilityChanged"]["period"] == change["period"]
            assert freed["data"]["availabilityChanged"]["id"] != change["id"]
            assert int(freed["extensions"]["eventId"]) > int(told["extensions"]["eventId"])
            assert (await by_box.next("1")) == freed
            assert await by_id.is_quiet()
            assert await by_box.is_quiet()
            assert await far.is_quiet()

    run(test())


def test_tickets_are_counted_for_events_alone(site: Site) -> None:
    event = make_event(tickets=10)
    caller = site.client()

    def tickets() -> None:
        payload = caller.data(
            """mutation($e: ID!) { bookEvent(input: {eventId: $e, tickets: 3,
            contact: {email: "a@example.com", firstName: "A", lastName: "B"}}) { errors { code field } } }""",
            {"e": to_global_id("Event", event.pk)},
        )
        assert payload["bookEvent"]["errors"] == []

    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("1", CHANGED, {"ids": [to_global_id("Event", event.pk)]})
            await beside(tickets)
            change = (await client.next("1"))["data"]["availabilityChanged"]
            assert (change["availableTickets"], change["availableNow"]) == (7, None)

    run(test())


def test_drafts_are_told_of_to_their_host_alone(site: Site) -> None:
    host = make_host(password=PASSWORD)
    draft = make_property(host=host, status="DRAFT")
    token = token_of(site, host)
    block = """mutation($l: ID!, $s: DateTime!, $e: DateTime!) {
        blockPeriod(input: {listingId: $l, start: $s, end: $e}) { errors { code } } }"""
    start = datetime.now(UTC) + timedelta(days=3)
    given = {
        "l": to_global_id("Property", draft.pk),
        "s": start.isoformat(),
        "e": (start + timedelta(days=1)).isoformat(),
    }

    async def test() -> None:
        async with greeted(site.url) as stranger, greeted(site.url, token=token) as owner:
            for client in (stranger, owner):
                await client.subscribe("ids", CHANGED, {"ids": [given["l"], to_global_id("Property", 999_999), "x"]})
            await stranger.subscribe("box", CHANGED, {"box": BERLIN})
            await beside(lambda: site.client(token=token).send(block, given))
            assert (await owner.next("ids"))["data"]["availabilityChanged"]["listing"]["id"] == given["l"]
            assert await stranger.is_quiet()

    run(test())


def test_a_booking_is_followed_by_its_guest_and_host_and_by_nobody_else(site: Site, guest: User) -> None:
    host, other = make_host(password=PASSWORD), make_guest(password=PASSWORD)
    spot = make_parking_spot(host=host)
    tokens = {name: token_of(site, user) for name, user in {"guest": guest, "host": host, "other": other}.items()}
    caller = site.client(token=tokens["guest"])
    booking = book(caller, spot)["booking"]

    async def test() -> None:
        async with (
            greeted(site.url, token=tokens["guest"]) as mine,
            greeted(site.url, token=tokens["host"]) as hosted,
            greeted(site.url, token=tokens["other"]) as others,
            greeted(site.url) as nobody,
        ):
            for client in (mine, hosted, others, nobody):
                await client.subscribe("1", UPDATED, {"id": booking["id"]})
            for client in (others, nobody):
                message = await client.receive()
                assert message["type"] == "error"
                assert message["payload"][0]["extensions"]["code"] == "NOT_FOUND"
                assert message["payload"][0]["message"] == "There is no such booking."
            # What came before the subscription is not told.
            assert await mine.is_quiet()
            await beside(lambda: caller.data(CANCEL, {"id": booking["id"]}))
            for client in (mine, hosted):
                assert (await client.next("1"))["data"]["bookingUpdated"]["status"] == "CANCELED"
            assert await others.is_quiet()
            assert await nobody.is_quiet()

    run(test())


def test_the_access_token_opens_its_booking_and_no_other(site: Site) -> None:
    payload, other = (book(site.client(), make_parking_spot(), contact=True) for _ in range(2))
    given = {"id": payload["booking"]["id"], "t": payload["accessToken"]}

    async def test() -> None:
        async with greeted(site.url) as holder, greeted(site.url) as wrong:
            await holder.subscribe("1", UPDATED, given)
            await wrong.subscribe("1", UPDATED, {**given, "t": other["accessToken"]})
            assert (await wrong.receive())["type"] == "error"
            await beside(lambda: site.client().data(CANCEL, given))
            assert (await holder.next("1"))["data"]["bookingUpdated"]["status"] == "CANCELED"

    run(test())


def test_a_subscription_completes_when_the_booking_leaves_sight(site: Site, guest: User) -> None:
    host = make_host(password=PASSWORD)
    spot = make_parking_spot(host=host)
    booking = book(site.client(token=token_of(site, guest)), spot)["booking"]
    token = token_of(site, host)

    def hand_over() -> None:
        Listing.objects.filter(pk=spot.pk).update(host=make_host())

    async def test() -> None:
        async with greeted(site.url, token=token) as client:
            await client.subscribe("1", UPDATED, {"id": booking["id"]})
            await beside(hand_over)
            caller = site.client(token=await beside(lambda: token_of(site, guest)))
            await beside(lambda: caller.data(CANCEL, {"id": booking["id"]}))
            assert await client.receive() == {"id": "1", "type": "complete"}

    run(test())


def test_signing_out_ends_the_socket_and_the_stream_with_a_reason(site: Site, guest: User) -> None:
    token = token_of(site, guest)
    booking = book(site.client(token=token), make_parking_spot())["booking"]

    async def test() -> None:
        async with (
            greeted(site.url, token=token) as client,
            events(site.url, UPDATED, {"id": booking["id"]}, token=token) as stream,
        ):
            await client.subscribe("1", UPDATED, {"id": booking["id"]})
            await beside(lambda: site.client(token=token).data("mutation { signOut(input: {}) { signedOut } }"))
            assert await client.closing() == (4403, "The access token is not valid")
            last = await stream.next()
            assert last["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            assert last["extensions"] == {"token": "INVALID"}
            assert (await stream.receive())["event"] == "complete"

    run(test())


def test_notifications_reach_their_person_alone(site: Site, guest: User) -> None:
    other, staff = make_guest(password=PASSWORD), make_staff(password=PASSWORD)
    tokens = {name: token_of(site, user) for name, user in {"guest": guest, "other": other, "staff": staff}.items()}
    send = """mutation($to: [ID!]!, $k: String!) {
        sendNotification(input: {userIds: $to, title: "Hello", body: "You.", idempotencyKey: $k}) { errors { code } } }"""
    given = {"to": [to_global_id("User", guest.pk)], "k": "hello-hello"}

    async def test() -> None:
        async with (
            greeted(site.url, token=tokens["guest"]) as mine,
            greeted(site.url, token=tokens["other"]) as others,
            greeted(site.url, token=tokens["staff"]) as sender,
            greeted(site.url) as nobody,
        ):
            for client in (mine, others, sender, nobody):
                await client.subscribe("1", "subscription { notificationReceived { type title body } }")
            assert (await nobody.receive())["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            for _ in range(2):
                await beside(lambda: site.client(token=tokens["staff"]).data(send, given))
            told = (await mine.next("1"))["data"]["notificationReceived"]
            assert told == {"type": "MESSAGE", "title": "Hello", "body": "You."}
            for client in (mine, others, sender):
                assert await client.is_quiet()

    run(test())


def test_nothing_is_told_of_what_was_rolled_back(site: Site) -> None:
    spot = make_parking_spot()

    def roll_back() -> None:
        with transaction.atomic():
            publish(topic=f"availability:{spot.pk}")
            transaction.set_rollback(True)

    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("1", CHANGED, {"ids": [spot_id(spot)]})
            await beside(roll_back)
            assert await client.is_quiet(seconds=1.5)

    run(test())


def test_a_client_that_comes_back_is_told_what_it_missed_once_and_in_order(site: Site, guest: User) -> None:
    spots = [make_parking_spot() for _ in range(3)]
    caller = site.client(token=token_of(site, guest))
    watched = {"ids": [spot_id(spots[0]), spot_id(spots[1])]}

    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("1", CHANGED, watched)
            await beside(lambda: book(caller, spots[0]))
            seen = (await client.next("1"))["extensions"]["eventId"]

        for spot in spots:
            await beside(lambda spot=spot: book(caller, spot, hours=5))  # type: ignore[misc]
        expected = [spot_id(spots[0]), spot_id(spots[1])]

        async with greeted(site.url, lastEventId=seen) as client:
            await client.subscribe("1", CHANGED, watched)
            missed = [await client.next("1") for _ in expected]
            assert [each["data"]["availabilityChanged"]["listing"]["id"] for each in missed] == expected
            assert await client.is_quiet()
            await beside(lambda: book(caller, spots[1], hours=9))
            assert (await client.next("1"))["data"]["availabilityChanged"]["listing"]["id"] == expected[1]

        async with greeted(site.url) as client:
            await client.subscribe("box", CHANGED, {"box": BERLIN}, lastEventId=seen)
            listings = [(await client.next("box"))["data"]["availabilityChanged"]["listing"]["id"] for _ in range(4)]
            assert listings == [*map(spot_id, spots), expected[1]]
            assert await client.is_quiet()

    run(test())


@pytest.mark.parametrize("last", ["99999999999999", "nonsense", "-5"])
def test_a_client_that_names_an_unknown_event_is_told_to_query_again(site: Site, guest: User, last: str) -> None:
    spot = make_parking_spot()
    caller = site.client(token=token_of(site, guest))

    async def test() -> None:
        async with greeted(site.url) as client:
            await client.subscribe("1", CHANGED, {"ids": [spot_id(spot)]}, lastEventId=last)
            told = await client.next("1")
            assert told["data"] is None
            assert told["extensions"]["refetch"] is True
            await beside(lambda: book(caller, spot))
            assert (await client.next("1"))["data"]["availabilityChanged"]["listing"]["id"] == spot_id(spot)

    run(test())


def test_server_sent_events_carry_ids_and_go_on_after_the_last(site: Site, guest: User) -> None:
    spot = make_parking_spot()
    caller = site.client(token=token_of(site, guest))
    watched = {"ids": [spot_id(spot)]}

    async def test() -> None:
        async with events(site.url, CHANGED, watched) as stream:
            assert stream.response.headers["content-type"].startswith("text/event-stream")
            await beside(lambda: book(caller, spot))
            first = await stream.receive()
            assert first["event"] == "next"
        await beside(lambda: book(caller, spot, hours=4))
        async with events(site.url, CHANGED, watched, last_event_id=first["id"]) as stream:
            second = await stream.receive()
            assert int(second["id"]) > int(first["id"])
        async with events(site.url, CHANGED, watched, last_event_id=second["id"]) as stream:
            await beside(lambda: book(caller, spot, hours=6))
            third = await stream.receive()
            assert int(third["id"]) > int(second["id"])

    run(test())


def test_server_sent_events_answer_queries_and_refuse_alike(site: Site) -> None:
    async def test() -> None:
        async with events(site.url, "{ __typename }") as stream:
            assert (await stream.next())["data"] == {"__typename": "Query"}
            assert (await stream.receive())["event"] == "complete"
        async with events(site.url, UPDATED, {"id": "nonsense"}) as stream:
            assert (await stream.next())["errors"][0]["extensions"]["code"] == "NOT_FOUND"
            assert (await stream.receive())["event"] == "complete"
        async with events(site.url, "{ __typename }", token="nonsense") as stream:
            assert stream.response.status_code == 401

    run(test())


def test_a_slow_booking_of_many_subscribers_is_told_to_each_once(site: Site, guest: User) -> None:
    spot = make_parking_spot()
    caller = site.client(token=token_of(site, guest))

    async def test() -> None:
        async with greeted(site.url) as client:
            for number in range(40):
                await client.send(
                    {
                        "type": "subscribe",
                        "id": str(number),
                        "payload": {"query": CHANGED, "variables": {"ids": [spot_id(spot)], "box": BERLIN}},
                    }
                )
            await asyncio.sleep(1)
            await beside(lambda: book(caller, spot))
            told = [await client.receive() for _ in range(40)]
            assert sorted(int(each["id"]) for each in told) == list(range(40))
            assert len({each["payload"]["data"]["availabilityChanged"]["id"] for each in told}) == 1
            assert await client.is_quiet()

    run(test())
