"""Webhooks in Django admin: staff sees what was sent, sends it again and turns endpoints off, with the permission for it."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from apps.integrations.models import WebhookDelivery, WebhookEndpoint
from apps.integrations.signing import secret_of
from tests.admin.test_actions import act, allow
from tests.admin.test_ledgers import client_of, page
from tests.integrations.receiver import Receiver, receiving, status
from tests.integrations.world import happen, listen, send
from tests.recipes import make_onlooker, make_property

pytestmark = pytest.mark.django_db(transaction=True)


def sent_in_vain(receiver: Receiver) -> WebhookEndpoint:
    home = make_property()
    receiver.answers["/"] = status(500, b"<script>no</script>")
    endpoint, _ = listen(home.host, f"{receiver.url}/")
    happen(home)
    send()
    return endpoint


def test_staff_sees_the_log_and_no_secret() -> None:
    with receiving() as receiver:
        endpoint = sent_in_vain(receiver)
    client = client_of(make_onlooker())
    delivery = WebhookDelivery.objects.get()
    for model, row in ((WebhookEndpoint, endpoint), (WebhookDelivery, delivery)):
        assert client.get(page(model)).status_code == 200
        name = f"admin:integrations_{model.__name__.lower()}_change"
        shown = client.get(reverse(name, args=[row.pk])).content.decode()
        assert secret_of(endpoint).removeprefix("whsec_") not in shown
    assert "&lt;script&gt;no&lt;/script&gt;" in shown
    assert "<script>no" not in shown
    assert delivery.public_id in shown


def test_staff_sends_again_and_turns_off_with_the_permission() -> None:
    with receiving() as receiver:
        endpoint = sent_in_vain(receiver)
        delivery = WebhookDelivery.objects.get()
        WebhookDelivery.objects.update(status="FAILED", next_try_at=None)
        staff = make_onlooker()
        act(staff, WebhookDelivery, "replay", delivery)
        act(staff, WebhookEndpoint, "turn_off", endpoint)
        delivery.refresh_from_db()
        endpoint.refresh_from_db()
        assert (delivery.status, endpoint.disabled_at) == ("FAILED", None)

        staff = allow(allow(staff, "change_webhookdelivery"), "change_webhookendpoint")
        assert "Sent again: 1" in act(staff, WebhookDelivery, "replay", delivery)
        delivery.refresh_from_db()
        assert (delivery.status, delivery.tries) == ("PENDING", 0)
        assert "Turned off: 1" in act(staff, WebhookEndpoint, "turn_off", endpoint)
        endpoint.refresh_from_db()
        assert endpoint.disabled_reason == "STAFF"
        assert any("It is turned off" in text for text in act(staff, WebhookDelivery, "replay", delivery))
        assert "Turned on: 1" in act(staff, WebhookEndpoint, "turn_on", endpoint)
        assert LogEntry.objects.filter(user=staff).count() == 3
