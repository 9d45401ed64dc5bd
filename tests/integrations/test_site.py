"""The running site tells integrators of a booking from hold to confirmation, while another integrator hangs."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.integrations.models import WebhookDelivery
from schema.core.ids import to_global_id
from tests.integrations.receiver import Receiver, is_signed
from tests.integrations.world import listen
from tests.recipes import make_event, make_staff
from tests.serving import Client, Site, eventually

pytestmark = pytest.mark.django_db(transaction=True)

BOOK = """mutation($input: BookEventInput!) { it: bookEvent(input: $input) {
    booking { id reference } accessToken errors { code } } }"""
PAY = "mutation($input: PayBookingInput!) { it: payBooking(input: $input) { errors { code } } }"


def book(client: Client, event_id: str) -> dict[str, str]:
    contact = {"email": "ann@example.com", "firstName": "Ann"}
    booked = client.data(BOOK, {"input": {"eventId": event_id, "tickets": 1, "contact": contact}})["it"]
    assert booked["errors"] == []
    given = {"bookingId": booked["booking"]["id"], "accessToken": booked["accessToken"]}
    paid = client.data(PAY, {"input": {**given, "paymentMethod": "pm_card_visa"}})["it"]
    assert paid["errors"] == []
    return {"reference": booked["booking"]["reference"], **given}


def test_an_integrator_hears_of_a_booking_within_moments(site: Site, receiver: Receiver) -> None:
    event = make_event()
    before = datetime.now(UTC) - timedelta(minutes=1)
    _, secret = listen(event.host, f"{receiver.url}/quick", now=before)
    listen(make_staff(), f"{receiver.url}/hangs", now=before)
    receiver.answers["/hangs"] = receiver.hangs()
    booked = book(site.client(), to_global_id("Event", event.pk))

    def types() -> list[str]:
        return [message.type for message in receiver.at("/quick")]

    wanted = ["booking.held", "payment.started", "payment.succeeded", "booking.confirmed"]
    eventually(lambda: set(wanted) <= set(types()), "the integrator has heard of the confirmation")
    assert types() == wanted
    for message in receiver.at("/quick"):
        assert is_signed(message, secret)
        assert message.body["data"]["booking"]["reference"] == booked["reference"]
        assert "ann@example.com" not in message.raw.decode()
    # The one that hangs was sent its first message alone, and kept nobody waiting.
    assert len(receiver.at("/hangs")) >= 1
    assert not WebhookDelivery.objects.filter(endpoint__is_for_all=True, status="DELIVERED").exists()
