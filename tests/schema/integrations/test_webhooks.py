"""Webhooks over HTTP, as their owners, others and staff meet them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.integrations.actions import MOST_ENDPOINTS
from apps.integrations.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from apps.users.models import User
from schema.core.ids import to_global_id
from tests.integrations.receiver import is_signed, receiving, status
from tests.integrations.world import happen, listen, send, send_until
from tests.recipes import make_guest, make_host, make_property, make_staff
from tests.schema.users.conftest import Api

pytestmark = pytest.mark.django_db

CREATE = """mutation($input: CreateWebhookEndpointInput!) { it: createWebhookEndpoint(input: $input) {
    endpoint { id url description events allListings enabled } secret errors { code field } } }"""
UPDATE = """mutation($input: UpdateWebhookEndpointInput!) { it: updateWebhookEndpoint(input: $input) {
    endpoint { url description events enabled disabledReason } errors { code field } } }"""
DELETE = """mutation($input: WebhookEndpointIdInput!) { it: deleteWebhookEndpoint(input: $input) {
    deleted errors { code field } } }"""
ROTATE = """mutation($input: RotateWebhookSecretInput!) { it: rotateWebhookSecret(input: $input) {
    endpoint { previousSecretUntil } secret errors { code field } } }"""
TEST = """mutation($input: WebhookEndpointIdInput!) { it: sendTestWebhook(input: $input) {
    delivery { id eventId type status payload } errors { code field } } }"""
REPLAY = """mutation($input: ReplayWebhookDeliveryInput!) { it: replayWebhookDelivery(input: $input) {
    delivery { id status } errors { code field } } }"""
REPLAY_SPAN = """mutation($input: ReplayWebhookDeliveriesInput!) { it: replayWebhookDeliveries(input: $input) {
    accepted errors { code field } } }"""
LIST = """query($status: [WebhookDeliveryStatus!], $first: Int) { me { webhookEndpoints { id url failingSince lastDeliveredAt
    deliveries(status: $status, first: $first) { totalCount edges { node { id eventId type status payload occurredAt
        nextTryAt deliveredAt attempts { at statusCode milliseconds answer error } } } } } } }"""


@pytest.fixture(autouse=True)
def _open_door(settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False


def api(person: User) -> Api:
    return Api().enter(person)


def create(person: User, **given: Any) -> Any:
    asked = {"url": "http://127.0.0.1:9/hook", "events": ["BOOKING_CONFIRMED"], **given}
    return api(person).data(CREATE, input=asked)["it"]


def endpoint_id(endpoint: WebhookEndpoint) -> str:
    return to_global_id("WebhookEndpoint", endpoint.pk)


def now() -> datetime:
    return datetime.now(UTC)


def test_a_secret_is_shown_when_it_is_made_and_never_again() -> None:
    host = make_host()
    made = create(host, events=["REVIEW_CREATED", "BOOKING_CONFIRMED", "REVIEW_CREATED"], description=" CRM ")
    assert made["errors"] == []
    assert made["secret"].startswith("whsec_")
    assert made["endpoint"] == {
        "id": endpoint_id(WebhookEndpoint.objects.get()), "url": "http://127.0.0.1:9/hook", "description": "CRM",
        "events": ["BOOKING_CONFIRMED", "REVIEW_CREATED"], "allListings": False, "enabled": True,
    }  # fmt: skip
    key = made["secret"].removeprefix("whsec_")
    assert key not in str(api(host).data(LIST)) + str(api(host).data("{ me { export } }"))
    # Nor is it anywhere in the database.
    with connection.cursor() as cursor:
        cursor.execute("SELECT endpoint::text FROM integrations_webhookendpoint AS endpoint")
        assert key not in str(cursor.fetchall())
    assert create(host)["secret"] != made["secret"]


def test_staff_is_told_of_all_listings() -> None:
    assert create(make_staff())["endpoint"]["allListings"] is True


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"url": " "}, [("REQUIRED", ["url"])]),
        ({"url": "ftp://example.com/"}, [("INVALID", ["url"])]),
        ({"url": "http://user:password@example.com/"}, [("INVALID", ["url"])]),
        ({"url": "http://10.0.0.1/"}, [("INVALID", ["url"])]),
        ({"url": "http://169.254.169.254/latest/meta-data"}, [("INVALID", ["url"])]),
        ({"url": "http://[::ffff:192.168.0.1]/"}, [("INVALID", ["url"])]),
        ({"url": "http://0x0a.1/"}, [("INVALID", ["url"])]),
        ({"events": []}, [("REQUIRED", ["events"])]),
        ({"events": ["WEBHOOK_TEST"]}, [("INVALID", ["events"])]),
        ({"description": "x" * 201}, [("INVALID", ["description"])]),
        ({"url": "nonsense", "events": []}, [("INVALID", ["url"]), ("REQUIRED", ["events"])]),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_registered(given: dict[str, Any], errors: list[Any]) -> None:
    made = create(make_host(), **given)
    assert [(error["code"], error["field"]) for error in made["errors"]] == errors
    assert (made["endpoint"], made["secret"], WebhookEndpoint.objects.count()) == (None, None, 0)


def test_production_takes_https_to_others_alone(settings: Any) -> None:
    settings.MODE = "production"
    host = make_host()
    for url in ("http://127.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "http://93.184.216.34/"):
        assert create(host, url=url)["errors"] == [{"code": "INVALID", "field": ["url"]}]
    assert create(host, url="https://93.184.216.34/")["errors"] == []


def test_an_account_has_so_many_endpoints_and_no_more() -> None:
    host = make_host()
    for _ in range(MOST_ENDPOINTS):
        listen(host, "http://127.0.0.1:9/")
    assert create(host)["errors"] == [{"code": "OUTSIDE_RULES", "field": []}]
    assert WebhookEndpoint.objects.count() == MOST_ENDPOINTS


def test_an_address_that_is_not_verified_registers_nothing(settings: Any) -> None:
    settings.REQUIRE_VERIFIED_EMAIL = True
    assert create(make_host(email_verified_at=None))["errors"] == [{"code": "NOT_ALLOWED", "field": []}]


def test_an_owner_changes_turns_off_and_deletes() -> None:
    host = make_host()
    endpoint, _ = listen(host, "http://127.0.0.1:9/")
    me, own = api(host), {"endpointId": endpoint_id(endpoint)}
    changed = me.data(UPDATE, input={**own, "url": "http://127.0.0.1:9/new", "events": ["LISTING_CREATED"]})["it"]
    assert changed["endpoint"] == {
        "url": "http://127.0.0.1:9/new", "description": "", "events": ["LISTING_CREATED"], "enabled": True,
        "disabledReason": None,
    }  # fmt: skip
    for given, code in (({"url": None}, "REQUIRED"), ({"url": "x"}, "INVALID"), ({"events": []}, "REQUIRED")):
        assert me.refusals(UPDATE, input={**own, **given})[0][0] == code
    assert me.data(UPDATE, input={**own, "enabled": False})["it"]["endpoint"]["disabledReason"] == "OWNER"
    assert me.refusals(TEST, input=own) == [("WRONG_STATE", ["endpointId"])]
    assert me.data(UPDATE, input={**own, "enabled": True})["it"]["endpoint"]["enabled"] is True
    assert me.data(DELETE, input=own)["it"] == {"deleted": True, "errors": []}
    assert me.refusals(DELETE, input=own) == [("NOT_FOUND", ["endpointId"])]
    assert WebhookEndpoint.objects.count() == 0


@pytest.mark.parametrize("wrong", ["", "x", "\x00", to_global_id("Booking", 1), to_global_id("WebhookEndpoint", 10**9)])
def test_an_id_that_nothing_has_is_not_found(wrong: str) -> None:
    me = api(make_host())
    for query in (UPDATE, DELETE, ROTATE, TEST):
        assert me.refusals(query, input={"endpointId": wrong}) == [("NOT_FOUND", ["endpointId"])]
    assert me.refusals(REPLAY, input={"deliveryId": wrong}) == [("NOT_FOUND", ["deliveryId"])]


def test_another_host_finds_nothing_and_changes_nothing() -> None:
    home = make_property()
    endpoint, _ = listen(home.host, "http://127.0.0.1:9/")
    happen(home)
    send()
    before = list(WebhookEndpoint.objects.values()), list(WebhookDelivery.objects.values())
    stranger, own = api(make_host()), {"endpointId": endpoint_id(endpoint)}
    for query in (UPDATE, DELETE, ROTATE, TEST):
        assert stranger.refusals(query, input=own) == [("NOT_FOUND", ["endpointId"])]
    delivery = WebhookDelivery.objects.get()
    assert stranger.refusals(REPLAY, input={"deliveryId": delivery.public_id}) == [("NOT_FOUND", ["deliveryId"])]
    span = {**own, "from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    assert stranger.refusals(REPLAY_SPAN, input=span) == [("NOT_FOUND", ["endpointId"])]
    assert stranger.data(LIST)["me"]["webhookEndpoints"] == []
    assert before == (list(WebhookEndpoint.objects.values()), list(WebhookDelivery.objects.values()))


def test_a_test_message_is_sent_and_logged() -> None:
    host = make_host()
    with receiving() as receiver:
        receiver.answers["/"] = status(202, b"thanks")
        endpoint, secret = listen(host, f"{receiver.url}/")
        me = api(host)
        sent = me.data(TEST, input={"endpointId": endpoint_id(endpoint)})["it"]["delivery"]
        assert (sent["type"], sent["status"]) == ("WEBHOOK_TEST", "PENDING")
        send(now())
        (message,) = receiver.taken
        assert message.body == sent["payload"]
        assert (message.body["event_id"], message.body["delivery_id"]) == (sent["eventId"], sent["id"])
        assert is_signed(message, secret)
        (shown,) = me.data(LIST)["me"]["webhookEndpoints"][0]["deliveries"]["edges"]
        assert (shown["node"]["status"], shown["node"]["nextTryAt"]) == ("DELIVERED", None)
        (attempt,) = shown["node"]["attempts"]
        assert (attempt["statusCode"], attempt["answer"], attempt["error"]) == (202, "thanks", "")
        assert attempt["milliseconds"] >= 0


def test_messages_carry_both_signatures_while_the_secret_is_being_replaced() -> None:
    host = make_host()
    with receiving() as receiver:
        endpoint, old = listen(host, f"{receiver.url}/")
        me, own = api(host), {"endpointId": endpoint_id(endpoint)}

        def signed_with(*secrets: str, later: timedelta = timedelta()) -> list[bool]:
            me.data(TEST, input=own)
            send(now() + later)
            return [is_signed(receiver.taken[-1], secret) for secret in secrets]

        rotated = me.data(ROTATE, input=own)["it"]
        new = rotated["secret"]
        assert rotated["endpoint"]["previousSecretUntil"] is not None
        assert signed_with(new, old) == [True, True]
        assert receiver.taken[-1].headers["webhook-signature"].startswith("v1,")
        assert len(receiver.taken[-1].headers["webhook-signature"].split(" ")) == 2
        assert signed_with(new, old, later=timedelta(hours=24)) == [True, False]
        newest = me.data(ROTATE, input={**own, "endOldNow": True})["it"]["secret"]
        assert len({old, new, newest}) == 3
        assert signed_with(newest, new, old) == [True, False, False]


def test_staff_helps_and_is_shown_no_secret() -> None:
    host, staff = make_host(), make_staff()
    endpoint, _ = listen(host, "http://127.0.0.1:9/")
    own = {"endpointId": endpoint_id(endpoint)}
    assert api(staff).refusals(ROTATE, input=own) == [("NOT_ALLOWED", ["endpointId"])]
    off = api(staff).data(UPDATE, input={**own, "enabled": False})["it"]["endpoint"]
    assert off["disabledReason"] == "STAFF"
    assert host.notifications.get().title == "Webhook turned off"
    endpoint.refresh_from_db()
    assert endpoint.secret_version == 1


def test_one_message_and_a_span_of_time_are_sent_again() -> None:
    home = make_property()
    with receiving() as receiver:
        endpoint, _ = listen(home.host, f"{receiver.url}/", now=now() - timedelta(days=9))
        start = now() - timedelta(days=8)
        receiver.answers["/"] = status(500)
        for number in range(4):
            happen(home, number, now=start + timedelta(hours=number))
        send_until(start + timedelta(days=5), start=start + timedelta(hours=4))
        assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"FAILED"}
        receiver.answers.clear()
        receiver.taken.clear()
        me, own = api(home.host), {"endpointId": endpoint_id(endpoint)}
        chosen = WebhookDelivery.objects.order_by("event").first()
        assert chosen is not None
        again = me.data(REPLAY, input={"deliveryId": chosen.public_id})["it"]["delivery"]
        assert again == {"id": chosen.public_id, "status": "PENDING"}
        send(now())
        assert [message.headers["webhook-id"] for message in receiver.taken] == [chosen.event.public_id]

        span = {**own, "from": start.isoformat(), "to": (start + timedelta(hours=3)).isoformat()}
        assert me.data(REPLAY_SPAN, input=span)["it"] == {"accepted": 2, "errors": []}
        send_until(now() + timedelta(days=1), start=now())
        assert [message.body["data"]["number"] for message in receiver.taken] == [0, 1, 2]
        assert me.data(REPLAY_SPAN, input=span)["it"]["accepted"] == 0
        assert me.data(REPLAY_SPAN, input={**span, "includeDelivered": True})["it"]["accepted"] == 3
        assert me.refusals(REPLAY_SPAN, input={**own, "from": span["to"], "to": span["from"]}) == [("INVALID", ["to"])]
        # Nothing new was made up for it.
        assert WebhookEvent.objects.count() == WebhookDelivery.objects.count() == 4


def test_what_happens_while_it_is_off_can_be_sent_later() -> None:
    home = make_property()
    with receiving() as receiver:
        endpoint, _ = listen(home.host, f"{receiver.url}/", now=now() - timedelta(hours=2))
        me, own = api(home.host), {"endpointId": endpoint_id(endpoint)}
        me.data(UPDATE, input={**own, "enabled": False})
        happen(home, 1, now=now())
        assert send(now()) == 0
        (row,) = me.data(LIST)["me"]["webhookEndpoints"][0]["deliveries"]["edges"]
        assert row["node"]["status"] == "SKIPPED"
        me.data(UPDATE, input={**own, "enabled": True})
        assert send(now()) == 0
        span = {"from": (now() - timedelta(hours=1)).isoformat(), "to": (now() + timedelta(hours=1)).isoformat()}
        assert me.data(REPLAY_SPAN, input={**own, **span})["it"]["accepted"] == 1
        send(now())
        assert [message.body["data"]["number"] for message in receiver.taken] == [1]


def test_tests_and_replays_are_limited(settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = True
    host = make_host()
    endpoint, _ = listen(host, "http://127.0.0.1:9/")
    fields = " ".join(f"m{number}: sendTestWebhook(input: $input) {{ errors {{ code }} }}" for number in range(61))
    query = f"mutation($input: WebhookEndpointIdInput!) {{ {fields} }}"
    answer = api(host).send(query, input={"endpointId": endpoint_id(endpoint)})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["RATE_LIMITED"]
    assert WebhookDelivery.objects.count() == 60


def test_the_log_is_filtered_and_its_queries_do_not_grow_with_its_rows() -> None:
    def world(endpoints: int, messages: int) -> User:
        home = make_property()
        for _ in range(endpoints):
            listen(home.host, "http://127.0.0.1:9/")
        for number in range(messages):
            happen(home, number)
        send()
        return home.host

    def cost(person: User) -> int:
        me = api(person)
        with CaptureQueriesContext(connection) as seen:
            shown = me.data(LIST, first=10)["me"]["webhookEndpoints"]
        # The oldest was tried first.
        assert shown[0]["deliveries"]["edges"][-1]["node"]["attempts"]
        return len(seen)

    few, many = world(1, 1), world(3, 4)
    assert cost(few) == cost(many)
    assert api(many).data(LIST, status=["DELIVERED"])["me"]["webhookEndpoints"][0]["deliveries"]["totalCount"] == 0
    assert api(many).data(LIST, status=["PENDING"])["me"]["webhookEndpoints"][0]["deliveries"]["totalCount"] == 4


def test_guests_are_let_in_nowhere() -> None:
    assert api(make_guest()).code(CREATE, input={"url": "http://127.0.0.1:9/", "events": []}) == "FORBIDDEN"


def test_who_leaves_takes_their_endpoints_along() -> None:
    home = make_property(host=make_host(password="correct-Horse-7"))
    staff = make_staff()
    with receiving() as receiver:
        listen(home.host, f"{receiver.url}/host")
        listen(staff, f"{receiver.url}/staff")
        happen(home)
        send()
        me = api(home.host)
        exported = me.data("{ me { export } }")["me"]["export"]["webhookEndpoints"]
        assert [(row["url"], row["disabledAt"]) for row in exported] == [(f"{receiver.url}/host", None)]
        leave = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deleted errors { code } } }"
        assert me.data(leave, input={"password": "correct-Horse-7"})["deleteAccount"]["deleted"] is True
        assert list(WebhookEndpoint.objects.values_list("owner", flat=True)) == [staff.pk]
        assert set(WebhookDelivery.objects.values_list("endpoint__owner", flat=True)) == {staff.pk}
        send(now())
        assert [message.type for message in receiver.at("/staff")] == ["listing.updated", "listing.archived"]
        assert len(receiver.at("/host")) == 1
