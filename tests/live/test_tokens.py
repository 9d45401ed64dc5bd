"""Whatever calls a token back, or lets it run out, ends what its holder listens to, with a reason."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction

from apps.accounts.actions import claim_bookings
from apps.users.actions.sessions import open_session
from apps.users.models import User
from tests.live.clients import events, greeted, run
from tests.live.conftest import beside, book
from tests.live.test_subscriptions import UPDATED
from tests.recipes import PASSWORD, make_guest, make_parking_spot
from tests.serving import Site

TOLD = "subscription { notificationReceived { id } }"
SIGN_OUT = "mutation { signOut(input: {}) { signedOut } }"
SIGN_OUT_EVERYWHERE = "mutation { signOut(input: {everywhere: true}) { signedOut } }"
CHANGE_PASSWORD = """mutation($p: String!) {
    changePassword(input: {currentPassword: $p, newPassword: "another-Password-2"}) { errors { code } } }"""
DELETE_ACCOUNT = "mutation($p: String!) { deleteAccount(input: {password: $p}) { errors { code } } }"
END_SESSION = "mutation($id: ID!) { endSession(input: {id: $id}) { errors { code } } }"
SESSIONS = "{ me { sessions { id current } } }"


def token_for(user: User, *, seconds: float) -> str:
    """An access token of a new session that is good for so long from now."""
    age = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS - seconds)
    with transaction.atomic():
        return open_session(user=user, user_agent="test", now=datetime.now(UTC) - age).access_token


class Listener:
    """An account with two sessions: the first one listens, the second one acts."""

    def __init__(self, site: Site) -> None:
        self.user = make_guest(password=PASSWORD)
        self.listening = token_for(self.user, seconds=250)
        self.caller = site.client(token=token_for(self.user, seconds=250))
        self._site = site

    def sign_out(self) -> None:
        self._site.client(token=self.listening).data(SIGN_OUT)

    def sign_out_everywhere(self) -> None:
        self.caller.data(SIGN_OUT_EVERYWHERE)

    def change_password(self) -> None:
        assert self.caller.data(CHANGE_PASSWORD, {"p": PASSWORD})["changePassword"]["errors"] == []

    def delete_account(self) -> None:
        assert self.caller.data(DELETE_ACCOUNT, {"p": PASSWORD})["deleteAccount"]["errors"] == []

    def end_session(self) -> None:
        (other,) = (each for each in self.caller.data(SESSIONS)["me"]["sessions"] if not each["current"])
        assert self.caller.data(END_SESSION, {"id": other["id"]})["endSession"]["errors"] == []

    def close_account(self) -> None:
        User.objects.filter(pk=self.user.pk).update(is_active=False)


WAYS: list[Callable[[Listener], None]] = [
    Listener.sign_out,
    Listener.sign_out_everywhere,
    Listener.change_password,
    Listener.delete_account,
    Listener.end_session,
    Listener.close_account,
]


def test_each_way_to_call_a_token_back_ends_its_socket_and_its_stream(site: Site) -> None:
    async def ending(way: Callable[[Listener], None]) -> tuple[object, ...]:
        listener = await beside(lambda: Listener(site))
        async with (
            greeted(site.url, token=listener.listening) as client,
            events(site.url, TOLD, token=listener.listening) as stream,
        ):
            await client.subscribe("1", TOLD)
            await beside(lambda: way(listener))
            closed = await client.closing()
            last = await stream.next()
            return (*closed, last["errors"][0]["extensions"]["code"], last["extensions"], await stream.receive())

    async def test() -> None:
        ended = await asyncio.gather(*map(ending, WAYS))
        expected = (4403, "The access token is not valid", "UNAUTHENTICATED", {"token": "INVALID"})
        assert dict(zip((way.__name__ for way in WAYS), ended, strict=True)) == {
            way.__name__: (*expected, {"event": "complete", "data": ""}) for way in WAYS
        }

    run(test())


def test_a_token_that_runs_out_ends_its_socket_and_its_stream_and_no_other(site: Site, guest: User) -> None:
    async def test() -> None:
        brief, lasting = await asyncio.gather(*(beside(lambda s=s: token_for(guest, seconds=s)) for s in (6, 200)))  # type: ignore[misc]
        async with (
            greeted(site.url, token=brief) as client,
            events(site.url, TOLD, token=brief) as stream,
            greeted(site.url, token=lasting) as other,
        ):
            for each in (client, other):
                await each.subscribe("1", TOLD)
            assert await client.closing() == (4403, "The access token has expired")
            last = await stream.next()
            assert last["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            assert last["extensions"] == {"token": "EXPIRED"}
            assert (await stream.receive())["event"] == "complete"
            assert await other.is_quiet()
        async with events(site.url, TOLD, token=brief) as late:
            assert late.response.status_code == 401

    run(test())


def test_a_secret_that_opens_its_booking_no_more_completes_the_subscription(site: Site) -> None:
    payload = book(site.client(), make_parking_spot(), contact=True)
    given = {"id": payload["booking"]["id"], "t": payload["accessToken"]}

    def take_over() -> None:
        with transaction.atomic():
            claim_bookings(user=make_guest(email="walker@example.com"), now=datetime.now(UTC))

    async def test() -> None:
        async with greeted(site.url) as client, events(site.url, UPDATED, given) as stream:
            await client.subscribe("1", UPDATED, given)
            await beside(take_over)
            assert await client.receive() == {"id": "1", "type": "complete"}
            assert (await stream.receive())["event"] == "complete"

    run(test())
