"""A subscription in GraphiQL: what is pushed is shown."""

import json

from django.db import transaction

from apps.live.actions import publish
from schema.core.ids import to_global_id
from tests.browser.conftest import Browser
from tests.browser.test_pages import HEADERS, QUERY, VARIABLES, answer_of, open_graphiql, put
from tests.live.test_tokens import token_for
from tests.recipes import make_guest, make_parking_spot, make_staff
from tests.serving import Site, eventually

WATCH = "subscription Watch($ids: [ID!]) { availabilityChanged(listingIds: $ids) { listing { title } } }"
SEND = """mutation($to: [ID!]!, $k: String!) {
    sendNotification(input: {userIds: $to, title: "Hello", body: "You.", idempotencyKey: $k}) { errors { code } } }"""


def test_graphiql_shows_what_is_pushed(site: Site, browser: Browser) -> None:
    spot = make_parking_spot(title="By the station")

    def is_told() -> bool:
        # GraphiQL says nowhere when it listens: what happens is repeated until it does.
        with transaction.atomic():
            publish(topic=f"availability:{spot.pk}")
        return answer_of(browser).get("data") == {"availabilityChanged": {"listing": {"title": "By the station"}}}

    open_graphiql(browser, site)
    put(browser, QUERY, WATCH)
    put(browser, VARIABLES, json.dumps({"ids": [to_global_id("ParkingSpot", spot.pk)]}))
    browser.click(".graphiql-execute-button")
    eventually(is_told, "the change is shown")
    assert browser.complaints() == []


def test_graphiql_listens_as_whoever_signed_in(site: Site, browser: Browser) -> None:
    guest = make_guest()
    staff = site.client(token=token_for(make_staff(), seconds=250))
    turn = iter(range(1_000))

    def is_told() -> bool:
        staff.data(SEND, {"to": [to_global_id("User", guest.pk)], "k": f"hello-{next(turn)}"})
        return answer_of(browser).get("data") == {"notificationReceived": {"title": "Hello"}}

    open_graphiql(browser, site)
    put(browser, QUERY, "subscription Told { notificationReceived { title } }")
    put(browser, HEADERS, json.dumps({"Authorization": f"Bearer {token_for(guest, seconds=250)}"}))
    browser.click(".graphiql-execute-button")
    eventually(is_told, "the notification is shown")
    assert browser.complaints() == []
