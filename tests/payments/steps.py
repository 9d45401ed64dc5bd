"""The short way to a booking that is paid, in tests that are about the money."""

import hashlib
import hmac
import json
import os
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client

from apps.bookings.actions import Contact, carry_out_payment, handle_event, hold, pay
from apps.bookings.models import Booking
from apps.core import outbox
from apps.core.models import OutboxMessage
from apps.core.periods import local_date
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.payments.models import Charge, WebhookEvent
from apps.users.models import User


def request_for(listing: Listing, *, now: datetime, days: int = 10, minutes: int = 60) -> BookingRequest:
    """Two nights, two tickets or some minutes of parking, that many days from now."""
    if listing.kind == "PROPERTY":
        first = local_date(now + timedelta(days=days), listing.time_zone)
        return BookingRequest(check_in=first, check_out=first + timedelta(days=2), guests=1)
    if listing.kind == "EVENT":
        return BookingRequest(tickets=2)
    return BookingRequest(starts_at=now + timedelta(days=days), minutes=minutes)


def booked(listing: Listing, *, guest: User | None, now: datetime, **request: Any) -> Booking:
    """A held booking."""
    return hold(
        kind_code=listing.kind,
        listing_id=listing.pk,
        listing_field="listing",
        request=request_for(listing, now=now, **request),
        guest=guest,
        contact=Contact(email="walker@example.org", first_name="Zoë", last_name="Łukasik"),
        now=now,
    )


def paid(booking: Booking, *, now: datetime, card: str = "pm_card_visa") -> Charge:
    """The booking's payment after the worker has been there."""
    charge = pay(
        viewer=booking.guest, booking_id=booking.pk, access_token=booking.access_token, payment_method=card, now=now
    )
    carry_out_payment(charge_id=charge.pk, now=now)
    return Charge.objects.get(pk=charge.pk)


@contextmanager
def jobs_kept() -> Iterator[list[OutboxMessage]]:
    """Within the block the jobs that leave the outbox come here instead of going to the broker."""
    kept: list[OutboxMessage] = []

    def keep(message: OutboxMessage) -> bool:
        OutboxMessage.objects.filter(pk=message.pk).delete()
        kept.append(message)
        return True

    with patch.object(outbox, "_send", keep):
        yield kept


def stripe_api(method: str, path: str, **given: Any) -> Any:
    """Stripe itself, past our own gateway: what somebody does in its dashboard."""
    url = f"{os.environ['STRIPE_API_BASE']}{path}"
    body = urlencode(given).encode() if given and method == "POST" else None
    if given and method == "GET":
        url += f"?{urlencode(given)}"
    request = urllib.request.Request(
        url, body, {"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}"}, method=method
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


def deliver(event: Any, *, secret: str | None = None) -> Any:
    """Bring one of Stripe's events to our door, signed."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    at = int(time.time())
    key = (secret or settings.STRIPE_WEBHOOK_SECRET).encode()
    digest = hmac.new(key, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return Client().post(
        "/webhooks/stripe", body, content_type="application/json", headers={"Stripe-Signature": f"t={at},v1={digest}"}
    )


def events_of(intent_id: str, *types: str) -> list[Any]:
    """Stripe's events of these types about the payment, oldest first."""
    listed = stripe_api("GET", "/v1/events", limit=100)["data"]
    return [
        event
        for event in reversed(listed)
        if event["type"] in types
        and intent_id in (event["data"]["object"].get("payment_intent"), event["data"]["object"]["id"])
    ]


def handle_all(*, now: datetime) -> None:
    """Let the worker handle every event that waits."""
    for event_id in WebhookEvent.objects.filter(handled_at=None).order_by("pk").values_list("event_id", flat=True):
        handle_event(event_id=event_id, now=now)
